"""Sweeps that are cut, gone on with, widened, and that fail in parts."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.server import Server, completion, serve
from tests.integration.sweeper import start
from verifiers.generative.genprm_format import OUTPUT_STOP

pytestmark = pytest.mark.integration

IN_FLIGHT = 4
SEARCH = ("search.n=1,4", "verifier.votes=1,2")


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """A policy that is right now and then and a verifier that is right more often, both as the seed has it."""
    time.sleep(0.004)
    digest = hashlib.blake2b(f"{body['prompt']}{body['seed']}".encode()).digest()
    if "<output>" in body["prompt"]:
        said = f"\n**Judgement**: $\\boxed{{{'Yes' if digest[0] < 160 else 'No'}}}$\n{OUTPUT_STOP}"
        made = completion(body, said)
        made["choices"][0].update(text=said, stop_reason=OUTPUT_STOP)  # GenPRM asks for the stop string to stay
        return made
    return completion(body, f"Let us see, {digest[1]}.\n\nThe answer is \\boxed{{{digest[0] % 3}}}.")


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(answer) as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, server: Server) -> list[str]:
    task = tmp_path / "task.jsonl"
    rows = [{"id": str(i), "question": f"{i} + {i}?", "answer": str(i % 3)} for i in range(6)]
    task.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    engines = [
        f"{key}"
        for role in ("policy", "verifier")
        for key in (
            f"engine@{role}.engine=openai", f"{role}.engine.model=m", f"{role}.engine.base_url={server.url}",
            f"{role}.engine.retries=0", f"{role}.engine.patience=1", f"in_flight.{role}={IN_FLIGHT}",
        )
    ]  # fmt: skip
    verifier = ["verifier=genprm", "verifier.analyze=false", "verifier.verify=false", "verifier.readout=hard"]
    return ["task=jsonl", f"task.path={task}", "policy=qwen2.5", *verifier, *engines, "sandbox=none"]


class Sweep:
    """A sweep's directory, and the command that works on it."""

    def __init__(self, folder: Path, settings: list[str]) -> None:
        self.folder, self.settings, self.output = folder, settings, folder.with_suffix(".txt")

    def run(self, *overrides: str, kill_when: Callable[[], bool] | None = None, **limits: int) -> int | None:
        process = start(self.output, "-m", f"hydra.sweep.dir={self.folder}", *self.settings, *overrides, **limits)
        while kill_when is not None and process.is_alive():
            if kill_when():
                process.kill()
                break
            time.sleep(0.001)
        process.join(120)
        assert "Traceback" not in self.said
        return process.exitcode

    @property
    def said(self) -> str:
        return self.output.read_text("utf-8")

    def cells(self) -> dict[str, Path]:
        """The cells by their names without the address of the server."""
        return {path.parent.name: path.parent for path in sorted(self.folder.glob("*/.hydra"))}

    def results(self) -> dict[str, Any]:
        """All that a sweep comes to, but for times and for where samples came from."""
        found = {}
        for name, cell in self.cells().items():
            rows = [json.loads(line) for line in (cell / "results.jsonl").read_text("utf-8").splitlines()]
            summary = json.loads((cell / "summary.json").read_text("utf-8"))
            for record in (*rows, summary):
                del record["wall_s"]
            del summary["generated"], summary["resumed"]
            found[name] = rows, summary, sorted(path.name for path in (cell / "trees").iterdir())
        return found


def asked(server: Server) -> Counter[str]:
    """How often each sample was generated."""
    return Counter(json.dumps(body, sort_keys=True) for body in server.bodies)


def kill_and_compare(tmp_path: Path, server: Server, settings: list[str], kills: int) -> None:
    whole, cut = Sweep(tmp_path / "whole", settings), Sweep(tmp_path / "cut", settings)
    assert whole.run(*SEARCH) == 0, whole.said
    once = asked(server)
    assert set(once.values()) == {1}
    server.bodies.clear()
    random_ = random.Random(0)
    for moment in sorted(random_.sample(range(len(once)), kills)):
        axes = list(SEARCH)
        random_.shuffle(axes)
        assert cut.run(*axes, kill_when=lambda moment=moment: len(server.bodies) >= moment) == -signal.SIGKILL
    assert cut.run(*SEARCH) == 0, cut.said
    assert cut.results() == whole.results()
    again = asked(server)
    assert set(again) == set(once)
    repeated = sum(again.values()) - len(again)
    assert repeated <= kills * 2 * IN_FLIGHT, repeated  # in flight at the server, or on the way to the disk


def test_a_sweep_that_is_killed_again_and_again_ends_as_one_that_is_not(
    tmp_path: Path, server: Server, settings: list[str]
) -> None:
    kill_and_compare(tmp_path, server, settings, kills=3)


@pytest.mark.slow
def test_a_sweep_that_is_killed_twenty_times_ends_as_one_that_is_not(
    tmp_path: Path, server: Server, settings: list[str]
) -> None:
    kill_and_compare(tmp_path, server, settings, kills=20)


def test_a_grid_costs_its_largest_cell_and_grows(tmp_path: Path, server: Server, settings: list[str]) -> None:
    sweep = Sweep(tmp_path / "sweep", settings)
    assert sweep.run("search.n=4", "verifier.votes=2") == 0, sweep.said
    largest = len(server.bodies)
    # Smaller cells are among its samples, in whatever order they come; the one that is there is not run again.
    assert sweep.run("verifier.votes=1,2", "search.n=1,4") == 0, sweep.said
    assert len(server.bodies) == largest
    assert len(sweep.cells()) == 4
    assert sweep.said.count("finished before") == 1
    before = sweep.results()
    # The same cells told otherwise: another order, and a default that is spelled out.
    assert sweep.run("search.n=4,1", "verifier.votes=2,1", "seed=0", "bank.path=null") == 0, sweep.said
    assert sweep.said.count("finished before") == 4
    assert sweep.results() == before
    # What the search cost is counted all the same, wherever its samples came from.
    for rows, summary, _ in before.values():
        assert summary["policy"]["samples"] == sum(row["usage"]["policy"]["samples"] for row in rows) > 0
    generated = [json.loads((cell / "summary.json").read_text())["generated"] for cell in sweep.cells().values()]
    assert sum(tokens["policy_tokens"] > 0 for tokens in generated) == 1
    # Without a bank, and from it, results are the same.
    plain = Sweep(tmp_path / "plain", settings)
    assert plain.run("search.n=1,4", "verifier.votes=1,2", "bank.path=null") == 0, plain.said
    assert plain.results() == before
    assert not (plain.folder / "bank.sqlite").exists()


def test_failed_cells_are_named_and_lose_no_other(tmp_path: Path, server: Server, settings: list[str]) -> None:
    sweep = Sweep(tmp_path / "sweep", settings)
    assert sweep.run("search.n=1,0", "search.aggregator=median,min") == 2
    listed = sweep.said.partition("3 of the sweep's runs failed")[2]
    assert listed.count("search.n=0: at least 1 is needed") >= 1
    assert "aggregator=median" in listed
    done = [cell for cell in sweep.cells().values() if (cell / "summary.json").is_file()]
    assert len(done) == 1
    # A typing error in one of the grid's values is told before any is run.
    asked_before = len(server.bodies)
    assert sweep.run("search.n=5", "search=best_of_n,bean") == 2
    assert "bean" in sweep.said
    assert len(server.bodies) == asked_before


def test_problems_that_failed_are_tried_again(tmp_path: Path, settings: list[str]) -> None:
    broken = {"3 + 3?"}

    def flaky(body: dict[str, Any]) -> dict[str, Any] | tuple[int, str]:
        return (500, "no memory") if any(question in body["prompt"] for question in broken) else answer(body)

    with serve(flaky) as server:
        settings = [
            f"{key.partition('=')[0]}={server.url}" if "base_url" in key else key for key in settings
        ]  # fmt: skip
        sweep = Sweep(tmp_path / "sweep", settings)
        assert sweep.run("search.n=2") == 1
        assert "1 of 6 problems ended with an error" in sweep.said.partition("of the sweep's runs failed")[2]
        broken.clear()
        before = len(server.bodies)
        assert sweep.run("search.n=2") == 0, sweep.said
        assert all("3 + 3?" in body["prompt"] for body in server.bodies[before:])
    (cell,) = sweep.cells().values()
    summary = json.loads((cell / "summary.json").read_text())
    assert (summary["n_problems"], summary["n_errors"], summary["resumed"]) == (6, 0, 5)
    rows = [json.loads(line) for line in (cell / "results.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == [str(number) for number in range(6)]
    assert summary["policy"]["samples"] == sum(row["usage"]["policy"]["samples"] for row in rows) == 12


def test_a_full_disk_ends_a_run_with_one_message_and_costs_nothing(
    tmp_path: Path, server: Server, settings: list[str]
) -> None:
    whole, cut = Sweep(tmp_path / "whole", settings), Sweep(tmp_path / "cut", settings)
    assert whole.run("search.n=4") == 0, whole.said
    once = set(asked(server))
    server.bodies.clear()
    assert cut.run("search.n=4", largest_file=150_000) == 2
    message = cut.said.partition("of the sweep's runs failed")[2]
    assert f"bank {cut.folder / 'bank.sqlite'}: " in message
    assert "the stored results are intact" in message
    assert 0 < len(server.bodies) < len(once)
    assert cut.run("search.n=4") == 0, cut.said
    assert cut.results() == whole.results()
    assert set(asked(server)) == once
