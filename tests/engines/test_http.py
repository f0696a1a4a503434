"""What a server may send, and what its client shows of it."""

from __future__ import annotations

import gzip
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tests.engines.server import Misbehaviour, completion, listening, misbehave, serve
from tts.core.errors import EngineError, UserError
from tts.engines.chat import ChatEngine
from tts.engines.generating import Request
from tts.engines.http.failures import retry_after
from tts.engines.openai import OpenAIEngine

KEY = "sk-a-secret-of-forty-characters-or-more"


async def ask(url: str, **settings: Any) -> str:
    engine = OpenAIEngine("m", url, dialect="completions", retries=0, patience=0.0, **settings)
    try:
        await engine.start()
        (text,) = [completion.text async for completion in engine.generate(Request("p"))]
        return text
    finally:
        await engine.close()


@pytest.mark.parametrize("value", ["²", "٣", "-1", "1e9", "x", "Fri, 31 Dec 99999 23:59:59 GMT", "0" * 500 + "²"])
def test_a_wait_that_is_none_is_no_error(value: str) -> None:
    assert retry_after(value) == 0


def sent(data: bytes, encoding: str) -> Misbehaviour:
    def write(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Encoding", encoding)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Connection", "close")  # else the next request may meet the connection as it ends
        handler.end_headers()
        handler.wfile.write(data)

    return write


async def test_a_packed_answer_is_read_and_a_bomb_is_given_up() -> None:
    with serve(lambda body: sent(gzip.compress(json.dumps(completion(body, "ok")).encode()), "gzip")) as server:
        assert await ask(server.url) == "ok"
    bomb = gzip.compress(b" " * 2**29, 1)
    with serve(lambda body: sent(bomb, "gzip")) as server, pytest.raises(EngineError, match="larger than 256 MiB"):
        await ask(server.url)


@pytest.mark.parametrize("body", ["[" * 200_000, '{"choices": ' + "[" * 200_000])
async def test_an_answer_that_is_nested_too_deeply_is_no_json(body: str) -> None:
    head = f"HTTP/1.1 200 OK\nConnection: close\nContent-Length: {len(body)}\n\n"
    with serve(lambda _: misbehave(head, body)) as server, pytest.raises(EngineError, match="not JSON"):
        await ask(server.url)


@pytest.mark.parametrize(
    "header",
    [
        "Content-Type: text/html; charset=" + name
        for name in ("base64", "idna", "undefined", "rot13", "utf-7", "no-such")
    ]
    + ["Retry-After: \u0663", "X-RateLimit-Remaining-Requests: \u0663"],
)
async def test_headers_are_bytes_and_name_no_codec_of_python(header: str) -> None:
    head = f"HTTP/1.1 503 Busy\nConnection: close\nContent-Length: 4\n{header}\n\n"
    with serve(lambda _: misbehave(head, "full")) as server, pytest.raises(EngineError, match="full"):
        await ask(server.url)


async def test_half_a_character_that_a_server_writes_may_be_said_to_it_again() -> None:
    """What a server can do is found out with stop strings from its own texts."""
    with serve(lambda body: completion(body, "one \ud800 two \udfff three")) as server:
        assert await ask(server.url) == "one \ufffd two \ufffd three"
        assert server.bodies


@pytest.mark.parametrize("models", ["[" * 200_000, "null", '{"data": 3}', '{"data": ["m"]}'])
async def test_a_host_whose_list_of_models_is_none_is_asked_all_the_same(models: str) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send(models)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": "ok"}
            self.send(json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))

        def send(self, text: str) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler) as url:
        engine = ChatEngine("m", url, retries=0, patience=0.0)
        await engine.start()
        await engine.close()


@pytest.mark.parametrize("status", [401, 400, 500, 503])
async def test_a_key_that_the_server_repeats_is_not_shown(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {KEY}\n")
    with serve(lambda _: (status, f"wrong key: {KEY}")) as server, pytest.raises((EngineError, UserError)) as caught:
        await ask(server.url)
    assert KEY not in str(caught.value)
    assert "OPENAI_API_KEY" in str(caught.value)


async def test_a_key_that_no_header_can_hold_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\nX-More: 1")
    with (
        serve(lambda body: completion(body, "ok")) as server,
        pytest.raises(UserError, match="OPENAI_API_KEY") as caught,
    ):
        await ask(server.url)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [("SSL_CERT_FILE", "/nowhere/ca.pem", "certificates"), ("ALL_PROXY", "socks5://127.0.0.1:9", "proxy")],
)
async def test_an_environment_that_cannot_work_is_named(
    variable: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    if variable == "ALL_PROXY":
        monkeypatch.setenv("HTTP_PROXY", value)
    with pytest.raises(UserError, match=says):
        await ask("http://192.0.2.1/v1")


@pytest.mark.parametrize(
    "proxy", ["http://h:99999", "http://[::1", "http://h:0", "h:3128", "me:pa5s-of-mine@h:1", "file:///x"]
)
async def test_a_proxy_that_is_none_is_named_before_it_is_asked(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(UserError, match="the proxy of the environment is no URL"):
        await ask("http://192.0.2.1/v1")


async def test_an_account_without_credit_is_not_waited_for() -> None:
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}})
    with serve(lambda _: (429, body)) as server, pytest.raises((EngineError, UserError), match="quota") as caught:
        await ask(server.url)
    assert "waited" not in str(caught.value)
