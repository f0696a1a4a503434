"""Refusals, as OpenAI's clients read them."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core.json import JsonObject
from tts.core.well_formed import well_formed_json

FAILED = "the server failed; its log says why"
"""What callers are told of faults that are not theirs."""


class Refused(Exception):  # noqa: N818  an answer, not a fault
    """A request that is not served.

    Args:
        status: The HTTP status.
        message: What is wrong and what to do.
        param: The field of the request that is wrong, if it is one.
        code: A word that programs can read.
        headers: Headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = dict(headers or {})

    def body(self) -> JsonObject:
        """Returns the body of the answer."""
        kind = _KINDS.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        said: JsonObject = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": well_formed_json(said)}  # it may repeat what the caller wrote


_KINDS = {401: "authentication_error", 429: "rate_limit_error"}
"""Types of errors by HTTP status, where they are not those of all others."""
