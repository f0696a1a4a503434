"""Ends a run whose writer does not follow its format, before all of it is paid for."""

from __future__ import annotations

from tts.core.errors import RunError
from tts.core.rationale import IN_WORDS, Reason

_PATIENCE = 20
"""Rationales. After this many that are all of no use for the same reason, more are pointless."""


class Patience:
    """Gives up a writer whose first rationales are all of no use for the same reason."""

    def __init__(self) -> None:
        self._over = False
        self._reason: Reason | None = None
        self._alike = 0

    def ended(self, dropped: Reason | None) -> None:
        """Takes note of a rationale.

        Args:
            dropped: Why it is of no use, None if it is.

        Raises:
            RunError: It was the last of `_PATIENCE` that are alike.
        """
        self._over = self._over or dropped in (None, "limit") or (self._alike > 0 and dropped != self._reason)
        if self._over or dropped is None:
            return
        self._reason, self._alike = dropped, self._alike + 1
        if self._alike == _PATIENCE:
            raise RunError(
                f"the first {_PATIENCE} rationales are all of no use for the same reason, and no more were started: "
                f"{IN_WORDS[dropped]}; rationales.jsonl has what the model wrote: choose another model or writer, or "
                "raise its limits, and give that run its own folder (hydra.run.dir=...)"
            )
