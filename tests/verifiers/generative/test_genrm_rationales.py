"""GenRM's released rationales: the recorded prompts are sent, byte for byte, and every verdict is read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.verifiers.generative.helpers import slot
from tts.core import Problem, Solution
from tts.engines.generating import Completion, Request
from tts.engines.scripted import ScriptedEngine
from tts.engines.stops import cut_at_stop
from verifiers.generative.genrm import QUESTION, GenRM
from verifiers.generative.verifier import GenerativeVerifier


class Recording(ScriptedEngine):
    """Goes on from any beginning of the recorded texts as the recording does."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(lambda prompt, seed: "")
        self._texts = texts

    async def generate(self, request: Request):  # type: ignore[override]
        rest = next(text[len(request.prompt) :] for text in self._texts if text.startswith(request.prompt))
        if request.sampling.max_tokens == 1:
            yield slot({rest: 1.0})
        else:
            text, stop = cut_at_stop(rest, request.sampling.stop, request.sampling.include_stop)
            yield Completion(text, "stop", stop)


def rows(shared_data: Path, kind: str) -> list[dict]:
    file = shared_data / "genrm" / f"critiques_{kind}_val.zip"
    if not file.is_file():
        pytest.skip(f"no GenRM rationales at {file}")
    with zipfile.ZipFile(file) as archive:
        return [json.loads(line) for line in archive.read(archive.namelist()[0]).splitlines()]


@pytest.mark.parametrize(("kind", "count", "score"), [("correct", 125, 1.0), ("incorrect", 134, 0.0)])
async def test_every_rationale_is_read_as_its_verdict(shared_data: Path, kind: str, count: int, score: float) -> None:
    recorded = rows(shared_data, kind)
    assert len(recorded) == count
    for row in recorded:
        question, answer = row["inputs"].split("\n\nQ: ")[1].split("\nA: Let's think step by step.\n")
        solution = answer.removesuffix("\nVerification: Let's verify step by step.\n")
        verifier = GenerativeVerifier(Recording([row["inputs"] + row["targets"]]), GenRM(), chat="plain")
        problem = Problem(str(row["question_id"]), question)
        assert verifier.preview(problem, Solution(solution, (solution,))) == row["inputs"] + "⟦…⟧"
        verdict = await verifier.verify(problem, Solution(solution, (solution,), "stop"))
        assert verdict.scores == (score,)
        assert verdict.votes[0].critiques == (row["targets"],)


async def test_a_verification_that_never_asks_is_asked() -> None:
    engine = ScriptedEngine(lambda prompt, seed: slot({" Yes": 0.3, " No": 0.7}) if prompt.endswith("?") else "Hm.\n")
    verdict = await GenerativeVerifier(engine, GenRM(), chat="plain").verify(Problem("p", "q"), Solution("a", ("a",)))
    assert verdict.scores == (pytest.approx(0.3),)
    assert verdict.votes[0].critiques == (f"Hm.\n\n{QUESTION} No",)
