"""No secret in any file or output of the commands besides `search`, whatever a server does with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import program
from tests.cli.test_secrets import EXTRA, FAULTS, KEY, PASSWORD, Handler, leaks
from tests.engines.server import listening

pytestmark = pytest.mark.integration

LABELLED = {
    "id": "p#0",
    "problem": "p",
    "question": "1 + 1?",
    "answer": "2",
    "steps": ["1 + 1 is 2.", "It is 2."],
    "label": -1,
    "labels": [1, 1],
    "correct": True,
}
RUN = ("sandbox=none", "bank.path=bank.sqlite", "hydra.run.dir=run")
LABELLING = ("sampling=all", "completions=none", "rule=judge", "verifier=always_correct", "grading.workers=1")
JOBS = {
    "label": ("policy", "policy=generic", "policy.chat=chatml", "task=gsm8k_sample", "task.limit=2", *LABELLING),
    "synthesize": ("writer", "writer=genrm-cot", "writer.chat=chatml", "task.path=labels.jsonl"),
    "judge": ("verifier", "verifier=genrm-cot", "verifier.chat=chatml", "task=labelled", "task.path=labels.jsonl"),
}
"""Where the model of each command is, and the other overrides."""


def engine(place: str, url: str) -> list[str]:
    settings = {"model": "m", "base_url": f"'{url}'", "retries": "0", "patience": "0"}
    return [f"engine@{place}.engine=openai", *(f"{place}.engine.{name}={value}" for name, value in settings.items())]


@pytest.mark.parametrize("fault", ["repeated in a 401", "of a wrong form", "a text"])
@pytest.mark.parametrize("command", [*JOBS, "cli.probe_command"])
def test_what_a_server_repeats_is_nowhere(command: str, fault: str, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "labels.jsonl").write_text(json.dumps(LABELLED) + "\n")
    secrets = {"OPENAI_API_KEY": KEY, "OTHER_API_KEY": EXTRA}
    environment = {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1", **secrets}
    with listening(type("Repeating", (Handler,), {"reply": staticmethod(FAULTS[fault])})) as server:
        url = server.replace("http://", f"http://me:{PASSWORD}@")
        arguments = [url]
        if command in JOBS:
            place, *rest = JOBS[command]
            arguments = [*RUN, *rest, *engine(place, url)]
        done = program.run("-m", f"tts.{command}", *arguments, folder=here, environment=environment)
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), said
    assert "Traceback" not in said
    assert leaks(said, here) == []
