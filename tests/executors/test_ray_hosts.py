"""A Ray cluster of two hosts, each a network namespace with an address of its own, and the cable between them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.executors.leftover import account, left
from tests.executors.raylets import SIZE
from tests.executors.served_runs import done

pytestmark = [pytest.mark.ray, pytest.mark.slow]

pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(sys.executable).with_name("ray")
HEAD, OTHER = "10.77.0.1", "10.77.0.2"
ENVIRONMENT = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}


def told(*command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=check, cwd=ROOT, env=ENVIRONMENT, timeout=400)


def within(host: str, *command: str) -> Sequence[str]:
    return ("ip", "netns", "exec", host, *command)


@contextmanager
def hosts() -> Iterator[tuple[str, str]]:
    """Yields the names of two namespaces with a cable between them; all that runs there is ended."""
    names = (f"tts-a-{os.getpid()}", f"tts-b-{os.getpid()}")
    if shutil.which("ip") is None or told("ip", "netns", "add", names[0], check=False).returncode:
        pytest.skip("this machine allows no network namespaces")
    try:
        told("ip", "netns", "add", names[1])
        told("ip", "link", "add", "cable", "netns", names[0], "type", "veth", "peer", "cable", "netns", names[1])
        for name, address in zip(names, (HEAD, OTHER), strict=True):
            told("ip", "-n", name, "address", "add", f"{address}/24", "dev", "cable")
            told("ip", "-n", name, "link", "set", "lo", "up")
            told("ip", "-n", name, "link", "set", "cable", "up")
        yield names
    finally:
        for name in names:
            for process in told("ip", "netns", "pids", name, check=False).stdout.split():
                os.kill(int(process), signal.SIGKILL)
            told("ip", "netns", "delete", name, check=False)


def test_a_host_that_is_cut_off_costs_what_it_had_in_progress(tmp_path: Path) -> None:
    rows = [{"id": f"p{i}", "question": f"{i}?", "answer": str(i % 5)} for i in range(200)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "conf" / "policy").mkdir(parents=True)
    settings = {"_target_": "tests.executors.plug_ins.Mortal", "folder": str(tmp_path), "seconds": 0.3, "engine": None}
    (tmp_path / "conf" / "policy" / "mortal.yaml").write_text(json.dumps(settings), "utf-8")
    task = ["task=jsonl", f"task.path={tmp_path / 'problems.jsonl'}", "search=majority", "search.n=3", "sandbox=none"]
    search = [sys.executable, "-m", "tts", *task, "policy=mortal", "verifier=random", "in_flight.problems=4"]
    search += ["--config-dir", str(tmp_path / "conf")]
    on_ray = ["executor=ray", f"executor.address={HEAD}:6379", "executor.workers=2", "executor.resources.CPU=1"]
    small = ("--num-cpus=1", f"--object-store-memory={SIZE}", "--include-dashboard=false")
    with hosts() as (first, second):
        told(*within(first, str(RAY), "start", "--head", f"--node-ip-address={HEAD}", "--port=6379", *small))
        told(*within(second, str(RAY), "start", f"--address={HEAD}:6379", f"--node-ip-address={OTHER}", *small[:2]))

        def cut() -> None:
            # Both have work by then: each begins its problems at once.
            while done(tmp_path / "there") < 40:
                time.sleep(0.02)
            told("ip", "-n", second, "link", "set", "cable", "down")

        cutting = threading.Thread(target=cut, daemon=True)
        cutting.start()
        ended = told(*within(first, *search, *on_ray, f"hydra.run.dir={tmp_path / 'there'}"), check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        cutting.join(60)
    assert told(*search, f"hydra.run.dir={tmp_path / 'here'}", check=False).returncode == 0
    assert left(tmp_path / "there")["results.jsonl"] == left(tmp_path / "here")["results.jsonl"]
    lost = account(tmp_path / "there")
    assert lost["workers_lost"] == 1
    assert lost["repeated"] <= 4
    assert len(lost["done"]) == 2
