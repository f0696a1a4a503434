"""A banked sandbox does what the sandbox does, and runs no code twice."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.bank.writer import Writer, complete
from tests.verifiers.helpers import InProcessSandbox
from tts.bank import Bank, BankedEngine, BankedSandbox
from tts.bank.__main__ import main
from tts.engines.generating import Request
from tts.sandbox.base import Chain, Execution, IdentifiedSandbox
from tts.sandbox.jail import Jail

PIECES = [
    "x = 1",
    "x = x + 1",
    "print(x)",
    "y = [x]",
    "y.append(x)\nprint(y)",
    "z = x\nraise ValueError(z)",
    "1 +",
    "é = 1",
]


class InProcess(InProcessSandbox, IdentifiedSandbox):
    """Says what its outcomes depend on; `run_pieces` are those that were really run."""

    def __init__(self, version: int = 1) -> None:
        super().__init__()
        self.version = version
        self.probed = 0

    async def probe(self) -> None:
        self.probed += 1

    def identity(self) -> Mapping[str, object]:
        return {"sandbox": "test", "version": self.version}

    async def run(self, code: str) -> Execution:
        await asyncio.sleep(0)
        return await self.chain().run(code)

    @property
    def run_pieces(self) -> list[str]:
        return [piece for chain in self.chains for piece in chain.pieces]


@contextmanager
def bank_of(folder: str | Path) -> Iterator[Bank]:
    bank = Bank(Path(folder) / "bank.sqlite")
    try:
        yield bank
    finally:
        bank.close()


Steps = list[tuple[int, str]]
steps_ = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(PIECES)), max_size=12)


async def followed(sandbox: IdentifiedSandbox | BankedSandbox, steps: Steps) -> list[Execution]:
    """Runs pieces in three chains, of which the last goes on from where the second came to."""
    chains: list[Chain] = [sandbox.chain(), sandbox.chain(("x = 7",))]
    outcomes = []
    for number, piece in steps:
        if number == len(chains):
            chains.append(sandbox.chain(chains[1].history))
        outcomes.append(await chains[number].run(piece))
    for chain in chains:
        await chain.close()
    return outcomes


@settings(max_examples=30, deadline=None)
@given(first=steps_, second=steps_)
async def test_a_chain_does_what_it_does_without_a_bank_whatever_is_known(first: Steps, second: Steps) -> None:
    with tempfile.TemporaryDirectory() as folder, bank_of(folder) as bank:
        for steps in (first, second):
            assert await followed(BankedSandbox(InProcess(), bank), steps) == await followed(InProcess(), steps)
        inner = InProcess()
        outcomes = await followed(BankedSandbox(inner, bank), second)
        assert all(outcome.recorded for outcome in outcomes)
        assert not inner.chains  # not even begun


async def test_an_unknown_piece_finds_the_namespace_of_the_known_ones(tmp_path: Path) -> None:
    with bank_of(tmp_path) as bank:
        chain = BankedSandbox(InProcess(), bank).chain()
        for piece in ("x = 1", "x += 1"):
            await chain.run(piece)
        inner = InProcess()
        chain = BankedSandbox(inner, bank).chain()
        assert [(await chain.run(piece)).recorded for piece in ("x = 1", "x += 1")] == [True, True]
        assert (await chain.run("print(x)")).stdout == "2\n"
        assert (await chain.run("x += 1")).recorded is False
        assert (await chain.run("print(x)")).stdout == "3\n"
        assert inner.run_pieces == ["print(x)", "x += 1", "print(x)"]
        assert chain.history == ("x = 1", "x += 1", "print(x)", "x += 1", "print(x)")


async def test_code_that_many_run_at_once_runs_once_and_keeps_its_first_output(tmp_path: Path) -> None:
    clock = "import time\nprint(time.time_ns())"
    with bank_of(tmp_path) as bank:
        inner = InProcess()
        sandbox = BankedSandbox(inner, bank)
        outcomes = await asyncio.gather(*(sandbox.run(clock) for _ in range(5)))
        again = await BankedSandbox(InProcess(), bank).run(clock)
    assert len({outcome.stdout for outcome in (*outcomes, again)}) == 1
    assert sorted(outcome.recorded for outcome in outcomes) == [False, True, True, True, True]
    assert inner.run_pieces == [clock]


async def test_another_sandbox_or_another_way_to_run_has_outcomes_of_its_own(tmp_path: Path) -> None:
    with bank_of(tmp_path) as bank:
        for version in (1, 2):
            sandbox = BankedSandbox(InProcess(version), bank)
            assert not (await sandbox.run("print(1)")).recorded
            assert not (await sandbox.chain().run("print(1)")).recorded
            assert not (await sandbox.complete("print(1)")).recorded
            assert (await sandbox.complete("print(1)")).completed
            assert (await sandbox.complete("print(1)")).recorded
            assert not (await sandbox.complete("1 / 0")).completed


async def test_outcomes_can_be_had_before_they_are_written_and_after_a_restart(tmp_path: Path) -> None:
    with bank_of(tmp_path) as bank:
        sandbox = BankedSandbox(InProcess(), bank)
        for number in range(100):
            await sandbox.run(f"print({number})")
            assert (await sandbox.run(f"print({number})")).recorded
    with bank_of(tmp_path) as bank:
        sandbox = BankedSandbox(InProcess(), bank)
        assert [(await sandbox.run(f"print({number})")).stdout for number in range(100)] == [
            f"{i}\n" for i in range(100)
        ]


async def test_a_damaged_outcome_is_made_again(tmp_path: Path) -> None:
    with bank_of(tmp_path) as bank:
        await BankedSandbox(InProcess(), bank).run("print(1)")
    with sqlite3.connect(tmp_path / "bank.sqlite") as connection:
        connection.execute("UPDATE entries SET body = substr(body, 1, 9)")
    connection.close()
    with bank_of(tmp_path) as bank:
        outcome = await BankedSandbox(InProcess(), bank).run("print(1)")
    assert (outcome.stdout, outcome.recorded) == ("1\n", False)


class CountedJail(Jail):
    """Counts the chains that were really begun, and the starts."""

    begun = 0
    started = 0

    async def start(self) -> None:
        self.started += 1
        await super().start()

    def chain(self, history: tuple[str, ...] = ()) -> Chain:
        self.begun += 1
        return super().chain(history)


@pytest.fixture
async def jails() -> AsyncIterator[list[CountedJail]]:
    jails = [CountedJail(workers=1, timeout=2.0, memory_mb=256) for _ in range(2)]
    yield jails
    for jail in jails:
        await jail.close()


@pytest.mark.integration
async def test_what_another_moment_could_change_is_run_again(tmp_path: Path, jails: list[CountedJail]) -> None:
    kept = [
        "x = 1",
        "print(x)",
        "1 / 0",
        "print('a' * 200000)",
        "import random\nprint(random.random())",
        "import os\ntry: os.listdir('/root')\nexcept OSError as e: print(e)",
    ]
    again = ["x" * 4 + " = 'a' * 10**10", "while True: pass", "import os\nos._exit(0)", "import os\nos.abort()"]
    with bank_of(tmp_path) as bank:
        outcomes = []
        for jail in jails:
            sandbox = BankedSandbox(jail, bank)
            await sandbox.start()
            chain = sandbox.chain()
            outcomes.append([await chain.run(piece) for piece in (*kept, *again)])
            await chain.close()
    (first, second), n = outcomes, len(kept)
    assert second[:n] == [*(replace_costs(outcome) for outcome in first[:n])]
    assert [outcome.recorded for outcome in second] == [True] * n + [False] * len(again)
    assert (first[n].error_type, first[n + 1].timed_out, first[n + 2].exit_status) == ("MemoryError", True, 0)


def replace_costs(outcome: Execution) -> Execution:
    kept = ("stdout", "stderr", "error_type", "error_message", "exit_status", "truncated", "completed")
    return Execution(**{name: getattr(outcome, name) for name in kept}, recorded=True)


@pytest.mark.integration
async def test_a_sandbox_is_probed_and_not_started_where_all_is_known(tmp_path: Path, jails: list[CountedJail]) -> None:
    with bank_of(tmp_path) as bank:
        for jail in jails:
            sandbox = BankedSandbox(jail, bank)
            await sandbox.start()
            assert sandbox.layers == jail.layers != ()
            chain = sandbox.chain()
            assert [(await chain.run(piece)).stdout for piece in ("x = 1", "print(x)")] == ["", "1\n"]
            await chain.close()
    assert [(jail.begun, jail.started) for jail in jails] == [(1, 1), (0, 0)]


@pytest.fixture
async def mixed(tmp_path: Path) -> Path:
    """A bank with 5 samples and 20 outputs."""
    with bank_of(tmp_path) as bank:
        await complete(BankedEngine(Writer("writer"), bank), Request("p", seeds=tuple(range(5))))
        for number in range(20):
            await BankedSandbox(InProcess(), bank).run(f"print({number})")
        await bank.flush()
    return tmp_path / "bank.sqlite"


def tell(*arguments: object) -> str:
    out = io.StringIO()
    assert main([str(argument) for argument in arguments], Console(file=out, width=200)) == 0
    return out.getvalue()


def test_the_commands_count_outputs(mixed: Path) -> None:
    listed = tell("list", mixed).splitlines()
    assert listed[0] == "code in 'test'"
    assert listed[1].startswith("  20 outputs of code, ")
    assert listed[4].startswith("  5 samples of 1 prompts, ")
    assert tell("size", mixed).startswith("5 samples of 1 prompts and 20 outputs of code, ")
    said = tell("export", mixed, mixed.with_name("samples.jsonl"))
    assert said.startswith("5 samples in ")
    assert "20 outputs of code" in said


@pytest.mark.parametrize(
    ("options", "deleted", "left"),
    [
        (("--model", "code in"), "20", "5 samples of 1 prompts, "),
        (("--model", "writer"), "5", "20 outputs of code, "),
        (("--to-size", "0"), "25", "0 samples of 0 prompts, "),
        (("--to-size", "1"), "0", "5 samples of 1 prompts and 20 outputs of code, "),
        (("--older-than", "1"), "0", "5 samples of 1 prompts and 20 outputs of code, "),
    ],
)
def test_outputs_are_pruned_like_samples(mixed: Path, options: tuple[str, str], deleted: str, left: str) -> None:
    assert tell("prune", mixed, *options).startswith(f"{deleted} entries deleted")
    assert tell("size", mixed).startswith(left)


async def test_a_bank_from_before_there_were_outputs_takes_them(tmp_path: Path) -> None:
    with bank_of(tmp_path) as bank:
        await complete(BankedEngine(Writer("writer"), bank), Request("p"))
        await bank.flush()
    with sqlite3.connect(tmp_path / "bank.sqlite") as connection:
        connection.execute("DROP TABLE entries")
    connection.close()
    with bank_of(tmp_path) as bank:
        await BankedSandbox(InProcess(), bank).run("print(1)")
        await bank.flush()
    said = await asyncio.to_thread(tell, "size", tmp_path / "bank.sqlite")
    assert said.startswith("1 samples of 1 prompts and 1 outputs of code")
