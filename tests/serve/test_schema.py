"""Schemathesis against the OpenAPI document: `make test-serve`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.serve
pytest.importorskip("uvicorn", reason="the extra serve is not installed")
pytest.importorskip("schemathesis", reason="make test-serve installs it")

import uvicorn  # noqa: E402

from tests.serve.caller import serving  # noqa: E402


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server over a scripted engine, in a thread."""
    started, found = threading.Event(), list[tuple[uvicorn.Server, int]]()

    async def serve() -> None:
        async with serving() as served:
            server = uvicorn.Server(
                uvicorn.Config(served.app, port=0, log_config=None, access_log=False, lifespan="off")
            )
            serving_task = asyncio.create_task(server.serve())
            while not server.started:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            found.append((server, server.servers[0].sockets[0].getsockname()[1]))
            started.set()
            await serving_task

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    [(server, port)] = found
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


CHATTING = """\
[dictionaries.models]
values = ["policy", "majority-16", "best-of-16+genprm"]
[parameters]
"body.model" = { dictionary = "models" }
"path.name" = { dictionary = "models" }
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "404"]
"""
"""With models that there are; the operator's limits refuse some of what the document allows."""


@pytest.mark.parametrize("configuration", ["", CHATTING], ids=["any model", "models that there are"])
def test_every_request_is_answered_as_the_document_says(address: str, tmp_path: Path, configuration: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(configuration)
    # Its command: its plug-in does not know this pytest.
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json"]
    done = subprocess.run(
        [*command, "--checks", "all", "--max-examples", "100"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
