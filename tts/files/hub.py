"""Whether the Hugging Face hub can be reached: known within seconds, where its libraries would try for a minute."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit

from tts.core.errors import UserError

_PATIENCE = 5.0
"""Seconds to wait for an answer."""


def unreachable(patience: float = _PATIENCE) -> str | None:
    """Returns why the hub cannot be reached; None if it answers, or if its libraries are told to stay offline.

    `HF_ENDPOINT`, `HF_HUB_OFFLINE` and proxies count as in its own library.

    Args:
        patience: Seconds to wait for an answer.
    """
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    reasons = [f"no answer within {patience:g} s"]

    def ask() -> None:
        try:
            get_session().head(constants.ENDPOINT, timeout=patience)
            reasons.clear()
        except Exception as error:  # of whichever library the session is
            reasons[:] = [str(error) or type(error).__name__]

    # A thread, since nothing limits the time that looking up a name takes.
    asking = threading.Thread(target=ask, name="tts-hub", daemon=True)
    asking.start()
    asking.join(patience)
    return next(iter(reasons), None)


def needed(what: str, name: str, reason: str, remedy: str) -> UserError:
    """Returns the error for a model or a data set that would have to be downloaded.

    Args:
        what: What it is: model or data set.
        name: Its hub id.
        reason: Why the hub cannot be reached.
        remedy: What to do instead of downloading it.
    """
    from huggingface_hub import constants

    return UserError(
        f"the {what} '{name}' is neither a local path nor downloaded yet, and the Hugging Face hub "
        f"({urlsplit(constants.ENDPOINT).netloc}) cannot be reached: {reason}; {remedy}, or set HF_ENDPOINT to a mirror"
    )
