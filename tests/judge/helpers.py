"""Labelled data, and verifiers that say what a test wants them to."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from rich.console import Console

from tests.jobs import judge_job
from tts.budget import Usage, charge
from tts.config.build import config_hash
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.errors import EngineError, UserError
from tts.core.traits import VerifierTraits
from verifiers.base import BaseVerifier

ASKED: list[str] = []
"""Ids of the problems that a `Told` was asked about, in order."""


class Told(BaseVerifier):
    """Finds a step right unless it holds the word `wrong`; `fails` in a step fails, as long as there is no file `mended`."""

    def __init__(self, mended: str = "", delay: float = 0.0, bad: str = "wrong") -> None:
        self._mended, self._delay, self._bad = mended, delay, bad

    def check(self) -> None:
        pass

    def token_bound(self, steps: int) -> int | None:
        return 7 * steps

    def preview(self, problem: Problem, solution: Solution) -> str:
        if "unseparable" in problem.question:
            raise UserError("the step tag is not one token")
        return "".join(f"{step}\u27e6tag\u27e7" for step in solution.steps)

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        ASKED.append(problem.id)
        await asyncio.sleep(self._delay)
        charge("verifier", Usage(verifications=len(solution.steps), completion_tokens=10))
        if any("fails" in step for step in solution.steps) and not self._is_mended():
            raise EngineError("the server is down")
        scores = tuple(0.125 if self._bad in step else 0.875 for step in solution.steps)
        return Verdict(scores, (Vote(scores),), "min")

    def _is_mended(self) -> bool:
        return Path(self._mended).is_file()


class Whole(Told):
    """One that cannot be asked about beginnings."""

    traits = VerifierTraits(lacks=("prefixes",))


def rows(count: int, prefix: str = "p", **more: Any) -> list[dict[str, Any]]:
    """Rows whose label is `number % 3 - 1`; `Told` is right about all of them."""
    made = []
    for number in range(count):
        label = number % 3 - 1
        steps = [f"step {i}" + (" is wrong" if i == label else "") for i in range(3)]
        made.append(
            {"id": f"{prefix}{number}", "problem": f"question {number}", "steps": steps, "label": label, **more}
        )
    return made


def write(path: Path, data: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in data), "utf-8")
    return path


def config_of(*overrides: str) -> tuple[dict[str, Any], str]:
    with initialize_config_module("conf", version_base="1.3"):
        config = compose("judge", ["verifier=calculator", "sandbox=none", *overrides])
    plain: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return plain, config_hash(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]


TOLD = (f"verifier._target_={__name__}.Told", "bootstrap.resamples=20")


def judge(folder: Path, *overrides: str) -> tuple[int, str]:
    """Returns exit status and output of `python -m tts.judge`; what was asked is in `ASKED`."""
    ASKED.clear()
    folder.mkdir(exist_ok=True)
    out = io.StringIO()
    return judge_job(*config_of(*overrides), folder, Console(file=out, width=200)), out.getvalue()


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    return read
