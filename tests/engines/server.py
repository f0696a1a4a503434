"""A real HTTP server on the loopback that speaks enough of OpenAI's protocol, and misbehaves when told to."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tts.engines.http.probe import PROMPT
from tts.engines.stops import cut_at_stop

Misbehaviour = Callable[[BaseHTTPRequestHandler], None]
"""Writes to the connection whatever it likes."""

Answer = Callable[[dict[str, Any]], dict[str, Any] | tuple[int, str] | Misbehaviour]


@dataclass
class Server:
    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def completion(body: dict[str, Any], text: str, **choice: Any) -> dict[str, Any]:
    """A vLLM-like answer whose stop strings are applied."""
    cut, stop = cut_at_stop(text, body.get("stop") or (), include=False)
    return {
        "choices": [{"text": cut, "finish_reason": "stop", "stop_reason": stop, **choice}],
        "usage": {"prompt_tokens": len(body["prompt"].split()), "completion_tokens": len(text.split())},
    }


@contextmanager
def serve(answer: Answer, model: str = "m", tokenizes: bool = True, port: int = 0) -> Iterator[Server]:
    """Serves `model`; a tuple of status and text as answer is sent as such."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send(200, json.dumps({"data": [{"id": model}]}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/tokenize":
                self.send(*((200, json.dumps({"count": len(body["prompt"])})) if tokenizes else (404, "{}")))
                return
            with server.lock:
                if body.get("prompt") != PROMPT:  # a probe's requests say nothing about a search
                    server.bodies.append(body)
                server.at_once += 1
                server.most_at_once = max(server.most_at_once, server.at_once)
            try:
                said = answer(body)
            finally:
                with server.lock:
                    server.at_once -= 1
            if callable(said):
                self.close_connection = True
                said(self)
            else:
                self.send(*(said if isinstance(said, tuple) else (200, json.dumps(said))))

        def send(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with listening(Handler, port) as url:
        server = Server(url)
        yield server


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[str]:
    """Serves on the loopback and yields the URL, including `/v1`; at the end all connections are cut."""
    connections: list[socket.socket] = []

    class Pool(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

        def get_request(self) -> tuple[socket.socket, Any]:
            connection, address = super().get_request()
            connections.append(connection)
            return connection, address

        def handle_error(self, request: Any, client_address: Any) -> None:
            if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that hangs up is no news
                super().handle_error(request, client_address)

    http = Pool(("127.0.0.1", port), handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_address[1]}/v1"
    finally:
        http.shutdown()
        http.server_close()
        # As when a process ends: else the threads would go on answering on connections that are kept open.
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


def misbehave(head: str, body: str = "", then: Callable[[], object] = lambda: None) -> Misbehaviour:
    """Returns what writes an answer as it is given, does `then`, and cuts the connection."""

    def write(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write((head.replace("\n", "\r\n") + body).encode())
        handler.wfile.flush()
        then()

    return write
