"""Async tests of this folder run in virtual time, except those that are marked as starting something real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tts.concurrency.virtual_clock import VirtualLoop

Factory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Factory]:
    return {"real": asyncio.new_event_loop} if item.get_closest_marker("integration") else {"virtual": VirtualLoop}
