"""How real servers answer, played from an engine in this process: each as its source was read or its answers were seen.

A manner answers every path of a server (`tests.engines.model_server`). Flaws are those met in practice: stop strings
that are not named, or named wrongly, no log-probabilities, odd ones, `n` ignored, and so on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

from tests.engines.generated import Body, Reply, generated
from tts.engines.generating import Completion, Engine, Request, Sampling, Token
from tts.engines.logprobs import write_tokens

NOT_FOUND: Reply = (404, {"error": {"message": "File Not Found", "code": 404}})


class Manner(Protocol):
    """How a kind of server answers."""

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        """Returns the status and the answer; GET requests have an empty body."""


@dataclass(frozen=True)
class OpenAIManner:
    """vLLM's `/v1/completions`, or with flaws one of the many servers that resemble it.

    Attributes:
        stop_names: `right`; `absent`: no such field; `null`: always null; `wrong`: another stop string is named.
        name_field: vLLM's `stop_reason`, SGLang's `matched_stop`.
        keeps_stop: Whether the stop string stays in the text.
        tokens_of_stop: Whether the log-probabilities cover what was cut off.
        logprobs: `legacy`, `chat`, `none`, `bare` (no alternatives), `odd` (null, -inf and -9999 among them), `shuffled` (of
            other tokens than those sampled, as mlx_lm's), `processed`.
        most_logprobs: More alternatives are refused.
        honours_n: Whether `n` gives as many choices.
        honours_seeds: Whether seeds matter.
        counts: Whether `usage` is there.
        tokenizes: Whether `/tokenize` is.
        reversed_choices: Whether choices come last first.
    """

    stop_names: Literal["right", "absent", "null", "wrong"] = "right"
    name_field: str = "stop_reason"
    keeps_stop: bool = False
    tokens_of_stop: bool = True
    logprobs: str = "legacy"
    most_logprobs: int = 1000
    honours_n: bool = True
    honours_seeds: bool = True
    counts: bool = True
    tokenizes: bool = True
    reversed_choices: bool = False
    kind: str = "vllm"

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        if path == "/v1/models":
            return 200, {"data": [{"id": engine.name, "max_model_len": context}]}
        if path == "/version" and self.kind == "vllm":
            return 200, {"version": "0.11.0"}
        if path == "/get_server_info" and self.kind == "sglang":
            return 200, {"version": "0.5.3", "model_path": engine.name, "enable_deterministic_inference": True}
        if path == "/tokenize" and self.tokenizes:
            return 200, {"count": await engine.count_tokens(body["prompt"])}
        if path != "/v1/completions":
            return NOT_FOUND
        if (body.get("logprobs") or 0) > self.most_logprobs:
            return 400, {"error": {"message": f"logprobs must be at most {self.most_logprobs}"}}
        n = body.get("n", 1) if self.honours_n else 1
        first = body["seed"] if self.honours_seeds else random.getrandbits(30)
        request = Request(body["prompt"], _sampling(body), tuple(first + i for i in range(n)))
        landed = await generated(engine, context, request)
        if not isinstance(landed, list):
            return landed
        answer: Body = {"choices": [self._choice(c, body) for c in landed][:: -1 if self.reversed_choices else 1]}
        if self.counts:
            sampled = sum(c.completion_tokens for c in landed)
            answer["usage"] = {"prompt_tokens": landed[0].prompt_tokens, "completion_tokens": sampled}
        return 200, answer

    def _choice(self, completion: Completion, body: Body) -> Body:
        stop = completion.stop
        choice: Body = {"index": completion.index, "text": completion.text, "finish_reason": completion.finish_reason}
        if self.keeps_stop and stop:
            choice["text"] += stop
        if self.stop_names == "wrong" and stop:
            others = [other for other in body["stop"] if other != stop]
            choice[self.name_field] = others[0] if others else "</wrong>"
        elif self.stop_names != "absent":
            choice[self.name_field] = stop if self.stop_names == "right" else None
        if body.get("return_token_ids"):
            choice["token_ids"] = [0] * completion.completion_tokens
        if completion.tokens is not None:
            choice["logprobs"] = self._logprobs(completion)
        return choice

    def _logprobs(self, completion: Completion) -> Body | None:
        tokens = list(completion.tokens or ())
        if completion.stop and not self.tokens_of_stop:
            while tokens and len("".join(t.text for t in tokens[:-1])) >= len(completion.text):
                tokens.pop()
        legacy: Body = write_tokens(tokens)
        sampled = legacy.pop("sampled_logprobs")
        if tokens and tokens[-1].text == "":
            # Servers spell the end-of-text token out here, and not in the text.
            legacy["tokens"][-1] = _name(tokens[-1])
        return {
            "legacy": lambda: legacy,
            "chat": lambda: _chat(legacy),
            "none": lambda: None,
            "bare": lambda: {**legacy, "top_logprobs": None},
            "odd": lambda: {**legacy, "top_logprobs": [_odd(top, at) for at, top in enumerate(legacy["top_logprobs"])]},
            "shuffled": lambda: {**legacy, "tokens": [min(top) for top in legacy["top_logprobs"]]},
            "processed": lambda: {
                **legacy,
                "top_logprobs": sampled,
                "token_logprobs": [s.get(t, 0.0) for s, t in zip(sampled, legacy["tokens"], strict=True)],
            },
        }[self.logprobs]()


class LlamaCppManner:
    """llama-server, native: `/completion` with its held back and left out tokens, `/tokenize`, `/detokenize`, `/props`."""

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        if path == "/v1/models":
            return 200, {"data": [{"id": engine.name, "owned_by": "llamacpp", "meta": {"n_ctx": context}}]}
        if path == "/props":
            return 200, {"build_info": "b11434-abcdef", "default_generation_settings": {"n_ctx": context}}
        if path == "/tokenize":
            ids = self.tokenizer(engine).encode(body["content"], add_special_tokens=body["add_special"])
            return 200, {"tokens": ids}
        if path == "/detokenize":
            return 200, {"content": self.tokenizer(engine).decode(body["tokens"])}
        if path != "/completion":
            return NOT_FOUND
        if body.get("n_cmpl", body.get("n", 1)) > 1:
            return 400, {"error": {"message": "n_cmpl cannot be greater than the number of slots"}}
        # A text gets a begin-of-text token of the server's own.
        prompt = body["prompt"]
        text = self.tokenizer(engine).decode(prompt) if isinstance(prompt, list) else self._begin(engine) + prompt
        sampling = Sampling(
            max_tokens=body["n_predict"],
            temperature=body.get("temperature", 0.8),
            top_p=body.get("top_p", 0.95),
            top_k=body.get("top_k", 40),
            repetition_penalty=body["repeat_penalty"] if body.get("repeat_last_n", 64) else 1.0,
            stop=tuple(body.get("stop") or ()),
            top_logprobs=body.get("n_probs", 0),
        )
        landed = await generated(engine, context, Request(text, sampling, (body["seed"],)), cuts=True)
        if not isinstance(landed, list):
            return landed
        (said,) = landed
        answer: Body = {
            "index": 0,
            "content": said.text,
            "stop_type": "word" if said.stop else {"stop": "eos", "length": "limit"}[said.finish_reason],
            "stopping_word": said.stop or "",
            "tokens_predicted": said.completion_tokens,
            "tokens_evaluated": said.prompt_tokens,
            "truncated": False,
        }
        if said.tokens is not None:
            left_out = len(self.tokenizer(engine).encode(said.stop, add_special_tokens=False)) if said.stop else 0
            kept = list(said.tokens)[: max(len(said.tokens) - left_out, 0)]
            entries = [
                {"id": _name(token), "token": text, "logprob": token.logprob, "top_logprobs": _listed(token)}
                for token, text in zip(kept, _held_back(said.text, kept, sampling.stop), strict=True)
            ]
            answer |= {"completion_probabilities": entries} if entries else {}
        return 200, answer

    def tokenizer(self, engine: Engine) -> Any:
        return self._loaded(engine.name)

    def _begin(self, engine: Engine) -> str:
        return str(self.tokenizer(engine).bos_token)

    @cached_property
    def _cache(self) -> dict[str, Any]:
        return {}

    def _loaded(self, name: str) -> Any:
        from transformers import AutoTokenizer

        if name not in self._cache:
            self._cache[name] = AutoTokenizer.from_pretrained(name)
        return self._cache[name]


@dataclass(frozen=True)
class OllamaManner:
    """Ollama's `/api/generate`, raw: no names, no counting, no tokens of what was cut.

    Attributes:
        begin: What the server puts before every prompt.
    """

    begin: str = ""

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        if path == "/v1/models":
            return 200, {"data": [{"id": engine.name, "owned_by": "library"}]}
        if path == "/api/version":
            return 200, {"version": "0.12.11"}
        if path == "/api/show":
            return 200, {"model_info": {"tokenizer.ggml.add_bos_token": bool(self.begin)}}
        if path == "/api/ps":
            return 200, {"models": [{"model": engine.name, "context_length": context}]}
        if path != "/api/generate" or not body.get("raw"):
            return NOT_FOUND
        options = body["options"]
        sampling = Sampling(
            max_tokens=options["num_predict"],
            temperature=options["temperature"],
            top_p=options["top_p"],
            top_k=options["top_k"],
            repetition_penalty=options["repeat_penalty"],
            stop=tuple(options.get("stop") or ()),
            top_logprobs=min(body.get("top_logprobs", 0), 20) if body.get("logprobs") else 0,
        )
        request = Request(self.begin + body["prompt"], sampling, (options["seed"],))
        landed = await generated(engine, context, request, cuts=True)
        if not isinstance(landed, list):
            return landed
        (said,) = landed
        answer: Body = {
            "response": said.text,
            "done_reason": said.finish_reason,
            "prompt_eval_count": said.prompt_tokens,
            "eval_count": said.completion_tokens,
        }
        if said.tokens is not None:
            answer["logprobs"] = OpenAIManner(logprobs="chat", tokens_of_stop=False)._logprobs(said)["content"]  # type: ignore[index]
        return 200, answer


def _sampling(body: Body) -> Sampling:
    return Sampling(
        max_tokens=body["max_tokens"],
        temperature=body["temperature"],
        top_p=body["top_p"],
        top_k=max(body["top_k"], 0),
        repetition_penalty=body["repetition_penalty"],
        stop=tuple(body.get("stop") or ()),
        include_stop=body.get("include_stop_str_in_output", False),
        top_logprobs=body.get("logprobs") or 0,
    )


def _name(token: Token) -> str:
    """Returns a token's name among the alternatives: an end-of-text token has no text of its own."""
    return token.text or next(name for name, value in token.top.items() if value == token.logprob)


def _listed(token: Token) -> list[Body]:
    own = _name(token)
    # A special token has no text.
    return [{"id": t, "token": token.text if t == own else t, "logprob": lp} for t, lp in token.top.items()]


def _chat(legacy: Body) -> Body:
    rows = zip(legacy["tokens"], legacy["token_logprobs"], legacy["top_logprobs"], strict=True)
    return {
        "content": [
            {
                "token": text,
                "logprob": logprob,
                "bytes": list(text.encode()),
                "top_logprobs": [{"token": t, "logprob": lp, "bytes": list(t.encode())} for t, lp in top.items()],
            }
            for text, logprob, top in rows
        ]
    }


def _odd(top: dict[str, float], at: int) -> dict[str, float | None]:
    return {**top, "<odd>": (None, float("-inf"), -9999.0)[at % 3]}


def _held_back(text: str, tokens: Sequence[Token], stops: Sequence[str]) -> list[str]:
    """Returns the entries' texts: what may begin a stop string comes with a later token."""
    shown, sent, so_far = [], 0, ""
    for token in tokens:
        so_far += token.text
        holds = any(so_far.endswith(stop[:n]) for stop in stops for n in range(1, len(stop)))
        new = "" if holds else text[sent : len(so_far)]
        sent += len(new)
        shown.append(new)
    return shown
