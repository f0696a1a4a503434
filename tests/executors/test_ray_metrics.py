"""What a node of a Ray cluster publishes of a run."""

from __future__ import annotations

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest

from tests.executors.raylets import raylets
from tests.executors.test_ray import ON_RAY, run

pytestmark = [pytest.mark.ray, pytest.mark.integration]

ray = pytest.importorskip("ray", reason="pip install 'tts-search[ray]', or make test-ray")
pytest.importorskip("prometheus_client", reason="pip install 'ray[default]': only its agent publishes metrics")

_SAMPLE = re.compile(r'^ray_(tts_\w+)\{(?:.*role="(\w+)")?.*\} ([\d.e+]+)$', re.MULTILINE)


def published(name: str) -> dict[tuple[str, str], float]:
    """Returns the samples of ours, by name and role, once there is one of that name."""
    (node,) = ray.nodes()
    page = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    for _ in range(120):
        with urllib.request.urlopen(page) as answer:
            found = {(key, role): float(value) for key, role, value in _SAMPLE.findall(answer.read().decode())}
        if any(key == name for key, _ in found):
            return found
        time.sleep(0.5)
    raise AssertionError(f"{page} has no {name}")


def test_a_node_publishes_what_a_run_has_done(tmp_path: Path) -> None:
    with raylets(num_cpus=2):
        assert run(tmp_path / "there", *ON_RAY, seconds=0.05)[0] == 0
        found = published("tts_tokens_total")
    summary = json.loads((tmp_path / "there" / "summary.json").read_text("utf-8"))
    assert found["tts_problems_done_total", ""] == 40
    assert found["tts_tokens_total", "policy"] == summary["policy"]["completion_tokens"]
    assert found["tts_workers", ""] in (1, 2)
    assert found["tts_workers_busy", ""] == found["tts_problems_in_progress", ""] == 0
