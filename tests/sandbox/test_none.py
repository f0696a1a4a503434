from __future__ import annotations

import pytest

from tts.core.errors import UserError
from tts.sandbox.none import NoExecution


async def test_nothing_is_run() -> None:
    sandbox = NoExecution()
    await sandbox.start()
    assert not sandbox.executes
    assert sandbox.layers == ()
    with pytest.raises(UserError, match="'sandbox=none' cannot run code"):
        await sandbox.run("print(1)")
    with pytest.raises(UserError, match="'sandbox=none' cannot run code"):
        sandbox.chain()
    await sandbox.close()
