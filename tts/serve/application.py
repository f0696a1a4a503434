"""The HTTP endpoints."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp

from tts.core.errors import ProblemError, UserError
from tts.core.json import Json, JsonObject
from tts.serve.answering import answered, failure
from tts.serve.catalogue import Model, bound_of
from tts.serve.forms import ChatForm, TextForm
from tts.serve.limits import ServerLimits
from tts.serve.page import page
from tts.serve.refused import FAILED, Refused
from tts.serve.requests import ChatRequest, CompletionRequest
from tts.serve.service import Service

_ERRORS: dict[int | str, dict[str, object]] = {
    status: {"description": text}
    for status, text in {
        400: "A field is wrong, or asks for what the model cannot do",
        401: "No valid key",
        404: "No such model",
        408: "The body did not arrive in time",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many requests, or too many searches that wait",
        500: "The search failed",
        502: "An engine of the model failed",
        503: "The server is about to end",
    }.items()
}
_ANSWERS: dict[int | str, dict[str, object]] = {
    **_ERRORS,
    200: {"description": "The answer; as events if it is a stream", "content": {"text/event-stream": {}}},
}


def application(service: Service, limits: ServerLimits) -> FastAPI:
    """Returns the endpoints of a server.

    Args:
        service: Searches for callers.
        limits: The operator's limits.
    """
    app = FastAPI(title="tts serve", version="1", docs_url=None, redoc_url=None)
    began, shown = int(time.time()), page()

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def start() -> HTMLResponse:
        return HTMLResponse(shown.html, headers={"Content-Security-Policy": shown.policy})

    @app.get("/healthz")
    async def health() -> dict[str, str]:
        if service.admission.closed:
            raise Refused(503, "the server is about to end")
        return {"status": "ok"}

    @app.get("/metrics", response_class=PlainTextResponse, responses=_ERRORS)
    async def metrics() -> str:
        return service.metrics.text(service.admission.running, service.admission.waiting)

    @app.get("/v1/models", responses=_ERRORS)
    async def models() -> JSONResponse:
        listed: list[Json] = [await _shown(service, model, began) for model in service.catalogue.models.values()]
        return JSONResponse({"object": "list", "data": listed})

    @app.get("/v1/models/{name:path}", responses=_ERRORS)
    async def model(name: str) -> JSONResponse:
        return JSONResponse(await _shown(service, service.catalogue.model(name), began))

    async def place() -> AsyncIterator[None]:
        with service.admission.place():
            yield

    kept = [Depends(place, scope="request")]  # until the answer was sent

    @app.post("/v1/chat/completions", responses=_ANSWERS, dependencies=kept)
    async def chat(asked: ChatRequest, request: Request) -> Response:
        return await answered(service, limits, await service.order(asked), ChatForm(asked.model), request)

    @app.post("/v1/completions", responses=_ANSWERS, dependencies=kept)
    async def completions(asked: CompletionRequest, request: Request) -> Response:
        return await answered(service, limits, await service.order(asked), TextForm(asked.model), request)

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        return JSONResponse(error.body(), error.status, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return _refusal(_invalid(error.errors()))

    @app.exception_handler(UserError)
    @app.exception_handler(ProblemError)
    async def failed(_: Request, error: UserError | ProblemError) -> JSONResponse:
        return _refusal(failure(error))

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> JSONResponse:
        return _refusal(Refused(error.status_code, str(error.detail), headers=error.headers))

    @app.exception_handler(Exception)
    async def broken(_: Request, error: Exception) -> JSONResponse:
        return _refusal(Refused(500, FAILED))

    return app


def guarded(
    app: FastAPI, door: Callable[[ASGIApp], ASGIApp], hosts: Sequence[str] | None, origins: Sequence[str]
) -> None:
    """Puts a door before an application, and closes it to web pages that nobody allowed.

    Args:
        app: The application.
        door: Makes the door.
        hosts: The names under which it is reached; None for any. Without keys they keep out pages that give this machine's
            address a name of their own.
        origins: Origins whose pages may ask.
    """
    app.add_middleware(door)
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    if origins:
        headers = ["Authorization", "Content-Type"]
        app.add_middleware(
            CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=headers
        )


async def _shown(service: Service, model: Model, began: int) -> JsonObject:
    made = await service.catalogue.composed(model.name)
    return {
        "id": model.name,
        "object": "model",
        "created": began,
        "owned_by": "tts",
        "name": model.name,
        "description": model.description,
        "strategy": type(made.strategy).__name__,
        "samples": made.strategy.samples,
        "votes": made.verifier.votes if made.strategy.verifies else 0,
        "at_most": bound_of(made, service.seconds),
    }


def _invalid(errors: Sequence[Mapping[str, object]]) -> Refused:
    """Returns the refusal of a body that does not have the declared form."""
    first = max(errors, key=lambda error: _depth(error, errors[0]))
    place = first["loc"]
    assert isinstance(place, tuple)
    field = ".".join(str(part) for part in place[1:])
    if first["type"] == "json_invalid":
        return Refused(400, f"the body is not JSON: there is an error at character {field}")
    said = "not supported by this server; leave it out" if first["type"] == "extra_forbidden" else str(first["msg"])
    return Refused(400, f"{field}: {said}" if field else said, field or None)


def _depth(error: Mapping[str, object], first: Mapping[str, object]) -> int:
    """Returns how far a form of the first wrong field fits: one that is a list of parts is more than no text."""
    place, wanted = error["loc"], first["loc"]
    assert isinstance(place, tuple)
    assert isinstance(wanted, tuple)
    return len(place) if place[:2] == wanted[:2] else 0


def _refusal(refused: Refused) -> JSONResponse:
    return JSONResponse(refused.body(), refused.status, refused.headers)
