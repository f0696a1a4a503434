"""Recorded GenPRM-7B runs: fed with the recorded outputs, the verifier sends the recorded requests, byte for byte."""

import json
from pathlib import Path

import pytest

from tests.verifiers.helpers import InProcessSandbox
from tts.core import Problem, Solution
from tts.engines.generating import Request
from tts.engines.replay import ReplayEngine
from verifiers.generative import genprm_format as wire
from verifiers.generative.genprm import GenPRM


class RecordingReplay(ReplayEngine):
    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.asked: list[str] = []

    def generate(self, request: Request):
        self.asked.append(request.prompt)
        return super().generate(request)


@pytest.fixture(scope="module")
def transcripts(shared_data: Path) -> list[dict]:
    rows = json.loads((shared_data / "genprm/genprm7b_transcripts_theogbrand_demo.json").read_text("utf-8"))
    return [{**row, "text": row["text_escaped"].replace("\\n", "\n")} for row in rows]


def chains_of(transcripts: list[dict], cell: int) -> list[list[str]]:
    """The requests of each chain, in order."""
    chains: list[list[str]] = []
    for row in transcripts:
        if row["cell"] != cell or not row["kind"].startswith("paragraph"):
            continue
        if row["kind"].endswith("request 1"):
            chains.append([])
        chains[-1].append(row["text"])
    return [chain for chain in chains if len(chain) == 3]


def completions_of(chain: list[str], conclusion: str) -> list[tuple[str, str]]:
    """The recorded outputs between the requests of one chain."""
    first, second, third = chain
    analysis = second.removeprefix(first).removesuffix(wire.VERIFY_START)
    written = third.removeprefix(second)
    code = written[: written.index(wire.CODE_OUTPUT_START)]
    return [(first, analysis), (second, code), (third, conclusion)]


def problem_and_step(request: str) -> tuple[Problem, Solution]:
    turn = request.split("<｜User｜>Question: ")[1].split("<analyze>")[0]
    question, step = turn.split("\n\n", 1)
    return Problem("jo-and-kate", question), Solution(step, (step,), "stop")


def write(path: Path, pairs: list[tuple[str, str]]) -> Path:
    rows = [{"prompt": p, "completions": [{"text": t, "finish_reason": "stop"}]} for p, t in pairs]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


CONCLUSION = "No error here.\n</verify>\n<output>\n**Judgement**: $\\boxed{Yes}$\n</output>\n"


@pytest.mark.parametrize("cell", [6, 8])
async def test_requests_and_reward_are_the_recorded_ones(transcripts: list[dict], cell: int, tmp_path: Path) -> None:
    chains = chains_of(transcripts, cell)
    assert len(chains) == (1 if cell == 6 else 8)
    output = next(json.loads(row["text_escaped"])[0] for row in transcripts if row["kind"] == "Model Output")
    conclusion = output.rpartition("```\n")[2] if cell == 6 else CONCLUSION
    pairs = [pair for chain in chains for pair in completions_of(chain, conclusion)]
    engine = RecordingReplay(write(tmp_path / "recording.jsonl", pairs))
    await engine.start()
    problem, solution = problem_and_step(chains[0][0])

    verdict = await GenPRM(engine, InProcessSandbox(), votes=len(chains)).verify(problem, solution)

    assert sorted(engine.asked) == sorted(request for chain in chains for request in chain)
    reward = next(float(row["text"]) for row in transcripts if row["cell"] == cell and row["kind"] == "Reward")
    assert verdict.scores == (reward,)
    if cell == 6:
        assert verdict.votes[0].critiques == (output,)
