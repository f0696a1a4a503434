"""What a caller chooses by overrides, keywords and objects: what goes together, and which goes before."""

from __future__ import annotations

from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from search.beam import Beam
from search.best_of_n import BestOfN
from tests.runtime.own import Long, Writer
from tts import UserError
from tts.engines.scripted import ScriptedEngine
from tts.runtime.choices import choose

BEST, BEAM = BestOfN(n=2), Beam(n=4, width=2)


@pytest.mark.parametrize(
    ("overrides", "arguments", "says"),
    [
        (["search.n=4"], {"n": 8}, "n=8 contradicts 'search.n=4'; give one of them"),
        (["search.n=4", "search.n=8"], {}, "'search.n=8' contradicts 'search.n=4'; give one of them"),
        (["search=beam"], {"search": "mcts"}, "search='mcts' contradicts 'search=beam'"),
        (["verifier=genprm"], {"verifier": Long()}, "'verifier=genprm' contradicts verifier=Long(...)"),
        (["+verifier.votes=3"], {"verifier": Long()}, "'+verifier.votes=3' contradicts verifier=Long(...)"),
        (["engine@verifier.engine=vllm"], {"verifier": Long()}, "'engine@verifier.engine=vllm' contradicts verifier="),
        ([], {"search": BEST, "n": 8}, "n=8: search is an object with its own settings (BestOfN)"),
        ([], {"verifier": Long(), "votes": 3}, "votes=3: verifier is an object with its own settings (Long)"),
        (["budget.problem.tokens=5"], {"budget": {"tokens": 6}}, "budget['tokens']=6 contradicts 'budget.problem"),
        ([], {"serch": "beam"}, "serch: no such argument; did you mean 'search'?"),
        ([], {"zzz": 1}, "zzz: no such argument; there are task, policy, verifier, search"),
        ([], {"search": "beam n=4"}, "search='beam n=4': the name of an option is needed"),
        ([], {"verifier": ""}, "verifier='': the name of an option is needed"),
        ([BEST], {}, "an override is a text such as 'search.n=8'; objects go by keyword"),
        ([], {"verifier": Long}, "verifier: Long is a class, and an object is needed: Long(...)"),
        ([], {"policy": Long()}, "splits is missing; solutions is missing; steps is missing"),
    ],
)
def test_what_contradicts_itself_is_one_message(overrides: Any, arguments: Any, says: str) -> None:
    with pytest.raises(UserError) as caught:
        choose(overrides, arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_same_said_twice_is_said_once() -> None:
    made = choose(("search.n=4", "search=beam"), {"n": 4, "search": "beam", "verifier": None})  # type: ignore[typeddict-item]
    assert made.overrides == ("search.n=4", "search=beam")


@pytest.mark.parametrize(
    ("own", "call", "overrides"),
    [
        ((["search.n=4"], {}), ([], {"n": 8}), ("search.n=8",)),
        (([], {"n": 4}), (["search.n=8"], {}), ("search.n=8",)),
        ((["seed=1"], {"n": 4}), (["+search.n=8"], {}), ("seed=1", "+search.n=8")),
        (([], {"verifier": "genprm"}), ([], {"verifier": "orm"}), ("verifier=orm",)),
        ((["search.width=2", "seed=1"], {"search": "beam", "n": 4}), ([], {"search": BEST}), ("seed=1",)),
        ((["engine@verifier.engine=vllm"], {}), ([], {"verifier": Long()}), ()),
        (([], {"search": BEST}), (["search=beam"], {}), ("search=beam",)),
        (([], {"search": BEST}), ([], {"search": BEAM}), ()),
        (([], {"search": BEST}), ([], {"votes": 3}), ("verifier.votes=3",)),
    ],
)
def test_a_call_goes_before_its_runtime(own: Any, call: Any, overrides: tuple[str, ...]) -> None:
    made = choose(*call).over(choose(*own))
    assert made.overrides == overrides
    chosen, kept = choose(*call).own(), choose(*own).own()
    by_name = {override.partition("=")[0] for override in choose(*call).overrides}
    assert made.own() == {**{group: part for group, part in kept.items() if group not in by_name}, **chosen}


def test_a_setting_of_the_runtime_s_object_is_refused() -> None:
    with pytest.raises(UserError, match=r"'search\.n=8' contradicts search=BestOfN"):
        choose((), {"n": 8}).over(choose((), {"search": BEST}))


def test_an_object_takes_the_place_of_an_engine_too() -> None:
    engines = {"policy": ScriptedEngine(lambda *_: ""), "verifier.of": ScriptedEngine(lambda *_: "")}
    own = choose((), {"engines": engines})
    assert set(choose((), {"verifier": Long()}).over(own).engines) == {"policy"}
    assert set(choose((), {"policy": Writer()}).over(own).engines) == {"verifier.of"}


@given(st.text(st.characters(blacklist_categories=("Cc", "Cs")), min_size=1))
@example("it's a \\'bank\\")
@example("a, b=c {d: [e]} # f \\\\' g")
def test_a_bank_s_path_arrives_as_it_is(path: str) -> None:
    (override,) = choose((), {"bank": path}).overrides
    assert OverridesParser.create().parse_override(override).value() == path
