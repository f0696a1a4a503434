"""A runtime as programs hold it: mistakes are one message, runtimes know nothing of each other, closing frees all."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from policies.base import BasePolicy
from search.base import BaseStrategy
from search.best_of_n import BestOfN
from tests.runtime.own import Long, Returning, Writer
from tts import Problem, ProblemError, RunError, Runtime, Solution, UserError, Verdict, Vote, aevaluate
from tts.core import SearchResult
from tts.engines.generating import Completion, Request
from tts.engines.scripted import ScriptedEngine
from verifiers.base import BaseVerifier

QUESTION = "What is 1 + 1?"


def opened(**more: Any) -> Runtime:
    return Runtime(**{"sandbox": "none", "policy": Writer(), "verifier": Long(), "n": 3, **more})


def left() -> tuple[set[threading.Thread], set[str], set[str]]:
    """The threads, child processes and files that this process has."""
    gc.collect()
    # asyncio's own pool ends with its loop, and the pool's idle threads hold nothing of ours.
    threads = {one for one in threading.enumerate() if not one.name.startswith("asyncio_")}
    children = set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())
    files = {os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")}
    return threads, children, {file for file in files if Path(file).is_file()}


# What a plug-in does wrong


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([0.5, 0.2], "the verifier Returning returned [0.5, 0.2] (list): a tts.Verdict is needed, such as Verdict("),
        (None, "the verifier Returning returned None: a tts.Verdict is needed"),
        (0.5, "the verifier Returning returned 0.5 (float): a tts.Verdict is needed"),
        (Verdict(0.5), "the verifier Returning returned scores=0.5 (float): a tuple is needed"),  # type: ignore[arg-type]
        (Verdict(("good",)), "returned the score 'good' (str): a score is a finite number or None"),  # type: ignore[arg-type]
        (Verdict((numpy.float32(0.5),)), "(float32): a score is a finite number or None; write float(score)"),  # type: ignore[arg-type]
        (Verdict((0.5,), (Vote((numpy.float32(0.5),)),)), "(float32): a score is a finite"),  # type: ignore[arg-type]
        (Verdict((0.5,), (0.5,)), "a Verdict with votes=(0.5,) (tuple): a tuple of tts.Vote is needed"),  # type: ignore[arg-type]
        (Verdict((float("nan"),)), "the verifier Returning returned the score nan: a score is a finite number or None"),
        (Verdict((0.5, 0.5)), "the verifier Returning returned 2 scores for a solution of 3 steps"),
    ],
)
async def test_a_verdict_that_is_none_is_one_message(value: object, says: str) -> None:
    async with opened() as runtime:
        with pytest.raises(ProblemError) as caught:
            await runtime.search(QUESTION, verifier=Returning(value))
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        # Nothing is lost: the same runtime goes on.
        assert (await runtime.search(QUESTION)).answer is not None


async def test_an_evaluation_ends_after_the_first_ten_alike(tmp_path: Path) -> None:
    policy = Writer()
    async with opened(policy=policy) as runtime:
        with pytest.raises(
            RunError, match=r"the first 10 problems all ended .* the verifier Returning returned \[0\.5\]"
        ):
            await aevaluate(
                "in_flight.problems=1", folder=tmp_path, runtime=runtime, task="arithmetic", verifier=Returning([0.5])
            )
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 10  # what was done is kept
    assert policy.writing == 0


class Synchronous(BaseVerifier):
    def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((0.5,))


class Lacking:
    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((0.5,))


class Boundless(BaseStrategy):
    async def search(self, problem: Problem, policy: Any, verifier: Any, grader: Any) -> SearchResult:
        raise AssertionError

    @property
    def samples(self) -> int:
        raise AttributeError("samples")


class Silent(BasePolicy):
    async def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> Solution:  # type: ignore[override]
        return Solution()


class Nameless(ScriptedEngine):
    """One that cannot say what its samples depend on."""


@pytest.mark.parametrize(
    ("overrides", "arguments", "says"),
    [
        ([], {"verifier": Synchronous()}, "verifier (Synchronous): verify is not `async def`"),
        (
            [],
            {"verifier": Lacking()},
            "verifier (Lacking): traits is missing; votes is missing; token_bound is missing",
        ),
        ([], {"search": Boundless()}, "search (Boundless): samples is missing"),
        ([], {"policy": Silent()}, "policy (Silent): solutions is a coroutine, and must yield"),
        (["serch.n=4"], {}, "serch.n: no such setting; did you mean search.n?"),
        (["+serch.n=4"], {}, "serch.n: no such setting; did you mean search.n?"),
        (["search.nn=4"], {}, "search.nn: no such setting; did you mean search.n?"),
        (["search=bem"], {}, "search=bem: no such option; did you mean beam?"),
        ([], {"search": "bem"}, "search=bem: no such option; did you mean beam?"),
        ([], {"budget": {"token": 5}}, "budget.problem.token: no such setting; did you mean budget.problem.tokens?"),
        ([], {"budget": {"tokens": -5}}, "budget.problem.tokens=-5: at least 1 is needed"),
        ([], {"n": "four"}, "search.n=four: a whole number is needed, not a text"),
        ([], {"n": 0}, "search.n=0: at least 1 is needed"),
        (["hello"], {}, "'hello': not an override; they are written as 'search.n=8'"),
        (
            ["search.width=2,4"],
            {},
            "'search.width=2,4': a sweep over several values is for the command line alone (-m)",
        ),
        (["dry_run=true"], {}, "dry_run=true: for the command line alone"),
        (["hydra.run.dir=x"], {}, "'hydra.run.dir=x': for the command line alone"),
        (["clock=virtual"], {}, "clock=virtual: this event loop goes by real time"),
        (["clock=slow"], {}, "clock=slow: choose one of real, virtual"),
        ([], {"search": "self_refine", "n": None}, "search (SelfRefine) needs a policy that revises"),
    ],
)
async def test_a_mistake_is_one_message_before_anything_is_computed(
    overrides: list[str], arguments: Any, says: str
) -> None:
    policy = Writer()
    async with Runtime(sandbox="none", policy=policy, verifier=Long()) as runtime:
        with pytest.raises(UserError) as caught:
            await runtime.search(QUESTION, *overrides, **arguments)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not policy.begun.is_set()
        assert (await runtime.search(QUESTION, n=1)).answer == "0"


async def test_an_engine_without_identity_has_no_place_in_a_bank(tmp_path: Path) -> None:
    engine = Nameless(lambda *_: "\\boxed{2}")
    async with Runtime(sandbox="none", engines={"policy": engine}, verifier=Long(), n=1) as runtime:
        with pytest.raises(UserError, match=r"policy\.engine \(Nameless\) has no method identity\(\)"):
            await runtime.search(QUESTION, bank=tmp_path / "bank.sqlite")
        assert not engine.requests
        assert (await runtime.search(QUESTION)).answer == "2"
        with pytest.raises(UserError, match=r"engines=polcy: nothing of this name has an engine; there are policy"):
            await runtime.search(QUESTION, engines={"polcy": engine})


async def test_the_life_of_a_runtime_is_kept_to() -> None:
    runtime = opened()
    with pytest.raises(UserError, match="this Runtime is not entered yet: use it inside of `async with"):
        await runtime.search(QUESTION)
    async with runtime:
        with pytest.raises(UserError, match="this Runtime is open and cannot be entered again: make another one"):
            await runtime.__aenter__()
        assert (await runtime.search(QUESTION)).answer is not None
    with pytest.raises(UserError, match="this Runtime is closed: use it inside"):
        await runtime.search(QUESTION)
    with pytest.raises(UserError, match="this Runtime is closed and cannot be entered again: make another one"):
        await runtime.__aenter__()
    with pytest.raises(UserError, match="this Runtime is closed"):
        await anext(runtime.stream(QUESTION))
    with pytest.raises(UserError, match="this Runtime is closed"):
        await aevaluate(runtime=runtime)


async def test_a_runtime_belongs_to_its_event_loop() -> None:
    async with opened() as runtime:
        with pytest.raises(UserError, match="belongs to another event loop"):
            await asyncio.to_thread(asyncio.run, runtime.search(QUESTION))


# What a runtime holds


class Closing(ScriptedEngine):
    """Tells whether it is open; loading takes until somebody lets it."""

    def __init__(self, hold: asyncio.Event | None = None) -> None:
        super().__init__(lambda *_: "\\boxed{2}")
        self.hold, self.starts, self.open = hold, asyncio.Event(), False

    async def start(self) -> None:
        self.starts.set()
        if self.hold is not None:
            await self.hold.wait()
        self.open = True

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        assert self.open
        async for completion in super().generate(request):
            yield completion


async def test_two_runtimes_know_nothing_of_each_other(tmp_path: Path) -> None:
    async with Runtime(sandbox="none", verifier=Long(), n=2, bank=tmp_path / "two.sqlite") as two:
        async with Runtime(sandbox="none", verifier=Long(), n=2, bank=tmp_path / "one.sqlite") as one:
            first, second = await asyncio.gather(one.search(QUESTION), two.search(QUESTION))
            mine, theirs = (set(map(id, made.composed().engines.values())) for made in (one, two))
            assert not mine & theirs
        # Each paid for its samples: nothing came from the other.
        assert first.usage["policy"].generated_tokens == second.usage["policy"].generated_tokens > 0
        assert first.answer == second.answer
        # The end of one is nothing to the other, whose bank knows the samples by now.
        again = await two.search(QUESTION)
        assert (again.answer, again.usage["policy"].generated_tokens) == (second.answer, 0)


@pytest.fixture
def nothing_left() -> Iterator[None]:
    before = left()
    yield
    for kept, now in zip(before, left(), strict=True):
        assert not now - kept, now - kept  # type: ignore[operator]


@pytest.mark.integration
@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("way", ["ends", "raises", "is cancelled"])
def test_closing_frees_threads_processes_and_files(way: str, tmp_path: Path) -> None:
    """With the embedded models, a bank, and the processes of the sandbox that the verifier's code runs in."""
    running = asyncio.Event()

    async def work() -> None:
        async with Runtime(bank=tmp_path / "bank.sqlite", n=1) as runtime:
            await runtime.search(QUESTION)
            threads, children, _ = left()
            assert any(thread.name == "tts-bank" for thread in threads)
            assert children
            running.set()
            if way == "raises":
                raise ZeroDivisionError
            if way == "is cancelled":
                await runtime.search("What is 17 * 24?", n=64)

    async def main() -> None:
        task, begun = asyncio.create_task(work()), asyncio.create_task(running.wait())
        await asyncio.wait((task, begun), return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        await asyncio.sleep(0)
        if way == "is cancelled":
            task.cancel()
        await task

    ends = {"ends": None, "raises": ZeroDivisionError, "is cancelled": asyncio.CancelledError}[way]
    if ends is None:
        asyncio.run(main())
    else:
        with pytest.raises(ends):
            asyncio.run(main())


@pytest.mark.integration
@pytest.mark.usefixtures("nothing_left")
def test_a_start_that_is_cancelled_while_a_model_loads_frees_it() -> None:
    async def main() -> None:
        async with Runtime(sandbox="none", verifier=Long(), n=1) as runtime:
            search = asyncio.create_task(runtime.search(QUESTION))
            await asyncio.sleep(0)  # it has begun: the checkpoint is read in a thread from here on
            await asyncio.sleep(0.01)
            search.cancel()
            await asyncio.gather(search, return_exceptions=True)
            assert search.cancelled()

    asyncio.run(main())


async def test_a_cancelled_start_can_be_made_again() -> None:
    engine = Closing(asyncio.Event())
    async with Runtime(sandbox="none", engines={"policy": engine}, verifier=Long(), n=1) as runtime:
        search = asyncio.create_task(runtime.search(QUESTION))
        await engine.starts.wait()
        search.cancel()
        await asyncio.gather(search, return_exceptions=True)
        assert (search.cancelled(), engine.open) == (True, False)
        assert engine.hold is not None
        engine.hold.set()
        assert (await runtime.search(QUESTION)).answer == "2"


async def test_a_strategy_object_runs_as_its_configuration_does() -> None:
    async with opened() as runtime:
        made = await runtime.search(QUESTION, search=BestOfN(n=3))
        named = await runtime.search(QUESTION, search="best_of_n")
        assert [one.answer for one in made.candidates] == [one.answer for one in named.candidates] == ["0", "1", "2"]
        assert made.answer == named.answer
