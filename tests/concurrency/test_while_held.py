"""Values that live as long as one of the keys that they were given for."""

from __future__ import annotations

import gc
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tts.concurrency.while_held import WhileHeld
from tts.core import Problem


@dataclass(frozen=True)
class Key:
    name: int


class Value:
    pass


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=40))
def test_equal_keys_share_a_value_exactly_while_one_of_them_lives(steps: list[tuple[bool, int]]) -> None:
    values: WhileHeld[Key, Value] = WhileHeld(Value)
    held: dict[int, list[Key]] = {name: [] for name in range(3)}
    expected: dict[int, int] = {}
    for asks, name in steps:
        if asks:
            key = Key(name)
            value = values[key]
            assert value is values[key]
            assert expected.setdefault(name, id(value)) == id(value)
            held[name].append(key)
            del key, value
        elif held[name]:
            held[name].pop(0)  # the one that was there first dies first
            if not held[name]:
                del expected[name]
        assert len(values) == sum(bool(keys) for keys in held.values())


def test_it_does_not_grow_with_the_problems_of_a_run() -> None:
    values: WhileHeld[Problem, Value] = WhileHeld(Value)
    for number in range(10_000):
        problem = Problem(str(number), "?")
        again = Problem(str(number), "?")
        assert values[problem] is values[again]
    del problem, again
    gc.collect()
    assert len(values) == 0
