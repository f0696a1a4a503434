"""llama.cpp's own endpoint `/completion`, as written at b11434 (`tools/server/server-schema.cpp`, `server-task.cpp`).

What its `/v1/completions` lacks is here: prompts as token ids, so that the server puts no second begin-of-text token before
them, and the name of the stop string that ended the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from tts.core.settings import SettingError
from tts.engines.generating import Request, Sampling, Token
from tts.engines.http.counts import number
from tts.engines.http.failures import RefusedError
from tts.engines.http.findings import Findings
from tts.engines.http.probe import PROMPT
from tts.engines.http.said import Said
from tts.engines.logprobs import Wire, read_tokens
from tts.engines.openai.dialect import Encode, Prompt, longest_first
from tts.engines.openai.server import Server

_CONTEXT = 4096
"""Tokens that a repetition penalty looks back where the context is unknown."""


class LlamaCppDialect:
    """llama.cpp's native endpoint.

    Args:
        encode: Makes token ids of a text without the server's help; returns None if it cannot.
    """

    name = "llama.cpp"
    path = "/completion"
    # `n_cmpl` needs as many slots and answers with a list; requests share their prompt's prefill without it.
    most_samples = 1

    def __init__(self, encode: Encode) -> None:
        self._encode = encode

    async def look(self, server: Server, found: Findings) -> Findings:
        """Returns `found`: `/props` has told it all.

        Raises:
            SettingError: The tokenizer that is named is not the model's.
        """
        ids = self._encode(PROMPT)
        if ids is not None:
            said = await server.post("/detokenize", {"tokens": ids}, lambda answer: str(answer["content"]))
            if said != PROMPT:
                raise SettingError(
                    "tokenizer",
                    f"not that of the model that {server.url} serves, which reads {said!r:.80} for {PROMPT!r:.40}",
                )
        return found

    async def prompt(self, server: Server, text: str) -> Prompt:
        """Returns the prompt's token ids; a text would get a begin-of-text token in front if the model file says so."""
        here = self._encode(text)
        return await server.post("/tokenize", _tokenize(text), _ids) if here is None else here

    def write(self, model: str, prompt: Prompt, request: Request, chunk: range, found: Findings) -> dict[str, object]:
        """Returns the body; every setting that the server has a default for is there, as its defaults are others."""
        sampling = request.sampling
        penalized = sampling.repetition_penalty != 1
        body: dict[str, object] = {
            "prompt": prompt,
            "n_predict": sampling.max_tokens,
            "seed": request.seeds[chunk.start],
            "samplers": ["penalties", "temperature", "top_k", "top_p"],
            "temperature": sampling.temperature,
            "top_k": sampling.top_k,
            "top_p": sampling.top_p,
            "min_p": 0.0,
            "typical_p": 1.0,
            "repeat_penalty": sampling.repetition_penalty,
            # As many tokens as there can be: -1, "the context", is refused since 2026.
            "repeat_last_n": (found.context or _CONTEXT) if penalized else 0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "dry_multiplier": 0.0,
            "xtc_probability": 0.0,
            "dynatemp_range": 0.0,
            "mirostat": 0,
            "min_keep": 0,
            "ignore_eos": False,
            "n_probs": sampling.top_logprobs,
            "post_sampling_probs": False,
            "cache_prompt": True,
            "stream": False,
        }
        if sampling.stop:
            # A stop string that is a special token would not be seen in the text otherwise.
            body |= {"stop": longest_first(sampling.stop), "preserved_tokens": list(sampling.stop)}
        return body

    def read(self, answer: Wire, request: Request, chunk: range, *, processed: bool) -> list[Said]:
        """Reads the only choice."""
        text, ended = answer["content"], answer["stop_type"]
        if not isinstance(text, str):
            raise TypeError(f"content is {type(text).__name__}")
        # Left out with the last entry, and entries are left out for the stop string.
        entries = answer.get("completion_probabilities", ()) if request.sampling.top_logprobs else None
        return [
            Said(
                text=text,
                finish_reason="stop" if ended in ("word", "eos") else "length",
                stop=answer["stopping_word"] if ended == "word" else None,
                names=True,
                tokens=None if entries is None else _tokens(entries, text, request.sampling),
                shape="none" if entries is None else "chat",
                completion_tokens=number(answer["tokens_predicted"]),
                prompt_tokens=number(answer["tokens_evaluated"]),
                index=chunk.start,
            )
        ]

    async def count(self, server: Server, text: str) -> int | None:
        """Returns the number of tokens."""
        try:
            return len(await server.post("/tokenize", _tokenize(text), _ids))
        except RefusedError:
            return None


def _tokenize(text: str) -> dict[str, object]:
    return {"content": text, "add_special": False, "parse_special": True}


def _ids(answer: Wire) -> list[int]:
    return [int(token) for token in answer["tokens"]]


def _tokens(entries: Sequence[Wire], text: str, sampling: Sampling) -> tuple[Token, ...] | None:
    """Reads the tokens, under their own texts.

    The server holds text back that may become a stop string, and shows it with the token after which it is none: the texts
    of the entries joined are right, but those of single tokens are not. The alternatives have their own texts, so that a
    token is found there by its id. It also leaves out as many tokens at the end as the stop string has by itself, which
    need not be those that the text ended with.

    Returns:
        The tokens, those at the end possibly missing; None if they do not spell the text.
    """
    spelled = [_own_text(entry) for entry in entries]
    if not text.startswith("".join(spelled)[: len(text)]):
        spelled = [entry["token"] for entry in entries]
    if not text.startswith("".join(spelled)[: len(text)]):
        return None
    renamed = [{**entry, "token": own} for entry, own in zip(entries, spelled, strict=True)]
    return read_tokens({"content": renamed}, sampling)


def _own_text(entry: Wire) -> str:
    own: str = next((other["token"] for other in entry["top_logprobs"] if other["id"] == entry["id"]), entry["token"])
    return own
