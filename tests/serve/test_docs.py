"""The commands and the clients' code of docs/serve.md and of the README, run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
import yaml

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from tests.serve.process import ROOT, Process
from tts.cli.main import main

PAGE = (ROOT / "docs" / "serve.md").read_text()
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8080"
CLIENTS = {name: code for code, name in re.findall(r"```python\n((?:import|from) (\w+).*?)```", PAGE, re.DOTALL)}
COMMANDS = re.findall(r"^    tts (serve .*?)(?:  +.*)?$", PAGE, re.MULTILINE)
[QUESTION] = (eval(text) for text in re.findall(r"^question = (\(.*?^\))", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    "module",
    [
        pytest.param("openai", marks=pytest.mark.integration),
        pytest.param("langchain_openai", marks=pytest.mark.serve),
        pytest.param("litellm", marks=pytest.mark.serve),
    ],
)
def test_the_code_of_a_client_prints_the_right_answer(
    module: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "true")  # otherwise its import asks the internet
    pytest.importorskip(module, reason="make test-serve installs it")
    server: Process = request.getfixturevalue("embedded")
    exec(CLIENTS[module].replace(f"{ADDRESS}/v1", server.url), {"question": QUESTION})
    assert "\\boxed{28}" in capsys.readouterr().out


@pytest.mark.integration
@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_readme_s_request_is_answered(embedded: Process) -> None:
    [text] = re.findall(r"^    (curl .*/v1/chat/completions.*?\}')$", README, re.MULTILINE | re.DOTALL)
    command = text.replace(ADDRESS, embedded.url.removesuffix("/v1")).replace(
        "A farm starts with 77 hens. ...", QUESTION
    )
    done = subprocess.run(["sh", "-c", f"{command} --silent --fail"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["tts"]["answer"] == "28"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_has_models_to_serve(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [mine] = re.findall(r"^    # models/mine.yaml\n((?:    .*\n)+)", PAGE, re.MULTILINE)
    Path("models").mkdir()
    Path("models/mine.yaml").write_text(dedent(mine))
    assert main([*shlex.split(command), "--check"]) == 0
    assert "best-of-16+genprm" in capsys.readouterr().out


def test_the_page_has_what_is_tested_here() -> None:
    assert len(COMMANDS) == 3
    assert set(CLIENTS) == {"openai", "langchain_openai", "litellm"}


def test_the_command_for_keys_makes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    [command] = re.findall(r"`tts (serve key NAME FILE)`", PAGE)
    assert main(command.split()) == 0
    assert capsys.readouterr().out.startswith("tts-")
    assert Path("FILE").read_text().startswith("NAME ")


def test_every_limit_of_the_page_is_one_of_the_server() -> None:
    settings = yaml.safe_load((ROOT / "conf" / "serve.yaml").read_text())
    assert set(re.findall(r"`limits\.(\w+)`", PAGE)) <= settings["limits"].keys()
