"""Verdicts that are made of other verdicts: of votes, of an ensemble's members, of a cascade's stages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tts.core import Verdict

Parts = Sequence[Verdict | None]
"""The state of such a verdict: what it was made of, None where the budget did not allow it or nobody was asked."""


def parts_of(verdict: Verdict | None, count: int = 0) -> Parts:
    """Returns what a verdict was made of; `count` times None where there is no verdict."""
    return (None,) * count if verdict is None else cast(Parts, verdict.state)
