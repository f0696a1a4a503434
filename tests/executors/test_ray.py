"""Jobs on a Ray cluster of two raylets: what they leave is what this process alone leaves."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import tts
from tests.executors.leftover import account, left
from tests.jobs import search_job
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.executors.installed import Installed

pytestmark = [pytest.mark.ray, pytest.mark.integration]

ray = pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")

ROOT = Path(__file__).resolve().parents[2]
ONE_SIMULATED = (
    *("executor=ray", "executor.workers=1", "executor.resources.CPU=0.5"),
    *("experiment=simulated", "clock=real", "policy.engine.tick_base=0.0001"),
)
ON_RAY = ("executor=ray", "executor.workers=2", "executor.resources.CPU=0.5")


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[str]:
    """A cluster of two machines, as far as Ray can tell, and this process connected to it; yields its address."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    size = 100 * 2**20
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": size, "include_dashboard": False},
    )
    made.add_node(num_cpus=1, object_store_memory=size)
    ray.init(address=made.address, log_to_driver=False)
    try:
        yield made.address
    finally:
        ray.shutdown()
        made.shutdown()


def problems(folder: Path, count: int = 40) -> Path:
    path = folder / "problems.jsonl"
    rows = [{"id": f"p{number}", "question": f"{number}?", "answer": str(number % 5)} for number in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def run(folder: Path, *overrides: str, count: int = 40, resume: bool = False, **settings: object) -> tuple[int, str]:
    """Runs a search by the mortal policy in this process; its traces are beside the run's folder.

    Returns:
        The exit status, and what was printed.
    """
    traces = folder.parent / "traces"
    traces.mkdir(exist_ok=True)
    task = ("task=jsonl", f"task.path={problems(folder.parent, count)}", "search=majority", "search.n=3")
    chosen = (*task, "sandbox=none", "in_flight.problems=4", *overrides, *(["resume=true"] if resume else []))
    config, identity = configuration("config", chosen)
    policy = {"_target_": "tests.executors.plug_ins.Mortal", "folder": str(traces), **settings}
    return ran({**config, "policy": policy}, identity, folder)


def ran(config: dict[str, Any], identity: str, folder: Path) -> tuple[int, str]:
    """Runs a search in this process; returns its exit status and what it printed."""
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return search_job(config, identity, folder, Console(file=out, width=500)), out.getvalue()


def processes(folder: Path) -> list[int]:
    """Returns the living processes that the mortal policy worked in, except this one."""
    found = [int(path.name.partition("-")[2]) for path in (folder / "traces").glob("process-*")]
    return [process for process in found if process != os.getpid() and Path(f"/proc/{process}").exists()]


def test_a_search_leaves_the_same_bytes(tmp_path: Path) -> None:
    here, there = run(tmp_path / "here", wrong="p7"), run(tmp_path / "there", *ON_RAY, wrong="p7")
    assert (here[0], there[0]) == (1, 1), there[1]
    assert left(tmp_path / "there") == left(tmp_path / "here")
    assert sum(account(tmp_path / "there")["done"].values()) == 40


def test_the_embedded_models_leave_the_same_bytes_and_share_a_bank(tmp_path: Path) -> None:
    bank = f"bank.path={tmp_path / 'bank.sqlite'}"
    for name, more in (("here", ()), ("there", (*ON_RAY, bank)), ("again", (*ON_RAY, bank))):
        config, identity = configuration("config", ["task.limit=6", "search.n=4", "sandbox=none", *more])
        status, said = ran(dict(config), identity, tmp_path / name)
        assert status == 0, said
        assert left(tmp_path / name)["results.jsonl"] == left(tmp_path / "here")["results.jsonl"]
    generated = [json.loads((tmp_path / name / "summary.json").read_text())["generated"] for name in ("there", "again")]
    assert generated[0]["policy_tokens"] > 0
    assert generated[1]["policy_tokens"] == 0


@pytest.mark.parametrize("kills", [1, 4])
def test_killed_workers_lose_no_problem(tmp_path: Path, kills: int) -> None:
    assert run(tmp_path / "here", count=60)[0] == 0
    for path in (tmp_path / "traces").iterdir():
        path.unlink()
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < kills:
            begun = tmp_path / "traces" / "begun"
            living = [process for process in processes(tmp_path) if process not in killed]
            if living and begun.exists() and begun.read_text().count("\n") > 8 * (1 + len(killed)):
                os.kill(living[0], signal.SIGKILL)
                killed.append(living[0])
            time.sleep(0.02)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    status, said = run(tmp_path / "there", *ON_RAY, count=60, seconds=0.05)
    killer.join(10)
    assert status == 0, said
    assert len(killed) == kills
    assert left(tmp_path / "there") == left(tmp_path / "here")
    lost = account(tmp_path / "there")
    assert lost["workers_lost"] == kills
    begun = (tmp_path / "traces" / "begun").read_text().splitlines()
    # At most what was in flight in the worker is begun again.
    assert len(begun) - 60 <= lost["repeated"] <= 4 * kills


def test_a_problem_that_kills_its_workers_fails_after_three_and_the_run_goes_on(tmp_path: Path) -> None:
    status, said = run(tmp_path / "there", *ON_RAY, deadly="p5", seconds=0.01)
    assert status == 1, said
    assert "1 of 40 problems ended with an error" in said
    records = [json.loads(line) for line in (tmp_path / "there" / "results.jsonl").read_text().splitlines()]
    assert [record["id"] for record in records] == [f"p{number}" for number in range(40)]
    failed = [record for record in records if record["error"] is not None]
    assert [record["id"] for record in failed] == ["p5"]
    assert failed[0]["error"].startswith("3 workers were lost while they had this problem")
    assert account(tmp_path / "there")["workers_lost"] == 3


def test_the_limits_of_a_run_hold_over_all_workers(tmp_path: Path) -> None:
    status, said = run(tmp_path / "there", *ON_RAY, "budget.run.tokens=300", seconds=0.002)
    assert status == 0, said
    assert "the limit run.tokens ended the run" in said
    summary = json.loads((tmp_path / "there" / "summary.json").read_text())
    # No more than the requests in flight of all workers: two of four problems, a sample at a time.
    assert summary["policy"]["completion_tokens"] <= 300 + 2 * 4 * 10
    assert "run.tokens" in summary["limits_hit"]


def test_a_run_that_was_cut_goes_on(tmp_path: Path) -> None:
    assert run(tmp_path / "here")[0] == 0
    there = tmp_path / "there"
    assert run(there, *ON_RAY)[0] == 0
    lines = (there / "results.jsonl").read_text().splitlines(keepends=True)
    (there / "results.jsonl").write_text("".join(lines[:17]))
    assert run(there, *ON_RAY, resume=True)[0] == 0
    assert (there / "results.jsonl").read_text().count("\n") == 40
    assert left(there)["results.jsonl"] == left(tmp_path / "here")["results.jsonl"]
    assert sum(account(there)["done"].values()) == 40 - 17


def test_more_than_there_is_is_told_with_numbers(tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", *ON_RAY, "executor.resources.GPU=1", "executor.wait=0")
    assert (status, said.count("error:")) == (2, 1)
    assert said.split("error: ")[1].strip() == (
        "executor.workers=2 with CPU: 0.5 and GPU: 1 each do not fit: 2 machines (1 CPU, 0 GPU; 1 CPU, 0 GPU) can hold 0 "
        "after 0 s (executor.wait); ask for less (executor.workers, executor.resources), or add machines"
    )
    status, said = run(tmp_path / "run", *ON_RAY, "executor.workers=5", "executor.wait=0.1")
    assert status == 2
    assert (
        "executor.workers=5 with CPU: 0.5 and GPU: 0 each do not fit: 2 machines (1 CPU, 0 GPU; 1 CPU, 0 GPU) can hold 4"
        in said
    )


def test_what_other_runs_hold_is_waited_for_so_long(tmp_path: Path) -> None:
    @ray.remote(num_cpus=1)
    class Other:
        def here(self) -> None: ...

    others = [Other.remote() for _ in range(2)]
    ray.get([other.here.remote() for other in others])
    status, said = run(tmp_path / "run", *ON_RAY, "executor.wait=1")
    assert status == 2
    assert "none has found a place after 1 s (executor.wait); free are 0 CPU: other runs hold the rest" in said
    for other in others:
        ray.kill(other)


def test_another_version_on_a_machine_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.executors.ray.staff.installed", lambda: Installed("9.9", "0", "3.14.0"))
    status, said = run(tmp_path / "run", *ON_RAY)
    assert status == 2
    assert "and this is tts-search 9.9 (0), Python 3.14.0: results would differ" in said


def test_what_a_machine_does_not_see_is_told(tmp_path: Path) -> None:
    status, said = run(tmp_path / "run", *ON_RAY, sees=os.getpid())
    assert status == 2
    assert re.search(r"error: worker on \S+: policy: solutions.jsonl: no such file", said), said


def test_two_runs_on_a_cluster_do_not_disturb_each_other(tmp_path: Path) -> None:
    assert run(tmp_path / "here")[0] == 0
    outcomes: dict[str, tuple[int, str]] = {}

    def one(name: str, **settings: object) -> None:
        (tmp_path / name).mkdir()
        outcomes[name] = run(tmp_path / name / "run", *ON_RAY, "executor.workers=1", **settings)

    # Workers of the first die all the time.
    threads = [
        threading.Thread(target=one, args=("first",), kwargs={"deadly": "p3", "seconds": 0.02}),
        threading.Thread(target=one, args=("second",), kwargs={"seconds": 0.02}),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcomes[name][0] for name in ("first", "second")] == [1, 0], outcomes
    assert left(tmp_path / "second" / "run")["results.jsonl"] == left(tmp_path / "here")["results.jsonl"]
    assert account(tmp_path / "second" / "run")["workers_lost"] == 0


def test_runs_of_one_runtime_share_the_workers(tmp_path: Path) -> None:
    """As the cells of a sweep do, with the engines that they have loaded."""

    async def twice() -> list[set[str]]:
        async with tts.Runtime(*ONE_SIMULATED, n=2, search="majority") as runtime:
            found = [await tts.aevaluate(limit=3, seed=seed, runtime=runtime) for seed in (0, 1)]
        assert [len(evaluation) for evaluation in found] == [3, 3]
        return [set(evaluation.summary["executor"]["done"]) for evaluation in found]

    first, second = asyncio.run(twice())
    assert first == second
    assert len(first) == 1


async def refused(runtime: tts.Runtime) -> str:
    """Returns why a job of a runtime cannot be done."""
    async with asyncio.timeout(30):
        with pytest.raises(UserError) as caught:
            await tts.aevaluate(limit=1, runtime=runtime)
    return str(caught.value)


def test_a_worker_that_was_refused_is_used_by_no_later_job(monkeypatch: pytest.MonkeyPatch) -> None:
    async def jobs() -> None:
        async with tts.Runtime(*ONE_SIMULATED, n=2, search="majority") as runtime:
            with monkeypatch.context() as differing:
                differing.setattr("tts.executors.ray.staff.installed", lambda: Installed("9.9", "0", "3.14.0"))
                for _ in range(2):
                    assert "results would differ" in await refused(runtime)
            # The next jobs, both at the same time, hire one worker anew.
            found = await asyncio.gather(*(tts.aevaluate(limit=3, seed=seed, runtime=runtime) for seed in (0, 1)))
        accounts = [evaluation.summary["executor"] for evaluation in found]
        assert [each["workers_lost"] for each in accounts] == [0, 0]
        assert accounts[0]["done"] == accounts[1]["done"]

    asyncio.run(jobs())


def test_a_worker_that_found_no_place_is_not_waited_for_by_the_next_job() -> None:
    @ray.remote(num_cpus=1)
    class Other:
        def here(self) -> None: ...

    others = [Other.remote() for _ in range(2)]
    ray.get([other.here.remote() for other in others])

    async def jobs() -> None:
        async with tts.Runtime(*ONE_SIMULATED, "executor.wait=0.5", n=2, search="majority") as runtime:
            for _ in range(2):
                assert "none has found a place after 0.5 s" in await refused(runtime)

    try:
        asyncio.run(jobs())
    finally:
        for other in others:
            ray.kill(other)
