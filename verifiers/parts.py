"""Verdicts composed of other verdicts: of votes, an ensemble's members or a cascade's stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tts.core import Verdict

Parts = Sequence[Verdict | None]
"""The state of such a verdict: its parts, None where the budget did not allow one or it was not needed."""


def parts_of(verdict: Verdict | None, count: int = 0) -> Parts:
    """Returns the parts of a verdict; `count` times None if there is no verdict."""
    return (None,) * count if verdict is None else cast(Parts, verdict.state)
