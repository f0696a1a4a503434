"""What overrides, keywords and objects come to together; what they cannot be is in test_bad_input."""

from __future__ import annotations

from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from tests.runtime.own import Long, Writer
from tts.engines.scripted import ScriptedEngine
from tts.runtime.choices import choose


def test_the_same_said_twice_is_said_once() -> None:
    made = choose(("search.n=4", "search=beam"), {"n": 4, "search": "beam", "verifier": None})  # type: ignore[typeddict-item]
    assert made.overrides == ("search.n=4", "search=beam")


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
