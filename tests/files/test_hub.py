"""A hub that cannot be reached is told within seconds, by real commands against hubs of their own on loopback."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def refusing() -> str:
    """A hub whose port is closed."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def hanging() -> Iterator[str]:
    """A hub that accepts connections and never answers."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(64)
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class Empty(BaseHTTPRequestHandler):
    """A hub without models."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def empty() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def reason(folder: Path, endpoint: str, **more: str) -> str:
    """Returns what `hub.unreachable` says in a new interpreter that uses the hub `endpoint`."""
    code = "from tts.files.hub import unreachable; print(unreachable(2))"
    return interpreter(folder, endpoint, "-c", code, **more).stdout.strip()


def interpreter(folder: Path, endpoint: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "home"), "PYTHONPATH": path_of_this(), **more}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240)


def path_of_this() -> str:
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def test_a_hub_that_refuses_or_hangs_is_told_with_the_reason(
    tmp_path: Path, refusing: str, hanging: str, empty: str
) -> None:
    assert "refused" in reason(tmp_path, refusing)
    said = reason(tmp_path, hanging)
    assert "timed out" in said or "no answer" in said
    assert reason(tmp_path, empty) == "None"
    # Its own library says what to do then.
    assert reason(tmp_path, refusing, HF_HUB_OFFLINE="1") == "None"


def test_a_search_with_a_model_of_an_unreachable_hub_ends_with_one_message(tmp_path: Path, hanging: str) -> None:
    done = interpreter(tmp_path, hanging, "-m", "tts", "experiment=first_real_model")
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert "'Qwen/Qwen2.5-0.5B-Instruct'" in line
    assert "give a directory or a GGUF file" in line


@pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="the extra 'hub' is not installed")
def test_a_data_set_of_an_unreachable_hub_ends_a_search_with_one_message(tmp_path: Path, refusing: str) -> None:
    done = interpreter(tmp_path, refusing, "-m", "tts", "task=gsm8k")
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert "'openai/gsm8k'" in line
    assert "give a local copy" in line


def test_a_model_that_a_reachable_hub_lacks_is_told_in_one_message(tmp_path: Path, empty: str) -> None:
    done = interpreter(tmp_path, empty, "-m", "tts", "experiment=first_real_model")
    assert done.returncode == 2
    (line,) = (done.stdout + done.stderr).strip().splitlines()
    assert "'Qwen/Qwen2.5-0.5B-Instruct'" in line


def test_a_model_in_the_cache_is_used_without_the_hub(tmp_path: Path, refusing: str) -> None:
    from tests.engines.conftest import model, tokenizer

    snapshot = tmp_path / "home" / "hub" / "models--a--b" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    model("llama").save_pretrained(snapshot)
    tokenizer().save_pretrained(snapshot)
    code = "import asyncio; from tts.engines.transformers import TransformersEngine; e = TransformersEngine('a/b'); "
    code += "asyncio.run(e.start()); print(e.identity()['model'])"
    done = interpreter(tmp_path, refusing, "-c", code)
    assert done.stdout.strip() == f"a/b@{'0' * 40}", done.stderr
    assert "Retrying" not in done.stderr
