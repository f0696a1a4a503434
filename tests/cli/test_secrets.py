"""No secret in any file or output, whatever a server does with it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import program
from tests.engines.server import listening

pytestmark = pytest.mark.integration

KEY = "sk-Planted/Key+0123456789=="
PASSWORD = "pass-W0rd-planted"
EXTRA = "extra-planted-key-77"
SECRETS = {"key": KEY, "password": PASSWORD, "extra": EXTRA}


def forms(secret: str) -> list[str]:
    basic = [base64.b64encode(text.encode()).decode() for text in (f"Bearer {secret}", f"me:{secret}", secret)]
    escaped = "".join(f"\\u{ord(character):04x}" for character in secret)
    return [secret, *basic, quote(secret, safe=""), json.dumps(secret)[1:-1], html.escape(secret), escaped]


ALL = [form for secret in SECRETS.values() for form in forms(secret)]
Reply = tuple[int, str]


def _said(body: str) -> str:
    """An answer that looks like a completion, whatever is asked."""
    message = f'{{"role": "assistant", "content": {body}}}'
    choice = f'{{"index": 0, "text": {body}, "message": {message}, "finish_reason": "stop"}}'
    usage = '{"prompt_tokens": 1, "completion_tokens": 2}'
    return f'{{"id": "x", "object": "y", "model": {body}, "choices": [{choice}], "usage": {usage}}}'


TEXT = '"The answer is \\\\boxed{2}. ' + " ".join(form.replace('"', '\\"') for form in ALL) + '"'
FAULTS: dict[str, Callable[[], Reply]] = {
    "repeated in a 401": lambda: (401, "wrong key: " + " ".join(ALL)),
    "repeated in a 400": lambda: (400, json.dumps({"error": {"message": " ".join(ALL)}})),
    "repeated in a 500": lambda: (500, f"<html>{' '.join(ALL)}"),
    "no JSON": lambda: (200, " ".join(ALL)),
    "no object": lambda: (200, json.dumps(ALL)),
    "of a wrong form": lambda: (200, json.dumps({"choices": ALL})),
    "a text": lambda: (200, _said(TEXT)),
}


class Handler(BaseHTTPRequestHandler):
    reply: Callable[[], Reply]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self._send(*type(self).reply())

    def do_GET(self) -> None:
        wrong = self.path.endswith("/models") and type(self).reply()[0] == 200
        self._send(*((200, json.dumps({"data": [{"id": "m"}]})) if wrong else type(self).reply()))

    def _send(self, status: int, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Seen", KEY)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def leaks(said: str, folder: Path) -> list[str]:
    """Returns where a planted secret is found."""
    texts = {"output": said.encode(), "names": "\n".join(map(str, folder.rglob("*"))).encode()}
    texts |= {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return [f"{form} in {place}" for place, text in texts.items() for form in ALL if form.encode() in text]


def run(folder: Path, *arguments: str, key: str = KEY) -> tuple[int, str]:
    folder.mkdir(exist_ok=True)
    environment = {
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "OPENAI_API_KEY": key,
        "OMP_NUM_THREADS": "1",
    }
    done = program.run("-m", "tts", *arguments, folder=folder, environment=environment)
    return done.returncode, done.stdout + done.stderr


def settings(url: str, engine: str) -> list[str]:
    place = url.replace("http://", f"http://me:{PASSWORD}@") + "/v1"
    own = [f"+policy.engine.extra_body={{api_key: {EXTRA}}}"] if engine == "chat" else []
    return [
        *(
            "policy=generic",
            f"engine@policy.engine={engine}",
            "policy.engine.model=m",
            f"policy.engine.base_url='{place}'",
        ),
        *(
            "policy.engine.retries=0",
            "policy.engine.patience=0",
            "verifier=always_correct",
            "search.n=1",
            "task.limit=2",
        ),
        *("sandbox=none", "task=gsm8k_sample", "grading.workers=1", "bank.path=bank.sqlite", "hydra.run.dir=run", *own),
    ]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("engine", ["openai", "chat"])
def test_what_a_server_repeats_is_nowhere(fault: str, engine: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    with listening(type("Repeating", (Handler,), {"reply": staticmethod(FAULTS[fault])})) as url:
        status, said = run(here, *settings(url, engine))
    assert status in (0, 1, 2), said
    assert "Traceback" not in said
    assert status == 2 or (here / "run" / "status.json").is_file()  # what is refused before compute leaves nothing
    assert leaks(said, here) == []


def test_nothing_of_them_is_exported_or_reported(tmp_path: Path) -> None:
    here = tmp_path / "here"
    with listening(type("Saying", (Handler,), {"reply": staticmethod(FAULTS["a text"])})) as url:
        status, said = run(here, *settings(url, "chat"))
    assert status in (0, 1), said  # its text has no steps
    assert "(hidden)" in (here / "run" / "results.jsonl").read_text("utf-8")
    for command in (["report", "run"], ["trace", "run"], ["bank", "export", "bank.sqlite", "bank.jsonl"]):
        done = program.run("-m", f"tts.{command[0]}", *command[1:], folder=here)
        assert done.returncode == 0, done.stderr
        said += done.stdout + done.stderr
    assert {"report.csv", "report.html"} <= {path.name for path in here.rglob("report.*")}
    assert (here / "bank.jsonl").stat().st_size
    assert leaks(said, here) == []


MISTAKES = {
    "a setting": ["policy.engine.timeout=abc"],
    "an unknown one": [f"+policy.engine.api_keyy={KEY}"],
    "a URL": [f"policy.engine.base_url=ftp://me:{PASSWORD}@host"],
    "several": [f"policy.engine.base_url=[http://me:{PASSWORD}@h/v1,http://me:{PASSWORD}@h/v1]"],
    "a sweep": ["-m", "seed=0,1", "policy.engine.timeout=0"],
    "a dry run": ["dry_run=true"],
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_shows_none(mistake: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    overrides = MISTAKES[mistake]
    flags = [part for part in overrides if part == "-m"]
    _, said = run(
        here, *flags, *settings("http://127.0.0.1:9", "chat"), *(part for part in overrides if part not in flags)
    )
    assert leaks(said, here) == []


@pytest.mark.parametrize(
    "key", [f"{KEY}\n", f" {KEY} ", f"{KEY}\nX-More: 1", f"{KEY} {KEY}", f"{KEY}é", f"\t{KEY}\r\n"]
)
def test_a_key_with_something_around_it_shows_none(key: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    with listening(type("Refusing", (Handler,), {"reply": staticmethod(FAULTS["repeated in a 401"])})) as url:
        status, said = run(here, *settings(url, "openai"), key=key)
    assert status == 2, said
    assert leaks(said, here) == []
