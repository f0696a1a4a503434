"""Model servers that Ray starts and supervises: what runs leave is what they leave with servers that nobody touches."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import tts
from benchmarks.simserver import serving
from tests.executors.leftover import account, left
from tests.executors.raylets import raylets
from tests.executors.served_runs import ASKS, ROOT, done, listening_on, search, served, servers_of

pytestmark = [pytest.mark.ray, pytest.mark.integration]

pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")

LIMIT = "task.limit=32"
QUICK = "policy.engine.tick_base=0.002"


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with raylets({"num_cpus": 1}, num_cpus=1):
        yield


def test_a_killed_server_is_started_again_where_it_was_and_nothing_is_lost(tmp_path: Path) -> None:
    with serving("policy.engine.model=simulated", QUICK) as url:
        assert search(tmp_path / "calm", LIMIT, "in_flight.problems=8", f"policy.engine.base_url={url}")[0] == 0
    killed: list[int] = []

    def kill() -> None:
        while done(tmp_path / "there") < 10:
            time.sleep(0.01)
        killed.extend(sorted(listening_on())[:1])
        os.kill(listening_on()[killed[0]], signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    status, said = search(tmp_path / "there", LIMIT, *served(2, QUICK))
    killer.join(10)
    assert status == 0, said
    found, wanted = left(tmp_path / "there"), left(tmp_path / "calm")
    del found["summary"], wanted["summary"]  # they differ in the hash: one names a URL
    assert found == wanted
    told = servers_of(tmp_path / "there")
    assert {server["url"].split(":")[2]: server["restarts"] for server in told} == {
        **{f"{port}/v1": 0 for port in (server["url"].split(":")[2].split("/")[0] for server in told)},
        f"{killed[0]}/v1": 1,
    }
    assert account(tmp_path / "there")["workers_lost"] == 0
    assert listening_on() == {}


def test_jobs_share_the_servers_until_another_model_needs_their_place() -> None:
    """As the cells of a sweep do."""

    async def jobs() -> list[list[str]]:
        async with tts.Runtime(*ASKS, *served(1)) as runtime:
            found = [
                await tts.aevaluate(f"policy.engine.model={model}", limit=3, seed=seed, runtime=runtime)
                for model, seed in (("one", 0), ("one", 1), ("two", 0))
            ]
            assert len(listening_on()) == 1
        assert all(evaluation.summary["n_errors"] == 0 for evaluation in found)
        return [[server["url"] for server in evaluation.summary["executor"]["servers"]] for evaluation in found]

    first, second, third = asyncio.run(jobs())
    assert first == second != third


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"command": "'sh -c \"echo no CUDA device; exit 4\" {port}'"}, "status 4; it said at last:\n  no CUDA device"),
        ({"command": "'vllm-of-nobody serve {port}'"}, ": there is no command 'vllm-of-nobody'"),
        (
            {"resources.GPU": 2, "replicas": 3},
            "executor.serve.policy.replicas=3 with CPU: 0.1 and GPU: 2 each do not fit: 2 machines (1 CPU, 0 GPU; 1 CPU, 0 "
            "GPU) can hold 0 after 0 s (executor.wait); ask for less (executor.serve.policy.replicas, "
            "executor.serve.policy.resources, executor.workers, executor.resources), or add machines",
        ),
        (
            {"resources.CPU": 0.95, "replicas": 2},
            "executor.workers=2 with CPU: 0.1 and GPU: 0 each do not fit: 2 machines (1 CPU, 0 GPU; 1 CPU, 0 GPU) can hold "
            "0 beside executor.serve.policy.replicas=2 with CPU: 0.95 and GPU: 0 after 0 s",
        ),
    ],
)
def test_what_cannot_be_served_is_one_message(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    options = {"replicas": 1, **settings}
    replicas = int(str(options.pop("replicas")))
    status, told = search(
        tmp_path / "run", LIMIT, *served(replicas, **options), f"executor.wait={0 if 'each' in said else 30}"
    )
    assert (status, told.count("error:")) == (2, 1)
    assert said in told
    assert done(tmp_path / "run") == 0


def test_a_run_whose_servers_are_all_given_up_ends_at_once_and_goes_on_later(tmp_path: Path) -> None:
    def kill() -> None:
        while done(tmp_path / "run") < 5:
            time.sleep(0.01)
        os.kill(next(iter(listening_on().values())), signal.SIGKILL)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    slow = served(1, QUICK, restarts=0)
    status, said = search(tmp_path / "run", LIMIT, *slow)
    killer.join(10)
    assert (status, said.count("error:")) == (2, 1)
    assert "executor.serve.policy: no server is left; `" in said
    assert "was ended by SIGKILL" in said
    kept = done(tmp_path / "run")
    assert 5 <= kept < 32
    status, said = search(tmp_path / "run", LIMIT, *slow, "resume=true")
    assert status == 0, said
    assert sum(account(tmp_path / "run")["done"].values()) == 32 - kept


def test_the_cells_of_a_sweep_share_workers_and_servers(tmp_path: Path) -> None:
    cells = ["-m", "search.n=1,2", f"hydra.sweep.dir={tmp_path / 'sweep'}", "task.limit=3"]
    line = [sys.executable, "-m", "tts", *(each for each in ASKS if each != "search.n=3"), *served(1, QUICK), *cells]
    ended = subprocess.run([*line, "executor.workers=1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    first, second = (account(path.parent) for path in sorted((tmp_path / "sweep").glob("*/summary.json")))
    assert first["done"] == second["done"]
    assert [server["url"] for server in first["servers"]] == [server["url"] for server in second["servers"]]
    assert listening_on() == {}
