"""Searches for callers: what a request asks for, checked against the operator's limits, run and counted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from tts.budget import Scope, Usage, now
from tts.core import Problem
from tts.core.errors import UserError
from tts.core.events import Sink, listening
from tts.runtime.composition import Composition
from tts.runtime.result import Result
from tts.runtime.runtime import Runtime
from tts.serve.admission import Admission
from tts.serve.answers import Answer, answers_of
from tts.serve.catalogue import Catalogue, Lacking, Model
from tts.serve.limits import ServerLimits
from tts.serve.metrics import Metrics
from tts.serve.recording import Recording
from tts.serve.refused import FAILED, Refused
from tts.serve.requests import ChatRequest, CompletionRequest

_log = logging.getLogger(__name__)

Request = ChatRequest | CompletionRequest

_LOWERED = ("policy.max_tokens", "budget.problem.")
"""Settings that a caller may lower and not raise."""


@dataclass(frozen=True)
class Order:
    """A request that can be served.

    Attributes:
        request: The request.
        model: The model that it names.
        composition: The search.
        problem: The question.
        direct: Whether the answers are plain samples.
    """

    request: Request
    model: Model
    composition: Composition
    problem: Problem
    direct: bool


@dataclass(frozen=True)
class Served:
    """What a caller gets.

    Attributes:
        result: The result of the search.
        answers: Its answers.
        usage: Its cost by role.
    """

    result: Result
    answers: list[Answer]
    usage: Mapping[str, Usage]


class Service:
    """Serves requests with one runtime.

    Args:
        runtime: The runtime.
        catalogue: The models.
        limits: The operator's limits.
        recording: Keeps what was asked and found; None for nothing.

    Attributes:
        seconds: Time of a search at most.
    """

    def __init__(
        self, runtime: Runtime, catalogue: Catalogue, limits: ServerLimits, recording: Recording | None = None
    ) -> None:
        self._runtime, self._limits, self._recording = runtime, limits, recording
        self.catalogue = catalogue
        self.seconds = limits.seconds
        self.admission = Admission(limits)
        self.metrics = Metrics()

    async def order(self, request: Request) -> Order:
        """Returns what a request asks for; nothing is computed yet.

        Raises:
            Refused: There is no such model, or a field asks for what it cannot do or may not.
            UserError: The search that the request describes cannot work.
        """
        model, options = self.catalogue.model(request.model), request.tts
        direct = model.direct and options.search is None
        problem = request.problem()
        if request.with_usage and not request.stream:
            raise Refused(400, "stream_options: this is no stream; set stream, or leave it out", "stream_options")
        if direct and options.n is not None:
            raise Refused(400, f"tts.n: '{model.name}' samples as many answers as n asks for; set n", "tts.n")
        for field, value, most in (
            ("n", request.n, self._limits.n),
            ("tts.n", options.n or 1, self._limits.n),
            ("tts.votes", options.votes or 1, self._limits.votes),
        ):
            if value > most:
                raise Refused(400, f"{field}={value}: this server allows {most} at most", field)
        own = await self.catalogue.composed(model.name)
        for field, path, wanted in request.wanted(direct):
            bound = self._bound(own, path)
            if bound is not None and wanted > bound:
                raise Refused(400, f"{field}={wanted}: '{model.name}' allows {bound} at most", field)
        try:
            made = await self.catalogue.composed(model.name, options.search, request.changes(direct))
        except Lacking as error:
            field = next(field for field, path, _ in request.wanted(direct) if path == error.path)
            raise Refused(400, f"{field}: '{model.name}' has no setting {error.path}; leave it out", field) from None
        _check(request, model, made, own, self._limits)
        return Order(request, model, made, problem, direct)

    def _bound(self, own: Composition, path: str) -> float | None:
        """Returns the value of a setting that a caller may lower and not raise, None for other settings."""
        if not path.startswith(_LOWERED):
            return None
        bounds = (_setting(own, path), self.seconds if path == "budget.problem.seconds" else None)
        return min((bound for bound in bounds if bound is not None), default=None)

    async def serve(self, order: Order, sink: Sink | None = None) -> Served:
        """Searches; the search ends with its best candidate when its time is up.

        Args:
            order: What to search for.
            sink: Receives the events of the search.

        Raises:
            Refused: The server is about to end, or cannot do its work.
            ProblemError: The search failed.
        """
        began, outcome, usage = now(), "failed", dict[str, Usage]()
        try:
            async with self.admission.admitted() as meter:
                usage = meter.usage
                with nullcontext() if sink is None else listening(sink):
                    result = await self._runtime.searched(order.composition, order.problem)
                await self._record(order, result, meter)
            outcome = "limited" if result.limits_hit else "finished"
        except asyncio.CancelledError:
            outcome = "left"
            raise
        except UserError as error:  # the request was checked: it is the operator's, such as a server that is away
            _log.error("%s: %s", order.model.name, error)
            raise Refused(500, FAILED) from error
        finally:
            self.metrics.searched(order.model.name, outcome, now() - began, usage)
        request = order.request
        return Served(result, answers_of(result, request.n, request.stops, order.direct), result.usage)

    async def _record(self, order: Order, result: Result, meter: Scope) -> None:
        """Records a search, in the run of its configuration; the seed may be any. A fault does not concern the caller."""
        if self._recording is None:
            return
        changes = tuple(change for change in order.request.changes(order.direct) if change[0] != "seed")
        try:
            made = await self.catalogue.composed(order.model.name, order.request.tts.search, changes)
            await self._recording.add(order.model.name, made, result, meter)
        except Exception:
            self.metrics.unrecorded += 1
            _log.exception("%s: a search was not recorded", order.model.name)


def _check(request: Request, model: Model, made: Composition, own: Composition, limits: ServerLimits) -> None:
    """Raises Refused if a field would have no effect, or the search is larger than a caller may ask for."""
    samples = made.strategy.samples
    if made is not own and samples > max(limits.n, own.strategy.samples):
        raise Refused(
            400, f"tts.search: it takes {samples} samples, and this server allows {limits.n}; set tts.n", "tts.n"
        )
    if request.n > samples:
        raise Refused(400, f"n={request.n}: '{model.name}' has {samples} candidates; set tts.n, too", "n")
    if request.tts.votes is not None and not made.strategy.verifies:
        raise Refused(400, f"tts.votes: '{model.name}' asks no verifier; leave it out", "tts.votes")


def _setting(composition: Composition, path: str) -> float | None:
    """Returns a number in a search's configuration, None if there is none."""
    node: object = composition.config
    for key in path.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, int | float) else None
