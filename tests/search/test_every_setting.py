"""What every strategy in `conf/search` says of a setting that cannot be."""

from __future__ import annotations

import math
import typing
from typing import Literal

import pytest

from tests.search.every import NODES, parameters, strategy
from tts.core.constraints import Read
from tts.core.errors import UserError
from tts.core.settings import OneOf


def parts(annotation: object) -> set[object]:
    """Returns an annotation with all that stands in it."""
    inside = typing.get_args(annotation)
    return {typing.get_origin(annotation) or annotation}.union(*map(parts, inside)) if inside else {annotation}


def settings_of(name: str, *kinds: object) -> list[tuple[str, str]]:
    """Returns the strategy with each of its settings, but lists, that are of one of these types."""
    found = {key: parts(p.annotation) for key, p in parameters(name).items() if key != "seed"}
    single = {key: own for key, own in found.items() if tuple not in own}
    return [(name, key) for key, own in single.items() if any(part in kinds or type(part) in kinds for part in own)]


NUMBERS = [pair for name in NODES for pair in settings_of(name, int)]
SHARES = [pair for name in NODES for pair in settings_of(name, float)]
CHOICES = [pair for name in NODES for pair in settings_of(name, Literal, OneOf, Read)]
NONE_ALLOWED = {
    *(("beam", "lookahead"), ("dvts", "lookahead"), ("budget_forcing", "waits"), ("parallel_probe", "warmup")),
    *(("power_sampling", "moves"), ("orps", "rounds")),
}
ALLOWED = r"(at least|more than) 0?\.?\d+"


def test_there_is_something_to_check() -> None:
    assert {name for name, _ in NUMBERS} == set(NODES)
    assert {key for _, key in NUMBERS} >= {"n", "width", "simulations", "turns", "depth", "iterations", "parallel"}
    assert {key for _, key in SHARES} >= {"threshold", "temperature", "rollout", "exploration"}
    assert {key for _, key in CHOICES} >= {"aggregator", "selection", "rule", "order", "keep", "posterior", "potential"}


@pytest.mark.parametrize(("name", "key"), NUMBERS)
@pytest.mark.parametrize("number", [0, -1])
def test_no_count_is_below_one(name: str, key: str, number: int) -> None:
    if number == 0 and (name, key) in NONE_ALLOWED:
        strategy(name, **{key: number})
        return
    with pytest.raises(UserError, match=rf"^search\.{key}={number}: .*({ALLOWED})"):
        strategy(name, **{key: number})


@pytest.mark.parametrize(("name", "key"), SHARES)
@pytest.mark.parametrize("number", [math.nan, -0.5, math.inf])
def test_no_number_is_out_of_range(name: str, key: str, number: float) -> None:
    with pytest.raises(UserError, match=rf"^search\.{key}={number}: .*({ALLOWED})"):
        strategy(name, **{key: number})


@pytest.mark.parametrize(("name", "key"), CHOICES)
def test_a_rule_that_nobody_knows_is_named_with_those_that_there_are(name: str, key: str) -> None:
    with pytest.raises(UserError, match=rf"^search\.{key}=loudest: .*choose one of \w+, \w+"):
        strategy(name, **{key: "loudest"})


@pytest.mark.parametrize("name", [name for name in NODES if {"n", "width"} <= set(NODES[name])])
@pytest.mark.parametrize(("n", "width"), [(6, 4), (2, 4), (1, 2)])
def test_n_is_a_multiple_of_the_width(name: str, n: int, width: int) -> None:
    """Also where n is less than the width, which other programs take for "keep all"."""
    with pytest.raises(UserError, match=rf"^search\.n={n}: n must be a multiple of width={width}, such as"):
        strategy(name, n=n, width=width)
