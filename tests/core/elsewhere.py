"""What another process does with values that it is sent: run as a program, it reads a pickle and writes one."""

from __future__ import annotations

import asyncio
import pickle
import sys

from tts.core import Problem, Solution, Verdict
from tts.core.verifier import Verifier
from tts.engines.scripted import ScriptedEngine
from tts.runtime.guards import CheckedVerifier
from tts.sandbox.none import NoExecution
from verifiers.generative import genprm_format as wire
from verifiers.generative.genprm import GenPRM


def answer(prompt: str, seed: int) -> str:
    """A model whose verdict tells how much of the conversation it has read."""
    if prompt.endswith(wire.OUTPUT_START):
        return "{Yes}$\n</output>\n" if len(prompt) % 2 else "{No}$\n</output>\n"
    return f"{len(prompt)} characters ({seed})\n</analyze>\n"


def verifier() -> Verifier:
    return CheckedVerifier(GenPRM(ScriptedEngine(answer), NoExecution(), votes=2, verify=False))


def judge(problem: Problem, solution: Solution, prior: Verdict | None) -> Verdict:
    return asyncio.run(verifier().verify(problem, solution, prior))


if __name__ == "__main__":
    problem, solution, prior, sent = pickle.load(sys.stdin.buffer)
    # The problem as it is made here, of its own text, has to be the one that came.
    again = Problem(problem.id, problem.question, problem.answer, {}, problem.messages, problem.attachments)
    assert again == problem
    assert {problem: 1}[again] == 1
    pickle.dump((judge(problem, solution, prior), sent), sys.stdout.buffer)
