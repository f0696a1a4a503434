"""`tts probe`: what it shows, and what it says of what is no server of models."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from rich.console import Console

from tests.engines.chat_server import Host, deepseek, openai, serve_chat
from tests.engines.manners import Manner, OllamaManner, OpenAIManner
from tests.engines.model_server import serve_model
from tests.engines.server import completion, serve
from tests.engines.subject import EMBEDDED_POLICY
from tts.cli.probe_command import main
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration


def probe(*arguments: str) -> tuple[int, str]:
    text = io.StringIO()
    status = main(arguments, Console(file=text, width=80))
    return status, text.getvalue()


@pytest.mark.parametrize(
    ("manner", "shows"),
    [
        (OpenAIManner(), ("vllm 0.11.0", "yes, the model's own", "cut off, named", "heeded")),
        (
            OpenAIManner(logprobs="none"),
            ("none that can be used", "hard votes: verdicts count as plain Yes = 1, No = 0"),
        ),
        (OpenAIManner(most_logprobs=5), ("at most 5 alternatives",)),
        (OllamaManner(), ("ollama 0.12.11", "2,048 tokens", "not named", "asked again with the same seed")),
    ],
)
def test_it_shows_what_a_server_can_do_and_what_its_gaps_mean(manner: Manner, shows: tuple[str, ...]) -> None:
    with serve_model(TransformersEngine(EMBEDDED_POLICY, device="cpu"), 2048, manner) as url:
        status, text = probe(url.removesuffix("/v1"))
    assert status == 0
    assert all(len(line) <= 80 for line in text.splitlines())
    for part in shows:
        assert part in " ".join(text.split())


@pytest.mark.parametrize(
    ("host", "shows"),
    [
        (openai(), ("a begun answer no", "GenPRM are refused", "max_completion_tokens", "log-probabilities yes")),
        (deepseek(), ("a begun answer yes (prefix)", "refused fields -", "no log-probabilities: hard votes")),
        (Host(counts=False), ("no usage: four characters count as a token",)),
    ],
)
def test_it_shows_what_a_chat_server_can_do(host: Host, shows: tuple[str, ...]) -> None:
    with serve_chat(host) as server:
        status, text = probe(server.url, "engine=chat")
    assert status == 0
    assert all(len(line) <= 80 for line in text.splitlines())
    for part in (*shows, "engine=chat"):
        assert part in " ".join(text.split())


@contextmanager
def page(status: int, text: str) -> Iterator[str]:
    """Serves the same page at every path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (200, "<html>", "/models is not that of an OpenAI-compatible server"),
        (200, "[]", "/models is not that of an OpenAI-compatible server"),
        (404, "", "answered 404"),
        (401, "", "does $OPENAI_API_KEY hold its key"),
        (200, '{"data": []}', "serves no model"),
        (200, '{"data": [{"id": "a"}, {"id": "b"}]}', "serves a, b: choose one with model=NAME"),
    ],
)
def test_what_is_no_server_of_models_gets_one_message(status: int, text: str, says: str) -> None:
    with page(status, text) as url:
        code, said = probe(url)
    assert code == 2
    assert says in " ".join(said.split())
    assert said.count("error") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("http://127.0.0.1:9",), "no server answers"),
        (("localhost:8000",), "not a URL"),
        *(
            ((url,), "not a URL")
            for url in ("http://h:99999/v1", "http://h:0", "http://[::1/v1", "ftp://h/v1", "http:///v1")
        ),
        (
            ("http://127.0.0.1:9", "modle=m"),
            "tts probe modle=: no such setting of engine=openai; there are engine, model",
        ),
        (("http://127.0.0.1:9", "engine=vllm"), "tts probe engine=vllm: choose one of openai, chat"),
        (("http://127.0.0.1:9", "engine=chat", "dialect=x"), "dialect=: no such setting of engine=chat"),
        (("http://127.0.0.1:9", "model=m", "dialect=x"), "dialect=x: choose one of auto, completions"),
    ],
)
def test_mistakes_get_one_message(arguments: tuple[str, ...], says: str) -> None:
    code, said = probe(*arguments)
    assert code == 2
    assert says in " ".join(said.split())


def test_a_model_that_is_not_served() -> None:
    with serve(lambda body: completion(body, "x")) as server:
        code, said = probe(server.url, "model=other")
    assert (code, said.count("error")) == (2, 1)
    assert "does not serve 'other'; it serves 'm'" in " ".join(said.split())
