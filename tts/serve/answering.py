"""Answers to requests: a search from its beginning to the last byte, whole or as a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tts.core.errors import EngineError, ProblemError, RunError, UserError
from tts.core.events import Event
from tts.core.json import Json, JsonObject
from tts.serve.event_stream import DONE, HEARTBEAT, READ_S, EventStream, event, gone
from tts.serve.following import Ended, Heartbeat, following
from tts.serve.forms import Form
from tts.serve.limits import ServerLimits
from tts.serve.narration import Narrator
from tts.serve.refused import FAILED, Refused
from tts.serve.service import Order, Served, Service

_log = logging.getLogger(__name__)
T = TypeVar("T")


async def answered(service: Service, limits: ServerLimits, order: Order, form: Form, request: Request) -> Response:
    """Returns the answer to a request, or the stream of it; the search ends when the client leaves.

    Args:
        service: Searches.
        limits: The operator's limits.
        order: What is asked for.
        form: The shape of the answer.
        request: The HTTP request.

    Raises:
        Refused: The server is about to end, or cannot do its work.
        ProblemError: The search failed.
    """
    if order.request.user is not None:
        request.scope["state"]["entry"]["user"] = order.request.user
    if order.request.stream:
        return EventStream(_chunks(service, limits, order, form, request), limits.seconds + READ_S)
    told = order.request.tts.reasoning or "none"
    narrator, said = Narrator(told), list[str]()
    served = await _unless_gone(
        request, service.serve(order, None if told == "none" else lambda event: said.append(narrator.tell(event)))
    )
    if served is None:
        return Response(status_code=499)
    _note(request, served)
    return JSONResponse(form.whole(served, "".join(said)))


async def _chunks(
    service: Service, limits: ServerLimits, order: Order, form: Form, request: Request
) -> AsyncGenerator[bytes, None]:
    detail = order.request.tts.reasoning or form.reasoning
    narrator = Narrator(detail)

    def sent(chunk: JsonObject) -> bytes:
        return event({"usage": None, **chunk} if order.request.with_usage else chunk)  # as OpenAI's API has it

    yield sent(form.opening())
    try:
        async with aclosing(following(partial(service.serve, order), limits.heartbeat)) as items:
            async for item in items:
                match item:
                    case Heartbeat():
                        yield HEARTBEAT
                    case Ended(value=served):
                        _note(request, served)
                        for chunk in form.answers(served):
                            yield sent(chunk)
                        if order.request.with_usage:
                            yield sent(form.cost(served))
                    case Event() if text := narrator.tell(item):
                        yield sent(form.thought(text, narrator.for_programs(item) if detail == "full" else None))
    except (Refused, UserError, ProblemError) as error:
        yield event(failure(error).body())
    except Exception:
        _log.exception("a search failed")
        yield event(Refused(500, FAILED).body())
    yield DONE


async def _unless_gone(request: Request, work: Coroutine[None, None, T]) -> T | None:
    """Returns the result of work; None if the client left before, which cancels it."""
    working, leaving = asyncio.create_task(work), asyncio.create_task(gone(request.receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


def _note(request: Request, served: Served) -> None:
    """Adds what was served to the access log's entry."""
    entry: dict[str, Json] = request.scope["state"]["entry"]
    for role, spent in served.usage.items():
        entry[f"{role}_tokens"] = spent.completion_tokens
    entry["limits_hit"] = list(served.result.limits_hit)


def failure(error: Exception) -> Refused:
    """Returns what is said of an error: a mistake of the caller's, or a failure of the search.

    What names the operator's machines and files is logged and not said.
    """
    match error:
        case Refused():
            return error
        case EngineError():
            _log.error("a model's engine failed: %s", error)
            return Refused(502, "an engine of this model failed; the server's log says why")
        case RunError():
            _log.error("the server cannot work: %s", error)
            return Refused(500, FAILED)
        case UserError():
            return Refused(400, str(error))
    return Refused(500, str(error))
