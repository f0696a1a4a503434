"""Servers for the tests that need no settings of their own: composing models takes a second, a process several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from tests.serve.caller import Served
    from tests.serve.process import Process


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def shared_server() -> AsyncIterator[Served]:
    from tests.serve.caller import serving  # the modules of the tests are skipped where the extra is missing

    async with serving() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="package")
async def server(shared_server: Served) -> Served:
    """The shared server, as if nobody had asked it before."""
    shared_server.engine.requests.clear()
    shared_server.engine.begun.clear()
    shared_server.engine.free.set()
    return shared_server


@pytest.fixture(scope="package")
def embedded() -> Iterator[Process]:
    """The command, with the embedded models."""
    from tests.serve.process import Process

    served = Process()
    yield served
    assert served.end() == 0, "".join(served.lines)
    assert "Traceback" not in "".join(served.lines)
