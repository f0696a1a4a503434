"""Policies, verifiers and engines that give what they should not, and what only looks as if it could not work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from policies.base import BasePolicy
from tests import program
from tests.runtime.holder import CHATML
from tests.runtime.parts import QUESTION, Writer, arguments, writing
from tts import Problem, ProblemError, Runtime, Solution, UserError, Verdict
from tts.engines.scripted import ScriptedEngine
from verifiers.base import BaseVerifier

ROOT = Path(__file__).resolve().parents[2]


class Anonymous:
    """An engine that keeps to the interface and cannot say what its samples depend on."""

    def __init__(self) -> None:
        self._inner = ScriptedEngine(writing)
        self.name, self.parameters, self.capacity = "anonymous", None, 8
        self.start, self.generate, self.count_tokens = self._inner.start, self._inner.generate, self._inner.count_tokens
        self.render, self.close = self._inner.render, self._inner.close


class Saying(BaseVerifier):
    """Gives back what it was made with, be it a verdict or not."""

    def __init__(self, said: object) -> None:
        self.said = said

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Any:
        return self.said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            [0.9],
            r"the verifier Saying returned \[0\.9\] \(list\): a tts\.Verdict is needed, such as Verdict\(\(0\.9, 0\.2\)\)",
        ),
        (None, "the verifier Saying returned None: a tts.Verdict is needed"),
        (list(range(10**6)), r"^.{,200}$"),
        (Verdict(0.9), r"the verifier Saying returned scores=0.9 \(float\): a tuple is needed"),  # type: ignore[arg-type]
        (Verdict(("good",)), r"returned the score 'good' \(str\): a score is a finite number or None"),  # type: ignore[arg-type]
        (Verdict((np.float32(0.5),)), r"returned the score .*0\.5.* \(float32\): a score is a finite number"),  # type: ignore[arg-type]
        (Verdict((float("nan"),)), "returned the score nan: a score is a finite number"),
        (Verdict((0.1, 0.2, 0.3)), "returned 3 scores for a solution of 1 steps"),
    ],
)
async def test_a_verifier_that_gives_no_verdict_is_named_with_what_it_gave(said: object, message: str) -> None:
    async with Runtime() as runtime:
        with pytest.raises(ProblemError, match=message):
            await runtime.search(QUESTION, **arguments(verifier=Saying(said)))
        # It costs its search alone.
        assert (await runtime.search(QUESTION, **arguments())).answer == "408"


async def test_a_policy_that_gives_no_solution_is_named_with_what_it_gave() -> None:
    class Texts(BasePolicy):
        async def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> Any:
            yield "The answer is 4."

    async with Runtime() as runtime:
        with pytest.raises(
            ProblemError, match=r"the policy Texts yielded 'The answer is 4\.' \(str\): a tts\.Solution is needed"
        ):
            await runtime.search(QUESTION, **arguments(policy=Texts()))


async def test_an_engine_without_identity_is_refused_where_there_is_a_bank_and_only_there(tmp_path: Path) -> None:
    given = arguments(policy=None, engines={"policy": Anonymous()})
    async with Runtime(*CHATML) as runtime:
        with pytest.raises(UserError) as caught:
            await runtime.search(QUESTION, bank=tmp_path / "it's a bank.sqlite", **given)
        assert "policy.engine (Anonymous) has no method identity()" in str(caught.value)
        assert "or set bank=None" in str(caught.value)
        assert (await runtime.search(QUESTION, **given)).candidates


def decorated(
    verify: Callable[..., Awaitable[Verdict]],
) -> Callable[..., Awaitable[Verdict]]:
    @wraps(verify)
    def outer(*args: Any, **kwargs: Any) -> Awaitable[Verdict]:
        return verify(*args, **kwargs)

    return outer


async def test_what_only_looks_synchronous_is_taken() -> None:
    class Decorated(BaseVerifier):
        @decorated
        async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
            return Verdict((0.5,))

    class Handing(Writer):
        """`solutions` is no generator itself, and gives one."""

        def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> Any:
            return super().solutions(problem, prefix, n, first)

    async with Runtime() as runtime:
        result = await runtime.search(QUESTION, **arguments(verifier=Decorated(), policy=Handing()))
    assert [candidate.score for candidate in result.candidates] == [0.5, 0.5]


PLUG_IN = """
from verifiers.base import BaseVerifier
from tts import Verdict

class Synchronous(BaseVerifier):
    def verify(self, problem, solution, prior=None):
        return Verdict((1.0,))

class Bare:
    async def verify(self, problem, solution, prior=None):
        return Verdict((1.0,))
"""


@pytest.mark.integration
@pytest.mark.parametrize("module", ["tts", "tts.judge"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Synchronous", "verifier (Synchronous): verify is not `async def`"),
        ("Bare", "verifier (Bare): traits is missing"),
    ],
)
def test_the_command_line_says_so_in_a_dry_run(tmp_path: Path, module: str, name: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(PLUG_IN, "utf-8")
    labelled = tmp_path / "labelled.json"
    labelled.write_text('[{"id": "a", "problem": "?", "steps": ["1"], "label": -1}]', "utf-8")
    task = [f"task.path={labelled}"] if module == "tts.judge" else []
    plug_in = ["dry_run=true", "verifier=always_correct", f"verifier._target_=mine.{name}"]
    done = program.run("-m", module, *plug_in, *task, folder=tmp_path)
    said = done.stdout + done.stderr
    assert (done.returncode, said.count("error:"), "Traceback" in said) == (2, 1, False), said
    assert says in said
