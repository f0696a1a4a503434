from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tts.core.errors import UserError
from tts.sandbox.jail import Jail


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def jail() -> AsyncIterator[Jail]:
    """A jail with the best layers there are, for tests in which nothing times out."""
    sandbox = Jail(workers=2, timeout=30.0, memory_mb=256)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def hasty() -> AsyncIterator[Jail]:
    """A jail for tests in which something times out."""
    sandbox = Jail(workers=4, timeout=1.5, memory_mb=256)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package", params=["namespaces", "landlock", "seccomp"])
async def every_jail(request: pytest.FixtureRequest) -> AsyncIterator[Jail]:
    """A jail of each mode that this machine allows."""
    sandbox = Jail(mode=request.param, workers=1, timeout=30.0)
    try:
        await sandbox.start()
    except UserError as error:
        pytest.skip(str(error))
    yield sandbox
    await sandbox.close()
