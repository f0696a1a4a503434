"""A real HTTP server on the loopback that answers chat completions as one host or another does."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.engines.server import listening
from tts.engines.stops import cut_at_stop

Messages = list[dict[str, Any]]
Model = Callable[[Messages, str], str]
"""Returns the rest of the assistant's turn after its beginning."""

SOLUTION = "There are 18 shirts.\n\nThen 11 come: 29 shirts.\n\nThe answer is \\boxed{29}."
STEPS = "".join(f"Step {k}: The step is \\boxed{{correct}}. " for k in (1, 2, 3))
_TOKEN = re.compile(r"\s*\w+|\s*\S|\s+")


def tokens_of(text: str) -> list[str]:
    return _TOKEN.findall(text)


GENPRM = (
    ("step by step: ", "It is right.</analyze>\n"),
    ("```python\n", "print(6 * 7)\n```\n[Code Output]\n\n```\n41\n```\n"),
    ("42\n```\n", "<output>\n**Judgement**: $\\boxed{Yes}$\n</output>\n"),
    ("$\\boxed", "{No}$\n</output>\n"),
)
"""What a GenPRM writes after what it has read; it invents the output of its code unless it is stopped."""


def obedient(messages: Messages, prefix: str) -> str:
    """Repeats lines, judges everything right, and solves the rest; it goes on with the published formats."""
    for begun, rest in GENPRM:
        if prefix.startswith("<analyze>") and prefix.rstrip().endswith(begun.rstrip()):
            # A template that trims leaves the white space to the model.
            return begun[len(begun.rstrip()) :] * (prefix == prefix.rstrip()) + rest
    if prefix.endswith("\\boxed{"):
        return "Yes}"
    if prefix.endswith("?"):
        return " Yes" if "(Yes/No)" in prefix else " yes"
    if prefix.rstrip().endswith(("step by step.", "step by step:")):
        return STEPS
    whole = answer_to(messages)
    return whole[len(prefix) :] if whole.startswith(prefix) else f"and so on.{whole[-20:]}"


def answer_to(messages: Messages) -> str:
    said = messages[-1]["content"]
    if said.startswith("Repeat"):
        return str(said.split("\n", 1)[1])
    if "index of the earliest" in said or "<paragraph_0>" in said:
        return "All paragraphs are right: \\boxed{-1}"
    if "Answer only" in said:
        return "Yes." if "Yes" in said else "yes"
    if said.rstrip().endswith("(Yes/No)?"):
        return "Yes"
    if "step by step:" in said or "step by step." in said[-40:]:
        return STEPS
    if "\\boxed{Yes}" in messages[0]["content"]:
        return "\\boxed{Yes}"
    return SOLUTION


@dataclass
class Host:
    """How a host behaves.

    Attributes:
        model: Its model.
        name: The served name.
        refuses: Fields that it refuses, and the message.
        continues: What a request must say to have its last message continued: `flag` (continue_final_message), `prefix`,
            `always`; None if it never does.
        echoes: Whether it repeats the begun turn in its answer.
        trims: Whether its template trims messages.
        refuses_blanks: Whether it refuses a message of the assistant that ends with white space.
        names_stops: Whether it says which stop string ended a text.
        logprobs: Whether it reports them.
        thinks: What its model thinks; put into `reasoning_content`, or, with `in_text`, between marks.
        context: Most tokens of a prompt and its completion.
        key: The key that it wants.
        lists: Whether it lists its models.
        counts: Whether it counts tokens.
        per_minute: Most requests in a sliding window of `window` seconds.
    """

    model: Model = obedient
    name: str = "m"
    refuses: dict[str, str] = field(default_factory=dict)
    continues: str | None = None
    echoes: bool = False
    trims: bool = False
    refuses_blanks: bool = False
    names_stops: bool = False
    logprobs: bool = False
    thinks: str = ""
    in_text: bool = False
    context: int = 100_000
    key: str | None = None
    lists: bool = True
    counts: bool = True
    per_minute: int | None = None
    window: float = 60.0
    paths: tuple[str, ...] = ("/v1/chat/completions",)


def openai(**changes: Any) -> Host:
    unknown = "Unrecognized request argument supplied: {}"
    refuses = {name: unknown.format(name) for name in ("top_k", "min_p", "repetition_penalty")}
    refuses["continue_final_message"] = unknown.format("continue_final_message")
    refuses["max_tokens"] = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )
    return Host(**{"refuses": refuses, "logprobs": True, **changes})


def deepseek(**changes: Any) -> Host:
    return Host(**{"continues": "prefix", "thinks": "Let me see.", **changes})


def anthropic(**changes: Any) -> Host:
    return Host(**{"continues": "always", "refuses_blanks": True, **changes})


def vllm(**changes: Any) -> Host:
    return Host(**{"continues": "flag", "names_stops": True, "logprobs": True, **changes})


def ollama(**changes: Any) -> Host:
    return Host(**{"continues": "always", "trims": True, "in_text": True, **changes})


def llama_cpp(**changes: Any) -> Host:
    return Host(**{"continues": "always", "echoes": True, "logprobs": True, **changes})


HOSTS = {
    "openai": openai,
    "deepseek": deepseek,
    "anthropic": anthropic,
    "vllm": vllm,
    "ollama": ollama,
    "llama.cpp": llama_cpp,
}


@dataclass
class ChatServer:
    host: Host
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any], headers: Any) -> tuple[int, dict[str, Any], dict[str, str]]:
        host = self.host
        if host.key is not None and headers.get("Authorization") != f"Bearer {host.key}":
            return 401, {"error": {"message": f"Incorrect API key provided: {headers.get('Authorization')}"}}, {}
        now = time.monotonic()
        with self.lock:
            self.bodies.append(body)
            recent = [at for at in self.arrivals if at > now - host.window]
            if host.per_minute is not None and len(recent) >= host.per_minute:
                self.refused += 1
                return 429, {"error": {"message": "slow down"}}, {"Retry-After": "1"}
            self.arrivals.append(now)
        if body["model"] != host.name:
            return 404, {"error": {"message": f"The model `{body['model']}` does not exist"}}, {}
        for name, message in host.refuses.items():
            if name in body or (name == "prefix" and "prefix" in body["messages"][-1]):
                return 400, {"error": {"message": message, "param": name}}, {}
        return self.completed(body)

    def completed(self, body: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
        host, messages = self.host, body["messages"]
        last = messages[-1]
        flagged = {"flag": body.get("continue_final_message"), "prefix": last.get("prefix"), "always": True}
        begun = last["role"] == "assistant" and bool(flagged.get(host.continues or ""))
        if begun and host.refuses_blanks and last["content"] != last["content"].rstrip():
            return 400, {"error": {"message": "final assistant content cannot end with trailing whitespace"}}, {}
        prefix = last["content"] if begun else ""
        prefix = prefix.rstrip() if host.trims else prefix
        turns = messages[:-1] if begun else messages
        text = host.model(turns, prefix)
        count = sum(len(tokens_of(turn["content"])) + 4 for turn in turns) + 4 + len(tokens_of(prefix))
        most = body.get("max_tokens", body.get("max_completion_tokens"))
        if count + most > host.context:
            said = (
                f"'max_tokens' is too large: {most}. This model's maximum context length is {host.context} tokens and "
                f"your request has {count} input tokens ({most} > {host.context} - {count})."
            )
            return 400, {"error": {"message": said}}, {}
        thought = "" if begun else host.thinks
        choices = [self.choice(body, text, thought, most, index) for index in range(body.get("n", 1))]
        for choice in choices if host.echoes else ():
            choice["message"]["content"] = prefix + choice["message"]["content"]
        sampled = sum(choice.pop("count") for choice in choices)
        usage = {
            "prompt_tokens": count,
            "completion_tokens": sampled,
            "total_tokens": count + sampled,
            "completion_tokens_details": {"reasoning_tokens": len(tokens_of(thought))},
        }
        return 200, {"choices": choices, **({"usage": usage} if host.counts else {})}, {}

    def choice(self, body: dict[str, Any], text: str, thought: str, most: int, index: int) -> dict[str, Any]:
        host = self.host
        tokens = tokens_of(text)
        left = max(0, most - len(tokens_of(thought)))
        length = len(tokens) + 1 > left
        text = "".join(tokens[:left])
        cut, stop = cut_at_stop(text, body.get("stop") or (), include=False)
        message: dict[str, Any] = {"role": "assistant", "content": cut}
        if thought and host.in_text:
            message["content"] = f"<think>\n{thought}\n</think>\n\n{cut}"
        elif thought:
            message["reasoning_content"] = thought
        choice: dict[str, Any] = {
            "index": index,
            "message": message,
            "finish_reason": "length" if length and stop is None else "stop",
            "count": len(tokens_of(thought)) + len(tokens_of(cut)) + (not length),
        }
        if host.names_stops:
            choice["stop_reason"] = stop
        if host.logprobs and body.get("logprobs"):
            # As vLLM does, with those of the stop string.
            choice["logprobs"] = {"content": [_entry(token) for token in tokens_of(cut + (stop or ""))]}
        return choice


def _entry(token: str) -> dict[str, Any]:
    word = token.strip()
    other = token.replace(word, {"Yes": "No", "yes": "no"}.get(word, "other")) if word else "other"
    top = [{"token": token, "logprob": -0.2}, {"token": other, "logprob": -1.9}]
    return {**top[0], "top_logprobs": top}


@contextmanager
def serve_chat(host: Host) -> Iterator[ChatServer]:
    """Serves a host and yields the server."""
    server = ChatServer(host)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/v1/models" and host.lists:
                self.send(200, {"data": [{"id": host.name}]}, {})
            else:
                self.send(404, {"error": "not found"}, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path not in host.paths:
                self.send(404, {"error": "not found"}, {})
            else:
                self.send(*server.answer(body, self.headers))

        def send(self, status: int, answer: dict[str, Any], headers: dict[str, str]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as url:
        server.url = url
        yield server
