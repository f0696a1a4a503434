"""The wheel, installed where there is nothing else of the project, runs from an empty directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tts", "search", "policies", "verifiers", "conf")


def tracked(*places: str) -> list[str]:
    """The project's own files in some of its directories."""
    listed = subprocess.run(["git", "ls-files", "-z", *places], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a git checkout: which files belong to the project is unknown")
    return [name for name in os.fsdecode(listed.stdout).split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that holds what the wheel holds, and nothing else."""
    try:
        major = int(metadata.version("setuptools").split(".")[0])
    except metadata.PackageNotFoundError:
        major = 0
    if major < 77:
        pytest.skip("building a wheel without the network needs setuptools>=77")
    place = tmp_path_factory.mktemp("wheel")
    source = place / "source"
    for name in tracked(*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).symlink_to(ROOT / name)
    code = f"from setuptools import build_meta; print(build_meta.build_wheel({str(place)!r}))"
    built = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    [wheel] = place.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(place / "installed")
    return place / "installed"


def tts(place: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from tts.cli.main import main; sys.exit(main())"
    environment = os.environ | {"PYTHONPATH": str(place), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_a_search_and_its_report(installed: Path, tmp_path: Path) -> None:
    code = "import tts, search, policies, verifiers, conf; print(tts.__file__)"
    line, environment = [sys.executable, "-P", "-c", code], os.environ | {"PYTHONPATH": str(installed)}
    found = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert found.stdout.startswith(str(installed)), found.stderr
    tts(installed, tmp_path, "search", "task.limit=2", "search.n=2", "verifier.votes=1", "hydra.run.dir=run")
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["n_problems"] == 2
    tts(installed, tmp_path, "report", "run")
    assert (tmp_path / "run" / "report.html").stat().st_size > 20_000
    tts(installed, tmp_path, "trace", "run")


def test_every_file_that_the_packages_read_is_in_it(installed: Path) -> None:
    names = tracked(*PACKAGES)
    assert names
    assert [name for name in names if not (installed / name).exists()] == []
