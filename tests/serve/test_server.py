"""The socket of a server, and what it must know before it opens."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from tts import Runtime
from tts.cli.main import main
from tts.config.compose import configuration
from tts.serve.catalogue import Catalogue
from tts.serve.server import listening, read_settings

MINE = """\
# @package _global_
models:
  mine:
    search: majority
    policy: qwen2.5-math
    engine@policy.engine: openai
    policy.engine.base_url: http://me:hunter2secret99@127.0.0.1:1/v1
"""


def test_an_address_that_is_taken_is_said_before_the_models_are_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tts.serve.catalogue.Catalogue.start", None)  # is not reached
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", f"port={port}"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"port={port}: nobody can listen there (Address already in use" in said
    assert "choose another port=" in said


def test_the_system_ends_a_connection_whose_reader_stalls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.serve.server.READ_S", 0.5)
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            with pytest.raises(OSError, match="timed out") as ended:
                connection.sendall(bytes(1 << 26))  # which nobody reads
    assert ended.value.errno == errno.ETIMEDOUT


async def test_secrets_of_the_models_are_known_before_anything_is_printed(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mine.yaml").write_text(MINE)
    settings = read_settings(configuration("serve", ["models=mine"], tmp_path)[0])
    async with Runtime(sandbox="none") as runtime:
        secrets = await Catalogue(settings.models, runtime, settings.limits).check()
    assert secrets.hide("a warning with hunter2secret99") == "a warning with (hidden)"
