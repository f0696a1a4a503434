"""Every job leaves the same bytes, whether this process does its items or workers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import tts
from tests.executors.here import Here
from tests.executors.leftover import account, left
from tests.judge import helpers as judging
from tests.label.helpers import label
from tests.synthesize.helpers import GENPRM, REASONER, engine, label_rows, synthesize, write
from tts.concurrency.virtual_clock import VirtualLoop
from tts.core.errors import UserError
from tts.core.events import Event, Progressed, listening

HERE = f"executor._target_={Here.__module__}.Here"

Run = Callable[[Path, Path, str], tuple[int, str]]


def search(folder: Path, shared: Path, *overrides: str) -> tuple[int, str]:
    simulated = ("experiment=simulated", "task.limit=30", "search=beam", "search.n=4", "in_flight.problems=3")
    tts.evaluate(*simulated, *overrides, folder=folder)
    return 0, ""


def judge(folder: Path, shared: Path, *overrides: str) -> tuple[int, str]:
    path = judging.write(shared / "labelled.jsonl", judging.rows(12))
    return judging.judge(folder, *judging.TOLD, f"task.path={path}", *overrides)


def have_labelled(folder: Path, shared: Path, *overrides: str) -> tuple[int, str]:
    return label(folder, *overrides)


def have_written(folder: Path, shared: Path, *overrides: str) -> tuple[int, str]:
    path = write(shared / "labels.jsonl", label_rows())
    return synthesize(folder, *GENPRM, *engine(REASONER), f"task.path={path}", "samples=2", *overrides)


@pytest.mark.parametrize("job", [search, judge, have_labelled, have_written])
def test_every_job_leaves_the_same_bytes(tmp_path: Path, job: Callable[..., tuple[int, str]]) -> None:
    status, said = job(tmp_path / "here", tmp_path)
    assert status == 0, said
    status, said = job(tmp_path / "there", tmp_path, HERE)
    assert status == 0, said
    there = left(tmp_path / "there")
    assert there == left(tmp_path / "here")
    assert len(there["results.jsonl" if "results.jsonl" in there else "rationales.jsonl"].splitlines()) >= 6
    assert sum(account(tmp_path / "there")["done"].values()) >= 6


def test_progress_tells_who_is_at_work(tmp_path: Path) -> None:
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Progressed):
            told.append(event.headline)

    with listening(listen):
        search(tmp_path / "there", tmp_path, HERE)
    assert len(told) == 30
    assert told[-1].endswith("  2 of 2 workers")


def test_a_fault_elsewhere_is_one_message_after_ten_problems(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = judging.write(tmp_path / "labelled.jsonl", judging.rows(40))
    broken = ("verifier._target_=tests.executors.plug_ins.Broken", f"task.path={path}", "in_flight.problems=2")
    status, said = judging.judge(tmp_path / "there", *broken, HERE)
    assert status == 2
    assert "the first 10 problems all failed with the same error" in said
    assert "KeyError: 'score'" in said
    # With the traceback of the process that met it, once.
    assert caplog.text.count('return {}["score"]') == 1


def test_objects_of_a_program_are_done_in_it(tmp_path: Path) -> None:
    """Workers compose from the configuration alone, and cannot have them."""
    from tests.runtime.parts import Judge

    async def evaluate() -> None:
        await tts.aevaluate("executor=ray", verifier=Judge(), task="arithmetic", limit=1)

    pytest.importorskip("ray", reason="the check comes after that for Ray")
    with pytest.raises(UserError, match=r"executor=ray: every worker composes the search from its configuration"):
        asyncio.run(evaluate())


def test_processes_have_no_virtual_time_in_common() -> None:
    pytest.importorskip("ray", reason="the check comes after that for Ray")

    async def evaluate() -> None:
        await tts.aevaluate("experiment=simulated", "executor=ray", limit=1)

    with (
        asyncio.Runner(loop_factory=VirtualLoop) as loop,
        pytest.raises(UserError, match="executor=ray: processes have"),
    ):
        loop.run(evaluate())


def test_ray_that_is_not_installed_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    monkeypatch.setattr("tts.executors.ray.executor.importlib", absent)
    with pytest.raises(UserError, match=r"executor: this needs the package 'ray': pip install 'tts-search\[ray\]'"):
        tts.evaluate("executor=ray", limit=1)
