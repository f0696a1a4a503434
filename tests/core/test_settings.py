"""Settings: what a constructor demands of its arguments, and how a refusal reads, in a program and in a configuration."""

from __future__ import annotations

import math
import pickle
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen
from hypothesis import given
from hypothesis import strategies as st

from tts.config.build import build
from tts.core.settings import (
    Must,
    NonNegativeFloat,
    OneOf,
    PositiveInt,
    Probability,
    SettingError,
    Text,
    inside,
    refused,
    settings,
)

RULES = {"argmax": max, "weighted_vote": sum, "majority": len}


@settings
class Part:
    def __init__(
        self,
        n: PositiveInt = 1,
        share: Probability = 0.5,
        scale: NonNegativeFloat = 1.0,
        final: Literal["value", "visits"] = "value",
        rule: Annotated[str, OneOf(RULES)] | None = None,
        names: Sequence[str] = (),
        band: tuple[Probability, Probability] | None = None,
        weights: Mapping[str, NonNegativeFloat] | None = None,
        label: Text = "x",
        prompt: Annotated[str, Must(lambda text: "{question}" in text, "put {question} into it")] = "{question}",
        deep: bool = False,
        child: object = None,
        children: Mapping[str, object] | None = None,
    ) -> None:
        if n == 13:
            raise refused("n", n, "it brings bad luck")
        self.n, self.band, self.child, self.children = n, band, child, children


class Mine(Part):
    """A user's subclass: it declares nothing of what it hands on."""

    def __init__(self, extra: int = 1, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.extra = extra


class Further(Mine):
    def __init__(self, *, sandbox: object, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.sandbox = sandbox


class Closed(Part):
    """Hands nothing on, and so takes what it says alone."""

    def __init__(self, extra: int = 1) -> None:
        super().__init__()


@settings
@dataclass(frozen=True)
class Value:
    size: PositiveInt
    name: str = "x"


PART, MINE, FURTHER, CLOSED = ({"_target_": f"{__name__}.{kind}"} for kind in ("Part", "Mine", "Further", "Closed"))


def message(**values: object) -> str:
    with pytest.raises(SettingError) as caught:
        Part(**values)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"n": 0}, "n=0: at least 1 is needed (Part)"),
        ({"n": "many"}, "n=many: a whole number is needed, not a text (Part)"),
        ({"n": 1.5}, "n=1.5: a whole number is needed, not a decimal number (Part)"),
        ({"n": True}, "n=true: a whole number is needed (Part)"),
        ({"n": None}, "n=null: a whole number is needed (Part)"),
        ({"share": 2}, "share=2: at least 0 and at most 1 is needed (Part)"),
        ({"share": False}, "share=false: a number is needed (Part)"),
        ({"scale": math.inf}, "scale=inf: at least 0 and finite is needed (Part)"),
        ({"scale": 10**400}, f"scale=1{'0' * 58}…: at least 0 and finite is needed (Part)"),
        ({"final": "vists"}, "final=vists: did you mean 'visits'? choose one of value, visits (Part)"),
        ({"rule": "zzz"}, "rule=zzz: choose one of argmax, weighted_vote, majority, or null (Part)"),
        ({"rule": 3}, "rule=3: a text or null is needed, not a whole number (Part)"),
        ({"names": "Yes"}, "names=Yes: a list of texts is needed, not a text (Part)"),
        ({"names": ["Yes", 1]}, "names[1]=1: a text is needed, not a whole number (Part)"),
        ({"band": [0.2]}, "band=[0.2]: a list of 2 numbers or null is needed (Part)"),
        ({"band": [0.2, 3]}, "band[1]=3: at least 0 and at most 1 is needed (Part)"),
        ({"weights": 3}, "weights=3: a mapping or null is needed, not a whole number (Part)"),
        ({"weights": {"a": 1, "b": -1}}, "weights.b=-1: at least 0 and finite is needed (Part)"),
        ({"label": ""}, "label='': it must not be empty (Part)"),
        ({"prompt": "solve it"}, "prompt='solve it': put {question} into it (Part)"),
        ({"deep": "yes"}, "deep=yes: true or false is needed, not a text (Part)"),
        ({"n": 13}, "n=13: it brings bad luck (Part)"),
    ],
)  # fmt: skip
def test_a_refusal_names_setting_value_and_remedy(values: dict[str, object], says: str) -> None:
    assert message(**values) == says


@given(st.integers() | st.floats() | st.text() | st.booleans() | st.none() | st.lists(st.integers()))
def test_a_value_is_taken_where_it_fits_type_and_bounds_and_refused_elsewhere(value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "n": isinstance(value, int) and number and value >= 1 and value != 13,
        "share": number and 0 <= value <= 1,  # type: ignore[operator]
        "scale": number and 0 <= value < math.inf,  # type: ignore[operator]
        "deep": isinstance(value, bool),
        "label": isinstance(value, str) and value != "",
        "names": value == [],
    }
    for name, right in fits.items():
        if right:
            Part(**{name: value})  # type: ignore[arg-type]
        else:
            assert message(**{name: value}).startswith(name)


BOUNDS = [(Ge, "at least"), (Gt, "more than"), (Le, "at most"), (Lt, "less than")]


@given(st.sampled_from(BOUNDS), st.integers(), st.integers())
def test_any_bound_is_told(kind: tuple[type, str], bound: int, value: int) -> None:
    constraint, words = kind

    @settings
    class Bounded:
        def __init__(self, value: object) -> None: ...

    Bounded.__init__.__wrapped__.__annotations__["value"] = Annotated[int, constraint(bound)]  # type: ignore[attr-defined]
    holds = {Ge: value >= bound, Gt: value > bound, Le: value <= bound, Lt: value < bound}[constraint]
    if holds:
        Bounded(value)
    else:
        with pytest.raises(SettingError, match=rf"^value={value}: {words} {bound} is needed"):
            Bounded(value)


@given(st.lists(st.text(string.ascii_lowercase, min_size=1), min_size=1, max_size=5))
def test_a_nested_setting_is_named_by_its_whole_path(names: list[str]) -> None:
    wrong: dict[str, object] = {**PART, "n": 0}
    for name in reversed(names):
        wrong = {**PART, "children": {name: wrong}}
    with pytest.raises(SettingError) as caught:
        build(wrong, "verifier")
    path = "".join(f".children.{name}" for name in names)
    assert str(caught.value) == f"verifier{path}.n=0: at least 1 is needed"


@given(st.sampled_from(sorted(RULES)), st.data())
def test_the_nearest_spelling_is_offered(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    wrong = name[:place] + name[place + 1 :]
    assert f"did you mean '{name}'?" in message(rule=wrong)


@pytest.mark.parametrize("config", [MINE, {**FURTHER}])
def test_a_subclass_takes_what_it_hands_on(config: dict[str, object]) -> None:
    made = build({**config, "n": 3, "extra": 2}, "verifier", {"sandbox": "here"})
    assert (made.n, made.extra) == (3, 2)
    with pytest.raises(SettingError, match=r"^verifier\.n=0: at least 1 is needed$"):
        build({**config, "n": 0}, "verifier", {"sandbox": "here"})
    with pytest.raises(SettingError, match=r"^verifier\.shar: no such setting; did you mean 'share'\?$"):
        build({**config, "shar": 0}, "verifier", {"sandbox": "here"})


def test_what_is_provided_reaches_a_subclass_and_what_is_missing_is_named() -> None:
    # `child` is handed on to the base class, `sandbox` is the subclass's own.
    made = build({**FURTHER}, "verifier", {"sandbox": "here", "child": "there", "unknown": 1})
    assert (made.sandbox, made.child) == ("here", "there")
    with pytest.raises(SettingError, match=r"^verifier: set verifier\.sandbox=\.\.\.$"):
        build({**FURTHER}, "verifier")


def test_a_subclass_that_hands_nothing_on_takes_its_own_alone() -> None:
    with pytest.raises(SettingError, match=r"^verifier\.n: no such setting; it takes extra$"):
        build({**CLOSED, "n": 1}, "verifier")


def test_a_program_is_told_the_class_that_it_made() -> None:
    with pytest.raises(SettingError, match=r"^n=0: at least 1 is needed \(Further\)$"):
        Further(sandbox=None, n=0)
    with pytest.raises(SettingError, match=r"^size=0: at least 1 is needed \(Value\)$"):
        Value(0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'nn'"):
        Part(nn=1)  # type: ignore[call-arg]


def test_a_list_becomes_a_tuple_where_that_is_declared() -> None:
    assert build({**PART, "band": [0, 1]}, "search").band == (0, 1)


def test_a_part_that_is_no_object_is_refused() -> None:
    @settings
    class Holder:
        def __init__(self, value: object, most: object) -> None: ...

    annotations = Holder.__init__.__wrapped__.__annotations__  # type: ignore[attr-defined]
    annotations |= {"value": Value, "most": Annotated[list[int], MinLen(1), MaxLen(2), Interval()]}
    with pytest.raises(SettingError, match=r"^value=x: a Value is needed, not a text"):
        Holder("x", [1])
    with pytest.raises(SettingError, match=r"^most=\[1, 2, 3\]: at most 2 entries are allowed"):
        Holder(Value(1), [1, 2, 3])
    Holder(object(), [1, 2])  # what stands in for a part need not say so


def test_paths_grow_from_inside_out_and_survive_a_process_border() -> None:
    with pytest.raises(SettingError) as caught, inside("verifier"), inside("grammar"):
        Part(weights={"a": -1})
    copied = pickle.loads(pickle.dumps(caught.value))
    assert str(copied) == str(caught.value) == "verifier.grammar.weights.a=-1: at least 0 and finite is needed"
    assert copied.setting == "verifier.grammar.weights.a"
