"""The clocks that a run can go by."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from tts.concurrency.virtual_clock import VirtualLoop

CLOCKS: Mapping[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"real": None, "virtual": VirtualLoop}
"""Event loops by the setting `clock`; None for asyncio's own."""
