"""The connection to a cluster, and commands that make one of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.executors.leftover import account, left
from tts.core.errors import UserError

pytestmark = [pytest.mark.ray, pytest.mark.integration]

pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "executor.address=127.0.0.1:1: no Ray cluster answers (Connection refused); start one with"),
        ("ray://127.0.0.1:1", "run the command on a machine of the cluster, with auto or HOST:PORT"),
        ("nowhere", "auto or HOST:PORT, as `ray start --head` prints it; null for this machine alone"),
    ],
)
def test_an_address_where_no_cluster_answers_is_told_at_once(address: str, said: str) -> None:
    from tts.executors.ray.cluster import Cluster

    with pytest.raises(UserError) as caught:
        Cluster(address)
    assert said in str(caught.value)


def test_a_killed_command_goes_on_and_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "samples.jsonl").write_text(
        "".join(
            json.dumps({"id": f"p{i}", "question": f"{i}?", "answer": "2", "solutions": [{"text": "\\boxed{2}"}]})
            + "\n"
            for i in range(2000)
        )
    )
    task = ["task=jsonl", f"task.path={tmp_path / 'samples.jsonl'}", "policy=recorded", "policy.path=${task.path}"]
    search = [
        "search=majority",
        "search.n=1",
        "sandbox=none",
        "verifier=random",
        "resume=true",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    on_ray = ["executor=ray", "executor.workers=1", "executor.resources.CPU=0.1", "in_flight.problems=2"]
    command = [sys.executable, "-m", "tts", *task, *search, *on_ray]
    results = tmp_path / "run" / "results.jsonl"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not (results.exists() and results.read_bytes().count(b"\n") > 20):
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
    kept = results.read_bytes().count(b"\n")
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0
    alone = [*task, *search[:-1], f"hydra.run.dir={tmp_path / 'alone'}"]
    assert subprocess.run([*command[:3], *alone], cwd=ROOT, capture_output=True, check=False).returncode == 0
    assert left(tmp_path / "run")["results.jsonl"] == left(tmp_path / "alone")["results.jsonl"]
    assert sum(account(tmp_path / "run")["done"].values()) <= 2000 - kept + 2
