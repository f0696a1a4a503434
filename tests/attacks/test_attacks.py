"""Every attack fails in every jail that this machine offers, and succeeds where there is none."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attacks.themes import ATTACKS
from tts.core.errors import UserError
from tts.sandbox.jail import Jail

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).resolve().parents[2]
AT_A_TIME = 4  # runs; each mostly waits for the limit of attacks that never end


@dataclass(frozen=True)
class Report:
    """What a run found: the layers in force, or why there are none, and by attack the signs of success and the result."""

    layers: tuple[str, ...]
    unavailable: str
    outcomes: dict[str, tuple[list[str], dict[str, str]]]


@dataclass(frozen=True)
class Run:
    """All attacks on one executor.

    Attributes:
        executor: `box`, `plain` or `peer`.
        mode: The jail's mode.
        chain: Whether each attack is the later piece of a live chain.
        denied: System calls that are denied to it: the machine then lacks a layer.
    """

    executor: str
    mode: str = "auto"
    chain: bool = False
    denied: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.executor != "box":
            return self.executor
        denied = f" without {' and '.join(self.denied)}" if self.denied else ""
        return f"{self.mode}{denied}, {'chain' if self.chain else 'one shot'}"

    def report(self, folder: Path) -> Report:
        """Returns its report, which the first of the workers that need it makes and leaves in a folder for the others."""
        path = folder / f"attacks {self}.jsonl"
        with open(path, "a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            printed = file.read()
            if not printed:
                printed = self._printed()
                file.write(printed)
        header, *lines = [json.loads(line) for line in printed.splitlines()]
        outcomes = {line["name"]: (line["signs"], line["result"]) for line in lines}
        return Report(tuple(header.get("layers", ())), header.get("unavailable", ""), outcomes)

    def _printed(self) -> str:
        """Runs it in a process of its own, whose descendants can be watched and denied system calls."""
        answer = subprocess.run(
            [sys.executable, "-m", "tests.attacks.runner", self.executor, *self.denied],
            cwd=REPOSITORY,
            env=os.environ | {"SANDBOX_MODE": self.mode, "SANDBOX_CHAIN": str(int(self.chain))},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=500,
        )
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


# (mode, denied system calls): a layer that is in force there, and one that is not
DENIALS = {
    ("auto", ("unshare",)): ("landlock", "namespaces"),  # Docker
    ("auto", ("landlock",)): ("namespaces", "landlock"),  # RHEL 8
    ("auto", ("unshare", "landlock")): ("seccomp without files", "landlock"),
}
MODES = ("namespaces", "landlock", "seccomp")
BOXES = [Run("box", mode, chain) for mode in MODES for chain in (False, True)]
BOXES += [Run("box", mode, True, denied) for mode, denied in DENIALS]
BOXES += [Run("box", "auto", False, ("landlock",))]  # the other two end in layers that a mode above has


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Run, Future[Report]]]:
    """The reports of the runs that the selected tests need, several at a time."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = dict.fromkeys(found["run"] for found in parameters if isinstance(found.get("run"), Run))
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        # The controls first: they take longest.
        yield {run: pool.submit(run.report, folder) for run in sorted(wanted, key=lambda run: run.executor == "box")}


def of(run: Run, reports: dict[Run, Future[Report]]) -> Report:
    if run.denied and platform.machine() != "x86_64":
        pytest.skip("the numbers of the denied calls are those of x86-64")
    report = reports[run].result()
    if report.unavailable:
        pytest.skip(report.unavailable)
    return report


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("run", BOXES, ids=str)
def test_attack_is_contained(reports: dict[Run, Future[Report]], run: Run, name: str) -> None:
    report = of(run, reports)
    signs, result = report.outcomes[name]
    hidden = "namespaces" in report.layers
    traits = {"chain": run.chain, "stat": "landlock" in report.layers and not hidden, "host": not hidden}
    excused = [sign for trait, sign in ATTACKS[name].excused.items() if traits[trait]]
    assert not [sign for sign in signs if sign.split()[0] not in excused], result


@pytest.mark.parametrize(("run", "name"), [(Run(attack.control), name) for name, attack in ATTACKS.items()], ids=str)
def test_attack_succeeds_without_a_jail(reports: dict[Run, Future[Report]], run: Run, name: str) -> None:
    attack = ATTACKS[name]
    signs, result = of(run, reports).outcomes[name]
    held = [line for line in result["out"].splitlines() if line.startswith("held")]
    if attack.needs and (held or not signs):
        pytest.skip(f"needs {attack.needs}: {held}")
    assert signs, result
    assert not held, "a part of the attack that fails everywhere shows nothing"


@pytest.mark.parametrize("run", BOXES, ids=str)
def test_layers_are_those_that_are_left(reports: dict[Run, Future[Report]], run: Run) -> None:
    layers = of(run, reports).layers
    if (run.mode, run.denied) in DENIALS:
        present, absent = DENIALS[run.mode, run.denied]
        assert present in layers
        assert absent not in layers
    else:
        assert any(layer.startswith(run.mode) for layer in layers)


async def test_attacks_in_one_chain_leave_an_older_chain_alone() -> None:
    jail = Jail(workers=1, timeout=2.0)
    try:
        await jail.start()
    except UserError as error:
        pytest.skip(str(error))
    older = jail.chain()
    look = "import os, fractions\nprint(len([fractions.Fraction(1) + 1]), x, os.getpid())"
    await older.run("x = 1")
    before = (await older.run(look)).stdout
    assert before.startswith("1 1 ")
    for name, attack in ATTACKS.items():
        if name.startswith(("neighbours", "reports")) and not attack.endless:
            chain = jail.chain()
            await chain.run(attack.code.replace("@FORGERY@", "b'{}'"))
            assert (await older.run(look)).stdout == before, name
            await chain.close()
    await jail.close()
