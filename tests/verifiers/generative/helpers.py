"""Scripted models for generative verifiers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log

from tts.core import Problem, Solution
from tts.engines.generating import Completion, Token
from tts.engines.scripted import ScriptedEngine

PROBLEM = Problem("p", "What is 1 + 1 + 1?", "3")
STEPS = ("1 + 1 = 2.", "2 + 1 = 3.", "The answer is \\boxed{3}.")
SOLUTION = Solution("\n\n".join(STEPS), STEPS, "stop")


def first(steps: int) -> Solution:
    return Solution("\n\n".join(STEPS[:steps]), STEPS[:steps])


def slot(top: Mapping[str, float]) -> Completion:
    """A slot's completion: the likeliest token, with these probabilities."""
    logprobs = {text: log(p) for text, p in top.items()}
    best = max(logprobs, key=logprobs.__getitem__)
    token = Token(best, logprobs[best], logprobs, dict.fromkeys(logprobs, 0.0))
    return Completion(best, "stop", tokens=(token,), completion_tokens=1)


def model(
    thought: str | Callable[[str, int], str | Completion], decision: Mapping[str, float] | Callable[[str], Mapping]
) -> ScriptedEngine:
    """A model that writes `thought`, and decides with `decision` wherever one token is asked for.

    The engine's script cannot see the request, so a decision is told by the question that the prompt ends with.
    """

    def answer(prompt: str, seed: int) -> str | Completion:
        if prompt.endswith(("correct?", "(Yes/No)?", "\\boxed{")):
            return slot(decision(prompt) if callable(decision) else decision)
        return thought(prompt, seed) if callable(thought) else thought

    return ScriptedEngine(answer)
