"""The routes of the simulated engine's server; see `benchmarks.simserver`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.logprobs import write_tokens
from tts.engines.simulated import SimulatedEngine
from tts.engines.simulated.writer import dice, last_mark

Body = dict[str, Any]
Answer = tuple[HTTPStatus, Body | str]

_MARKED = re.compile(r"(?:\n\n)+")


class SimulatedServer:
    """Answers requests by route.

    Args:
        engine: The model.
    """

    def __init__(self, engine: SimulatedEngine) -> None:
        self.engine = engine
        self.requests = 0
        self.connections = 0
        self.running = 0
        self.routes: dict[tuple[str, str], Callable[[Body], Awaitable[Answer]]] = {
            ("GET", "/health"): self._health,
            ("GET", "/stats"): self._stats,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/v1/models"): self._models,
            ("POST", "/reset"): self._reset,
            ("POST", "/tokenize"): self._tokenize,
            ("POST", "/v1/completions"): self._completions,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/score"): self._score,
        }

    async def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answers one request."""
        route = self.routes.get((method, path))
        if route is None:
            return refusal(HTTPStatus.NOT_FOUND, f"no route {method} {path}")
        self.requests += 1
        try:
            return await route(json.loads(body or b"{}"))
        except (EngineError, UserError, ValueError, TypeError, KeyError, AttributeError) as error:
            return refusal(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    async def _health(self, _: Body) -> Answer:
        return HTTPStatus.OK, {}

    async def _stats(self, _: Body) -> Answer:
        stats = self.engine.stats
        return HTTPStatus.OK, {
            **dataclasses.asdict(stats),
            "busy": stats.busy / 1e9,
            "mean_batch": stats.tokens / max(1, stats.ticks),
            "requests": self.requests,
            "connections": self.connections,
            "cpu_s": time.process_time(),
        }

    async def _metrics(self, _: Body) -> Answer:
        """Answers as vLLM does, as far as there is something to tell."""
        stats = self.engine.stats
        told = {
            "num_requests_running": self.running,
            "num_requests_waiting": 0,
            "prefix_cache_queries_total": stats.prompt_tokens,
            "prefix_cache_hits_total": stats.cached_prompt_tokens,
        }
        model = f'{{engine="0",model_name="{self.engine.name}"}}'
        return HTTPStatus.OK, "".join(f"vllm:{name}{model} {float(value)}\n" for name, value in told.items())

    async def _reset(self, _: Body) -> Answer:
        await self.engine.close()
        await self.engine.start()
        self.requests = self.connections = 0
        return HTTPStatus.OK, {}

    async def _models(self, _: Body) -> Answer:
        return HTTPStatus.OK, {"object": "list", "data": [{"id": self.engine.name, "object": "model"}]}

    async def _tokenize(self, body: Body) -> Answer:
        text = body["prompt"] if "prompt" in body else self.engine.render(body["messages"])
        return HTTPStatus.OK, {"count": await self.engine.count_tokens(text)}

    async def _completions(self, body: Body) -> Answer:
        prompts = body["prompt"] if isinstance(body["prompt"], list) else [body["prompt"]]
        sampled = await asyncio.gather(*(self._sample(body, prompt, 16) for prompt in prompts))
        choices = [{"text": completion.text, **_end(completion)} for several in sampled for completion in several]
        return HTTPStatus.OK, self._reply("text_completion", choices, sampled)

    async def _chat(self, body: Body) -> Answer:
        messages = body["messages"]
        begun = messages.pop()["content"] if body.get("continue_final_message") else ""
        several = await self._sample(body, self.engine.render(messages) + begun, None)
        choices = [{"message": {"role": "assistant", "content": c.text}, **_end(c)} for c in several]
        return HTTPStatus.OK, self._reply("chat.completion", choices, [several])

    async def _sample(self, body: Body, prompt: str, max_tokens: int | None) -> list[Completion]:
        """Returns the completions of one prompt; `max_tokens` is the protocol's default, None for the context limit."""
        if body.get("stream"):
            raise ValueError("this server does not stream")
        stop = body.get("stop") or ()
        most = body.get("max_tokens") or body.get("max_completion_tokens") or max_tokens or 1 << 30
        sampling = Sampling(
            max_tokens=most,
            temperature=body.get("temperature", 1.0),
            top_p=body.get("top_p", 1.0),
            top_k=max(0, body.get("top_k", 0)),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            include_stop=bool(body.get("include_stop_str_in_output")),
            top_logprobs=int(body.get("logprobs") or 0),
        )
        # Without a seed, samples differ between requests, but the same sequence of requests gives the same samples.
        first = self.requests << 8 if body.get("seed") is None else body["seed"]
        request = Request(prompt, sampling, tuple(range(first, first + (body.get("n") or 1))))
        self.running += 1
        try:
            return sorted([c async for c in self.engine.generate(request)], key=lambda c: c.index)
        finally:
            self.running -= 1

    def _reply(self, kind: str, choices: list[Body], completions: list[list[Completion]]) -> Body:
        prompt = sum(several[0].prompt_tokens for several in completions)
        sampled = sum(completion.completion_tokens for several in completions for completion in several)
        return {
            "id": f"sim-{self.requests}",
            "object": kind,
            "created": 0,
            "model": self.engine.name,
            "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
            "usage": {"prompt_tokens": prompt, "completion_tokens": sampled, "total_tokens": prompt + sampled},
        }

    async def _score(self, body: Body) -> Answer:
        pairs = list(zip(body["prompts"], body["answers"], strict=True))
        await asyncio.gather(*(self._forward(prompt + answer) for prompt, answer in pairs))
        return HTTPStatus.OK, {"scores": [scores(prompt, answer) for prompt, answer in pairs]}

    async def _forward(self, text: str) -> None:
        async for _ in self.engine.generate(Request(text, Sampling(max_tokens=1))):
            pass


def scores(prompt: str, answer: str) -> list[float]:
    """Returns a reward per paragraph, above one half if its mark says that it is right; random without a mark."""
    found = []
    for number, step in enumerate(step for step in _MARKED.split(answer) if step.strip()):
        rng = dice("score", number, prompt, answer)
        right, sure = last_mark(step), 0.5 * rng.random()
        found.append(0.5 + sure if (rng.random() < 0.5 if right is None else right) else 0.5 - sure)
    return found


def _end(completion: Completion) -> Body:
    tokens = None if completion.tokens is None else write_tokens(completion.tokens)
    if tokens is not None:
        # Servers report the model's own distribution.
        del tokens["sampled_logprobs"]
    return {"finish_reason": completion.finish_reason, "stop_reason": completion.stop, "logprobs": tokens}


def refusal(status: HTTPStatus, message: str) -> Answer:
    """Returns an error response."""
    return status, {"error": {"message": message, "type": status.phrase, "code": status.value}}
