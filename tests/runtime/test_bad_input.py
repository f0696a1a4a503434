"""What cannot work is one message before anything is computed, and loses nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from policies.base import BasePolicy
from search.best_of_n import BestOfN
from tests.runtime.parts import QUESTION, Judge, Writer, arguments, writing
from tts import Problem, Runtime, Solution, UserError, Verdict
from tts.core import SearchResult
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.verifier import Verifier
from tts.engines.scripted import ScriptedEngine
from verifiers.base import BaseVerifier

ENGINE = ScriptedEngine(writing)


async def refused(*overrides: str, **changes: Any) -> str:
    """Returns the message of a search that is refused, and makes sure that it is one, and came before any compute."""
    given = arguments(**changes)
    async with Runtime() as runtime:
        with pytest.raises(UserError) as caught:
            await runtime.search(QUESTION, *overrides, **given)
        with pytest.raises(UserError, match=re.escape(str(caught.value))):
            await anext(runtime.stream(QUESTION, *overrides, **given))
    assert getattr(given.get("policy"), "written", 0) == 0
    return str(caught.value)


class Synchronous(BaseVerifier):
    def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((1.0,))


class Bare:
    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((1.0,))


class Uncounted:
    """A strategy without `samples`."""

    needs = BestOfN(1).needs
    verifies = True

    async def search(self, problem: Problem, policy: Policy, verifier: Verifier, grader: Grader) -> SearchResult:
        raise AssertionError("nothing is searched")

    def token_bound(self, policy: Policy) -> int | None:
        return None


class Broken(BaseVerifier):
    @property
    def votes(self) -> int:  # type: ignore[override]
        return {}["votes"]

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        return Verdict((1.0,))


class Eager(BasePolicy):
    """Policies whose `solutions` are of the wrong kind."""

    def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> Any:
        yield Solution("x", ("x",), "stop")


class Returning(BasePolicy):
    async def solutions(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> Any:
        return [Solution("x", ("x",), "stop")]


class Older(Judge):
    lacks = ("critiques",)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"verifier": Synchronous()}, "verifier (Synchronous): verify is not `async def`;"),
        ({"verifier": Bare()}, "verifier (Bare): traits is missing; votes is missing; token_bound is missing; check is"),
        ({"verifier": Broken()}, "verifier (Broken): votes cannot be read (KeyError: 'votes');"),
        ({"verifier": Older()}, "verifier (Older): lacks: no longer read; declare it in `traits`"),
        ({"verifier": Judge}, "verifier: Judge is a class, and an object is needed: Judge(...)"),
        ({"verifier": 7}, "verifier (int): verify is missing"),
        ({"policy": Eager()}, "policy (Eager): solutions is not `async def`;"),
        ({"policy": Returning()}, "policy (Returning): solutions is a coroutine, and must yield"),
        ({"search": Uncounted()}, "search (Uncounted): samples is missing; derive from search.base.BaseStrategy"),
        ({"search": BestOfN}, "search: BestOfN is a class, and an object is needed: BestOfN(...)"),
        ({"seed": "7"}, "seed=7: a whole number is needed, not a text"),
        ({"grading": object()}, "grading (object): runs_code is missing"),
        ({"n": 8}, "n=8: search is an object with its own settings (BestOfN)"),
        ({"votes": 3}, "votes=3: verifier is an object with its own settings (Judge)"),
        ({"engines": {"policy": ScriptedEngine(writing)}}, "engines['policy'] contradicts policy=Writer(...)"),
        ({"verifier": "genrpm"}, "verifier=genrpm: no such option; did you mean genrm?"),
        ({"verifer": Judge()}, "verifer: no such argument; did you mean 'verifier'?"),
        ({"nonsense": 1}, "nonsense: no such argument; there are task, policy, verifier, search, grading"),
        ({"search": None, "n": "many"}, "n=many: a whole number is needed, not a text"),
        ({"search": None, "n": True}, "n=true: a whole number is needed"),
        ({"search": None, "n": 0}, "search.n=0: at least 1 is needed"),
        ({"seed": 1.5}, "seed=1.5: a whole number is needed, not a decimal number"),
        ({"sandbox": object()}, "sandbox=object: a text is needed"),
        ({"budget": 5}, "budget=5: a mapping is needed"),
        ({"budget": {"tokns": 5}}, "budget.problem.tokns: no such setting; did you mean budget.problem.tokens?"),
        ({"budget": {"tokens": "many"}}, "budget.tokens=many: a number is needed, not a text"),
        ({"engines": ScriptedEngine(writing)}, "engines=ScriptedEngine: a mapping is needed"),
        ({"policy": None, "engines": {"policy": ScriptedEngine}}, "engines['policy']: ScriptedEngine is a class"),
        ({"policy": None, "engines": {"policy": object()}}, "engines['policy'] (object): name is missing"),
        ({"policy": None, "engines": {"polcy": ENGINE}}, "engines['polcy']: nothing of this name asks an engine"),
        (
            {"policy": None, "verifier": "always_correct", "engines": {"verifier": ENGINE}},
            "engines['verifier']: nothing of this name asks an engine; there are policy",
        ),
    ],
)  # fmt: skip
async def test_an_argument_that_cannot_be(changes: dict[str, Any], says: str) -> None:
    assert says in await refused(**changes)


@pytest.mark.parametrize(
    ("overrides", "changes", "says"),
    [
        (["search.n=4"], {"search": "best_of_n", "n": 8}, "n=8 contradicts 'search.n=4'; give one of them"),
        (["++search.n=4"], {"search": "best_of_n", "n": 8}, "n=8 contradicts '++search.n=4'; give one of them"),
        (["verifier=thinkprm"], {"verifier": "genprm"}, "verifier='genprm' contradicts 'verifier=thinkprm'"),
        (["verifier=thinkprm"], {}, "'verifier=thinkprm' contradicts verifier=Judge(...), an object with its own settings"),
        (["verifier.votes=2"], {}, "'verifier.votes=2' contradicts verifier=Judge(...), an object with its own settings"),
        (["engine@policy.engine=simulated"], {}, "'engine@policy.engine=simulated' contradicts policy=Writer(...)"),
        (
            ["policy.engine.model=x"],
            {"policy": None, "engines": {"policy": ENGINE}},
            "'policy.engine.model=x' contradicts engines['policy'], which is a ScriptedEngine",
        ),
        (["serch.n=4"], {}, "serch.n: no such setting; did you mean search.n?"),
        (["+serch.n=4"], {}, "serch.n: no such setting; did you mean search.n?"),
        (["search.nn=4"], {"search": None}, "search.nn: no such setting; did you mean search.n?"),
        (["search.n"], {"search": None}, "'search.n': not an override; they are written as"),
        (["search=mcts"], {"search": None, "n": 4}, "search.n: no such setting; "),
        (["search=beem"], {"search": None}, "search=beem: no such option; did you mean beam?"),
        (["sandbox=nne"], {"sandbox": None}, "sandbox=nne: no such option; did you mean none?"),
        (["search.n=1,2"], {"search": None}, "'search.n=1,2': a sweep over several values is only for the command line"),
        (["search.n=[1"], {"search": None}, "'search.n=[1': not an override; they are written as"),
        (["clock=virtual"], {}, "clock=virtual: this event loop runs in real time; tts.search and"),
        (["clock=slow"], {}, "clock=slow: choose one of real, virtual"),
        (["verifier=cascade", "verifier.unsure=some"], {"verifier": None}, "verifier.unsure=some: a list of 2 numbers"),
    ],
)  # fmt: skip
async def test_arguments_that_contradict_each_other_or_name_nothing(
    overrides: list[str], changes: dict[str, Any], says: str
) -> None:
    assert says in await refused(*overrides, **changes)


async def test_a_value_may_hold_what_the_grammar_of_overrides_lacks() -> None:
    async with Runtime() as runtime:
        made = runtime.composed("bank.path=/tmp/a b (c)~/x.sqlite", "sandbox=none")
        assert made.config["bank"]["path"] == "/tmp/a b (c)~/x.sqlite"


async def test_an_override_that_is_no_text() -> None:
    assert "an override is a text such as 'search.n=8'; pass objects by keyword" in await refused(Judge())  # type: ignore[arg-type]


@pytest.mark.parametrize("problem", ["", "  ", 7, None, ["What?"]])
async def test_a_problem_that_is_none(problem: Any) -> None:
    async with Runtime() as runtime:
        with pytest.raises(UserError, match=r"a question as text, or a tts\.Problem"):
            await runtime.search(problem, **arguments())
        with pytest.raises(UserError, match=r"a question as text, or a tts\.Problem"):
            await anext(runtime.stream(problem, **arguments()))


@pytest.mark.parametrize(
    ("own", "call", "n", "score"),
    [
        # The call's own go before what holds for all, however either says it.
        ({"search": "best_of_n", "n": 1}, {"n": 3}, 3, 0.9),
        ({"search": "best_of_n", "n": 1}, {"overrides": ["search.n=3"]}, 3, 0.9),
        ({"search": "best_of_n", "overrides": ["search.n=1"]}, {"n": 3}, 3, 0.9),
        ({"search": "best_of_n", "n": 1}, {"search": BestOfN(3)}, 3, 0.9),
        ({"search": BestOfN(1)}, {"search": "best_of_n", "n": 3}, 3, 0.9),
        ({"search": BestOfN(2), "verifier": "genprm", "votes": 5}, {"verifier": Judge(0.4)}, 2, 0.4),
        ({"search": BestOfN(2), "verifier": None, "overrides": ["verifier=genprm"]}, {"verifier": Judge(0.4)}, 2, 0.4),
        ({"search": BestOfN(2), "verifier": None, "overrides": ["verifier.votes=5"]}, {"verifier": Judge(0.4)}, 2, 0.4),
        ({"search": BestOfN(2), "verifier": Judge(0.4)}, {"verifier": "always_correct"}, 2, 1.0),
        ({"search": BestOfN(2), "engines": {"policy": ENGINE}, "policy": None}, {"policy": Writer()}, 2, 0.9),
    ],
)  # fmt: skip
async def test_what_a_call_says_goes_before_what_holds_for_all(
    own: dict[str, Any], call: dict[str, Any], n: int, score: float
) -> None:
    own = arguments(**{"search": None, **own})
    call = dict(call)
    async with Runtime(*own.pop("overrides", ()), **own) as runtime:
        result = await runtime.search(QUESTION, *call.pop("overrides", ()), **call)
    assert [candidate.score for candidate in result.candidates] == [score] * n


async def test_a_setting_of_what_is_an_object_for_all_is_refused() -> None:
    async with Runtime(**arguments()) as runtime:
        with pytest.raises(UserError, match=r"'verifier\.votes=3' contradicts verifier=Judge"):
            await runtime.search(QUESTION, votes=3)
    with pytest.raises(UserError, match=r"n=8 contradicts 'search\.n=4'"):
        Runtime("search.n=4", n=8)
    with pytest.raises(UserError, match="sede: no such argument; did you mean 'seed'"):
        Runtime(sede=4)  # type: ignore[call-arg]
