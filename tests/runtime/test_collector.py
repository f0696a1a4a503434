"""The garbage collector is as before once the runtime that adjusted it is closed; what a program adjusted stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tts.runtime.collector import Collector


@pytest.fixture
def usual() -> Iterator[None]:
    """Python's own settings, instead of those that all tests have."""
    threshold = gc.get_threshold()
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    yield
    gc.freeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("usual")
def test_it_looks_less_often_until_the_runtime_that_adjusted_it_is_closed() -> None:
    exempted = gc.get_freeze_count()
    first, second = Collector(), Collector()
    for collector in (first, first, second):
        collector.settle()
        assert gc.get_freeze_count() > exempted
        assert gc.get_threshold()[0] > 700
    for collector in (first, second, second):
        collector.restore()
        assert gc.get_threshold() == (700, 10, 10)
        assert gc.get_freeze_count() == exempted


def test_a_program_that_has_adjusted_it_has_its_way() -> None:
    threshold = gc.get_threshold()
    gc.set_threshold(1_000_000)
    before, exempted = gc.get_threshold(), gc.get_freeze_count()
    collector = Collector()
    for adjust in (collector.settle, collector.restore):
        # New objects, which would be exempted, too.
        held = [object() for _ in range(3)], [[] for _ in range(1000)]
        adjust()
        assert gc.get_threshold() == before
        # Other threads may free what is exempted meanwhile; nothing is exempted anew, and not everything taken back.
        assert exempted // 2 <= gc.get_freeze_count() <= exempted
        del held
    gc.set_threshold(*threshold)
