"""What may be wrong with documents that others wrote, and with what servers answer."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tts.core.json import Json

NUMBERS: tuple[Json, ...] = (0, -1, 1.5, 1e308, -(2**70), 10**400, float("nan"), float("inf"))
TEXTS: tuple[Json, ...] = ("", " ", "abc", "1", "nan", "\0", "\ud800", "\u202e\x1b[2J", "é" * 300, "x" * 100_000)
SHAPES: tuple[Json, ...] = (None, True, False, [], [[]], [None], [1, "a"], {}, {"a": {}}, {"": 1})
ODD = NUMBERS + TEXTS + SHAPES
"""Values that do not belong where they are put."""

ODD_YAML = (
    "\t",
    ": ",
    "&a *a",
    "!!python/object/apply:os.system [id]",
    "{",
    "[",
    "- ",
    "\0",
    "%",
    "${x}",
    "'",
    "é\xff",
)
"""Texts that do not belong into YAML."""

Dice = random.Random | None
"""What faults are drawn with; None leaves a document whole, as the control."""


def deep(levels: int) -> str:
    """Returns JSON that is nested so often."""
    return "[" * levels + "]" * levels


def changed(value: Json, rng: random.Random) -> Json:
    """Returns a copy in which one value, at any depth, is odd, lacking, doubled or under another key."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        copy = dict(value)
        match rng.randrange(8):
            case 0:
                del copy[key]
            case 1:
                copy[key + "s"] = copy.pop(key)
            case _:
                copy[key] = changed(value[key], rng)
        return copy
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        match rng.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, value[at]]
            case _:
                return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(ODD)


def spoilt(rows: list[Json], rng: Dice, *, lines: bool = True) -> bytes:
    """Returns the rows as JSON lines, or the first as one document, with a fault; whole without dice."""
    if rng is None:
        return "\n".join(json.dumps(row) for row in rows).encode()
    rows = list(rows)
    at = rng.randrange(len(rows))
    fault = rng.randrange(12)
    if fault < 8:
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            rows[at] = changed(rows[at], rng)
    texts = [json.dumps(row) for row in rows]
    match fault:
        case 8:
            texts[at] = texts[at].replace(rng.choice('{}[]",:'), rng.choice(("", " ", "\0", "{", '"', deep(50_000))), 1)
        case 9:
            texts.insert(at, rng.choice((texts[at], deep(100_000), "null", "NaN", "[1]", "7", "{", '"', "\\", " ")))
    data = ("\n".join(texts) + "\n" if lines else texts[0]).encode("utf-8", "surrogatepass")
    match fault:
        case 10:
            data = data[: rng.randrange(len(data))]
        case 11:
            place = rng.randrange(len(data))
            odd = (b"\xff", b"\x00", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\x1f\x8b", rng.randbytes(5))
            data = data[:place] + rng.choice(odd) + data[place:]
    return data


@contextlib.contextmanager
def served(kind: str, rng: Dice) -> Iterator[str]:
    """Yields the address of a server whose answers on one path are spoilt."""
    usage: Json = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    logprobs: Json = {"tokens": ["10"], "token_logprobs": [-0.1], "top_logprobs": [{"10": -0.1}], "text_offset": [0]}
    text: Json = {"index": 0, "text": "\\boxed{10}", "finish_reason": "stop", "stop_reason": None, "logprobs": logprobs}
    message: Json = {"role": "assistant", "content": "\\boxed{10}", "reasoning_content": "7 + 3"}
    said: Json = {"index": 0, "message": message, "finish_reason": "stop"}
    answers: dict[str, Json] = {
        "/v1/models": {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 4096}]},
        "/v1/completions": {"id": "c", "choices": [text], "usage": usage},
        "/v1/chat/completions": {"id": "c", "choices": [said], "usage": usage},
        "/version": {"version": "0.32.0"},
        "/tokenize": {"count": 7, "tokens": [1, 2, 3], "max_model_len": 4096},
    }
    ways = {"openai": "/v1/completions", "chat": "/v1/chat/completions"}
    path, status, body = "", 200, b""
    if rng is not None:
        path = rng.choice([*answers, ways[kind], ways[kind]])
        status = rng.choice((200, 200, 200, 200, 400, 401, 404, 500, 299))
        body = spoilt([answers[path]], rng, lines=False)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # who reads no further than needed
                super().handle()

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            known = self.path in answers
            data = body if self.path == path else json.dumps(answers.get(self.path, {})).encode()
            self.send_response(status if self.path == path else 200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer  # noqa: N815

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
