"""Recorded requests: an engine that replays them, and a recorder around any other engine.

One JSON object per line: `{"prompt", "completions": [{"text", "logprobs"?, "finish_reason", "seed"?, ...}],
"sampling"?}`, with `logprobs` in the form of OpenAI's completions. Completions with a seed answer that seed; of
several, those with the request's `sampling` are preferred. Completions without seeds, as in recordings from elsewhere,
are returned in file order, each once.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing

from tts.core.errors import EngineError, UserError
from tts.core.settings import PositiveInt, refused, settings
from tts.engines.conversation import read_prompt, write_prompt
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.logprobs import Wire, read_tokens, write_tokens
from tts.engines.wrapping import WrappingGenerator
from tts.files.paths import expanded
from tts.files.rows import read_lines
from tts.files.writing import append_line, writing

_CHARACTERS_PER_TOKEN = 4
_CONTEXT = 40

_UNBOUNDED = 1_000_000
"""Capacity of an engine that computes nothing."""


@settings
class ReplayEngine:
    """Answers recorded requests and refuses all others.

    Args:
        path: The recording.
        model: The engine's name.
        parameters: The recorded model's number of parameters, for FLOPs.
    """

    follows_clock = True

    def __init__(self, path: str | None = None, model: str = "replay", parameters: PositiveInt | None = None) -> None:
        if path is None:
            raise refused("path", path, "a recording is needed")
        self._path = expanded(path)
        if not self._path.is_file():
            raise refused("path", path, "no such recording")
        self.name = model
        self.parameters = parameters
        self._seeded: dict[tuple[str, int], list[tuple[object, Wire]]] = {}
        self._queued: dict[str, list[Wire]] = {}
        self._prompts: list[str] = []

    @property
    def capacity(self) -> int:
        """No limit that matters: nothing is computed."""
        return _UNBOUNDED

    async def start(self) -> None:
        """Reads the recording; reads it again on every start, so that every run finds it complete."""
        seeded: defaultdict[tuple[str, int], list[tuple[object, Wire]]] = defaultdict(list)
        queued = defaultdict(list)
        prompts = set()
        for place, row in read_lines(self._path, exact=True):
            try:
                prompt = row["prompt"]  # type: ignore[index]
                if not isinstance(prompt, str):
                    raise TypeError("prompt is not a string")
                sampling = row.get("sampling")  # type: ignore[attr-defined]
                for completion in row["completions"]:  # type: ignore[index]
                    if not isinstance(completion["text"], str):
                        raise TypeError("text is not a string")
                    if completion.get("seed") is None:
                        queued[prompt].append(completion)
                    else:
                        seeded[prompt, completion["seed"]].append((sampling, completion))
            except (LookupError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{place}: not a recorded request ({error!r}); "
                    'expected {"prompt": ..., "completions": [{"text": ..., "finish_reason": ...}]}'
                ) from None
            prompts.add(prompt)
        self._seeded, self._queued = dict(seeded), dict(queued)
        self._prompts = sorted(prompts)

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the recorded completions.

        Raises:
            EngineError: The recording lacks the request; says where it first differs from the nearest one.
        """
        for index, seed in enumerate(request.seeds):
            yield await self._completion(self._take(request, seed), request, index)

    def _take(self, request: Request, seed: int) -> Wire:
        prompt = request.prompt
        if found := self._seeded.get((prompt, seed)):
            # Completions with the same sampling are preferred to those that share only prompt and seed.
            same = [completion for sampling, completion in found if sampling == sampling_row(request.sampling)]
            return same[-1] if same else found[-1][1]
        if self._queued.get(prompt):
            return self._queued[prompt].pop(0)
        raise EngineError(f"{self._path}: {self._difference(prompt, seed)}")

    def _difference(self, prompt: str, seed: int) -> str:
        if prompt in self._queued:
            return f"this prompt was requested more often than it was recorded; its end is {prompt[-_CONTEXT:]!r}"
        at = bisect(self._prompts, prompt)
        # In a sorted list, a neighbour shares the longest prefix.
        neighbours = self._prompts[max(at - 1, 0) : at + 1]
        if not neighbours:
            return "the recording is empty"
        shared, nearest = max((_shared(prompt, other), other) for other in neighbours)
        if nearest == prompt:
            return f"holds this prompt but not its sample with seed {seed} (another run seed or sample count?)"
        place = slice(max(shared - _CONTEXT, 0), shared + _CONTEXT)
        return (
            f"does not hold this request; it first differs from the nearest one at character {shared}:\n"
            f"  asked:    {prompt[place]!r}\n  recorded: {nearest[place]!r}"
        )

    async def _completion(self, recorded: Wire, request: Request, index: int) -> Completion:
        text, sampling = recorded["text"], request.sampling
        logprobs = recorded.get("logprobs")
        try:
            tokens = read_tokens(logprobs, sampling) if logprobs and sampling.top_logprobs else None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EngineError(
                f"{self._path}: cannot read the recorded logprobs of {text[:_CONTEXT]!r}: {error!r}"
            ) from None
        stop = recorded.get(
            "stop", next((s for s in sampling.stop if sampling.include_stop and text.endswith(s)), None)
        )
        return Completion(
            text=text,
            finish_reason="length" if recorded.get("finish_reason") == "length" else "stop",
            stop=stop,
            tokens=tokens,
            completion_tokens=recorded.get("completion_tokens")
            or (len(tokens) if tokens else await self.count_tokens(text)),
            prompt_tokens=recorded.get("prompt_tokens") or await self.count_tokens(request.prompt),
            index=index,
            recorded=True,
            reasoning=str(recorded.get("reasoning") or ""),
            unseen_tokens=int(recorded.get("unseen_tokens") or 0),
        )

    async def count_tokens(self, text: str) -> int:
        """Estimates the number of tokens: a recording has no tokenizer."""
        return -(-len(text) // _CHARACTERS_PER_TOKEN)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Returns the messages as the chat engine writes them, if that was recorded.

        Raises:
            UserError: The recording is of text, whose chat template is not known.
        """
        first = next(read_lines(self._path, exact=True), None)
        try:
            read_prompt(first[1]["prompt"])  # type: ignore[index]
        except (EngineError, LookupError, TypeError, AttributeError):
            raise UserError("the replay engine has no chat template; name the chat format that was recorded") from None
        return write_prompt(messages)

    async def close(self) -> None:
        """Does nothing."""


class Recorder(WrappingGenerator):
    """Records every answered request of an engine, in the form that `ReplayEngine` reads.

    Args:
        engine: The engine.
        path: The file. Its content is kept: a resumed run and the cells of a sweep append to one file.
    """

    def __init__(self, engine: Engine, path: str) -> None:
        super().__init__(engine)
        self._path = expanded(path)
        if not self._path.parent.is_dir():
            raise refused("record", path, "no such folder")

    async def start(self) -> None:
        """Starts the engine, and removes an incomplete last line that a killed recorder left.

        Raises:
            RunError: The file cannot be written.
        """
        await super().start()
        with writing(self._path), self._path.open("a+b") as file:
            file.seek(0)
            file.truncate(sum(len(line) for line in file if line.endswith(b"\n")))

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the engine's completions and records those that finished.

        Raises:
            EngineError: The request failed permanently.
            RunError: The file can no longer be written.
        """
        finished = []
        try:
            async with aclosing(super().generate(request)) as completions:
                async for completion in completions:
                    finished.append(completion)
                    yield completion
        finally:
            if finished:
                rows = [completion_row(completion, request.seeds[completion.index]) for completion in finished]
                row = {"prompt": request.prompt, "sampling": sampling_row(request.sampling), "completions": rows}
                with writing(self._path):
                    append_line(self._path, json.dumps(row))


def _shared(a: str, b: str) -> int:
    """Returns the length of the longest common prefix."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def sampling_row(sampling: Sampling) -> dict[str, object]:
    """Returns the sampling parameters in the form of a recording."""
    return {**sampling.kept(), "stop": list(sampling.stop)}


def completion_row(completion: Completion, seed: int) -> dict[str, object]:
    """Returns a completion in the form of a recording."""
    row: dict[str, object] = {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "stop": completion.stop,
        "seed": seed,
        "completion_tokens": completion.completion_tokens,
        "prompt_tokens": completion.prompt_tokens,
    }
    unseen = {"reasoning": completion.reasoning, "unseen_tokens": completion.unseen_tokens}
    row |= {name: value for name, value in unseen.items() if value}
    return row if completion.tokens is None else {**row, "logprobs": write_tokens(completion.tokens)}
