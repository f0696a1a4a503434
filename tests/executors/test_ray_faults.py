"""Machines of a Ray cluster that are lost in a run: raylets of their own on this one."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.simserver import serving
from tests.executors.leftover import account, left
from tests.executors.raylets import node_of, raylets
from tests.executors.served_runs import done, listening_on, search, served, servers_of
from tests.executors.test_ray import processes, run

pytestmark = [pytest.mark.ray, pytest.mark.slow]

pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")

ROOT = Path(__file__).resolve().parents[2]
RACK = {"num_cpus": 1, "resources": {"rack": 1}}


@contextmanager
def hanging_up(port: int) -> Iterator[None]:
    """Accepts connections at a port, and closes them."""
    with Hold(("", port), socketserver.BaseRequestHandler) as hold:
        threading.Thread(target=hold.serve_forever, args=(0.1,), daemon=True).start()
        yield
        hold.shutdown()


class Hold(socketserver.TCPServer):
    allow_reuse_address = True


@contextmanager
def meanwhile(ready: Callable[[], bool], act: Callable[[], None]) -> Iterator[None]:
    """Does something beside this once it is time to."""

    def wait() -> None:
        while not ready():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield
    thread.join(100)
    assert not thread.is_alive()


def test_a_machine_that_is_lost_with_its_worker_costs_what_it_had_in_progress(tmp_path: Path) -> None:
    assert run(tmp_path / "here", count=60)[0] == 0
    (tmp_path / "traces" / "begun").unlink()
    on_racks = ("executor=ray", "executor.workers=2", "executor.resources.CPU=0.5", "+executor.resources.rack=1")
    with raylets(RACK, RACK, RACK, num_cpus=1) as cluster:

        def lose() -> None:
            cluster.remove_node(node_of(cluster, processes(tmp_path)[0]), allow_graceful=False)

        with meanwhile(lambda: done(tmp_path / "there") > 10, lose):
            status, said = run(tmp_path / "there", *on_racks, count=60, seconds=0.3)
    assert status == 0, said
    assert left(tmp_path / "there") == left(tmp_path / "here")
    told = account(tmp_path / "there")
    begun = (tmp_path / "traces" / "begun").read_text().splitlines()
    assert told["workers_lost"] == 1
    assert len(begun) - 60 <= told["repeated"] <= 4


def test_a_server_whose_machine_is_lost_is_started_on_another_and_the_workers_find_it(tmp_path: Path) -> None:
    quick = ("task.limit=32", "policy.engine.in_flight=64")
    with serving("policy.engine.model=simulated", "policy.engine.tick_base=0.002") as url:
        assert search(tmp_path / "calm", *quick, "in_flight.problems=8", f"policy.engine.base_url={url}")[0] == 0
    servers = (*served(2, "policy.engine.tick_base=0.05"), "+executor.serve.policy.resources.rack=1")
    with raylets(RACK, RACK, RACK, num_cpus=1) as cluster, ExitStack() as held:
        ports: list[int] = []

        def lose() -> None:
            port, process = next(iter(listening_on().items()))
            cluster.remove_node(node_of(cluster, process), allow_graceful=False)
            while Path(f"/proc/{process}").exists():
                time.sleep(0.001)
            # All machines here have one address, and a server would come back to its port.
            held.enter_context(hanging_up(port))
            (other,) = listening_on()
            while len(listening_on()) < 2:
                time.sleep(0.02)
            ports.extend((port, *(set(listening_on()) - {other})))

        # Ray takes half a minute to miss a machine, and so must the run.
        with meanwhile(lambda: done(tmp_path / "there") > 3, lose):
            status, said = search(tmp_path / "there", *quick, *servers)
    assert status == 0, said
    found, wanted = left(tmp_path / "there"), left(tmp_path / "calm")
    del found["summary"], wanted["summary"]
    assert found == wanted
    told = {
        int(server["url"].split(":")[2].split("/")[0]): server["restarts"] for server in servers_of(tmp_path / "there")
    }
    before, after = ports
    assert before not in told
    assert told[after] == 1


def test_a_command_whose_head_node_is_lost_ends_with_one_message_and_goes_on_with_another_cluster(
    tmp_path: Path,
) -> None:
    rows = [{"id": f"p{i}", "question": f"{i}?", "answer": str(i % 5)} for i in range(400)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "conf" / "policy").mkdir(parents=True)
    settings = {"_target_": "tests.executors.plug_ins.Mortal", "folder": str(tmp_path), "seconds": 0.1, "engine": None}
    (tmp_path / "conf" / "policy" / "mortal.yaml").write_text(json.dumps(settings), "utf-8")
    task = ["task=jsonl", f"task.path={tmp_path / 'problems.jsonl'}", "search=majority", "search.n=3", "sandbox=none"]
    chosen = [*task, "policy=mortal", "verifier=random", "--config-dir", str(tmp_path / "conf")]

    def command(name: str, *overrides: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "tts", *chosen, f"hydra.run.dir={tmp_path / name}", "resume=true", *overrides]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)

    def on(cluster: Any) -> list[str]:
        small = ["executor=ray", "executor.workers=2", "executor.resources.CPU=0.5", "in_flight.problems=4"]
        return [*small, f"executor.address={cluster.address}"]

    with raylets({"num_cpus": 1}, num_cpus=1, connect=False) as cluster:

        def lose() -> None:
            cluster.remove_node(cluster.head_node, allow_graceful=False)

        with meanwhile(lambda: done(tmp_path / "run") > 20, lose):
            ended = command("run", *on(cluster))
    said = ended.stdout + ended.stderr
    assert ended.returncode == 2, said
    # Ray itself prints what its own process on this machine said at last.
    assert len([line for line in said.splitlines() if line.startswith("error:")]) == 1
    assert "is gone, and with it the cluster; start another one, and run the same command again: it goes on" in said
    kept = done(tmp_path / "run")
    assert 20 < kept < 400
    with raylets(num_cpus=1, connect=False) as cluster:
        ended = command("run", *on(cluster))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert sum(account(tmp_path / "run")["done"].values()) == 400 - kept
    assert command("alone").returncode == 0
    assert left(tmp_path / "run")["results.jsonl"] == left(tmp_path / "alone")["results.jsonl"]
