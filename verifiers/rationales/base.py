"""What writers of rationales have in common."""

from __future__ import annotations

from tts.core import Conversation
from tts.core.rationale import Judged, Rationale, Reason, verdict_of
from tts.engines.generating import Engine


class BaseWriter:
    """A writer of rationales about whole solutions, which runs no code; subclasses define `write` and `preview`.

    The interface is `tts.core.rationale.Writer`.
    """

    by_step: bool = False
    runs_code: bool = False

    def token_bound(self, steps: int) -> int | None:
        """Returns None: there is no bound."""
        return None

    def check(self) -> None:
        """Does nothing: there is no configuration to check."""


class Unusable(Exception):  # noqa: N818  the writer's fault, not this program's
    """A text is of no use as a rationale; holds the reason."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def dropped(asked: Conversation, text: str, reason: Reason) -> Rationale:
    """Returns a rationale of no use, which keeps what was asked and what was written."""
    return Rationale((*asked, {"role": "assistant", "content": text}), dropped=reason)


async def finished(engine: Engine, messages: Conversation, judged: Judged, verdict: bool | None = None) -> Rationale:
    """Returns a rationale with the number of its tokens.

    Args:
        engine: Counts them.
        messages: The training conversation.
        judged: What it says of the steps.
        verdict: What it says of the solution or of its step, if that does not follow from all steps.
    """
    written = "".join(message["content"] for message in messages if message["role"] == "assistant")
    tokens = await engine.count_tokens(written)
    return Rationale(tuple(messages), judged, verdict_of(judged) if verdict is None else verdict, tokens)
