r"""GenPRM's rationales: a reasoning model verifies all paragraphs with code, then names the first wrong one.

Source: arXiv 2504.00891, 3.2.3 and A.2; `src/rationale_generation/process.py` of RyanLiu112/GenPRM at cc80f47. Its prompt is
`genprm.txt`, its strings are exact. The model writes until `</think>`; its code runs in one namespace and its output is
fed back. What follows the last `</verify>` is then cut off, and the model is asked several times for the number of the
first wrong paragraph. The paper does not say how these answers make one: here it is the one of more than half of them.

What was written about a paragraph becomes the assistant's turn about it (`genprm_sections`). Turns end with the first
wrong paragraph: the number says nothing about those after it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

from tts.core import Message, Problem
from tts.core.errors import UserError
from tts.core.rationale import Judged, Rationale
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    OneOf,
    PositiveFloat,
    PositiveInt,
    PositiveProbability,
    settings,
)
from tts.engines.chat_format import TEMPLATE, ChatName, render
from tts.engines.generating import Engine, Sampling
from tts.engines.seeded import SeededSampler
from tts.sandbox.base import Chain, Sandbox
from verifiers.generative import genprm_format as wire
from verifiers.generative.turns import require_continuation
from verifiers.rationales.base import BaseWriter, Unusable, dropped, finished
from verifiers.rationales.genprm_sections import turns

SYSTEM = (
    "You are a math teacher. Your task is to review and critique the paragraphs in solution step by step "
    "with python code."
)
PROMPT = Path(__file__).with_suffix(".txt").read_text("utf-8")
OPENING = "<think>\n### Paragraph 1\n<analyze>\n"
THINK_CLOSE = "</think>"
VERIFY_CLOSE = "</verify>"
CONCLUSION = (
    "\n### Final Conclusion\n\nAccording to the requirement, I need to return the **index of the paragraph where the "
    'earliest error occurs**. Otherwise, return the **index of -1 (which typically denotes "not found")**.'
    "\n\nANSWER: \\boxed"
)
_INDEX_TOKENS = 16

_STEP_NUMBER = re.compile(r"\AStep \d+:\s*")
_INDEX = re.compile(r"\{\s*(-?\d+)\s*\}")
_SAID = re.compile(r"\\boxed\{\s*(-?\d+)\s*\}")


@settings
class PromptedGenPRM(BaseWriter):
    """Writes GenPRM's rationales with any model that continues a begun turn.

    Args:
        engine: The model.
        sandbox: Where its code runs.
        chat: Chat format of the model.
        first_turn: Form of the first user's turn of the training conversation, a key of `genprm_format.FIRST_TURN`.
        temperature: Sampling temperature.
        top_p: Nucleus sampling threshold.
        top_k: 0 disables it.
        repetition_penalty: 1 disables it.
        max_tokens: Bound of the turn, code and its output included.
        rounds: Maximum number of completions, each ended by a piece of code.
        conclusions: How often the model is asked for its conclusion.
        seed: The run's seed.
    """

    def __init__(
        self,
        engine: Engine,
        sandbox: Sandbox,
        chat: ChatName = TEMPLATE,
        first_turn: Annotated[str, OneOf(wire.FIRST_TURN)] = "question",
        temperature: NonNegativeFloat = 0.6,
        top_p: PositiveProbability = 0.95,
        top_k: NonNegativeInt = 40,
        repetition_penalty: PositiveFloat = 1.0,
        max_tokens: PositiveInt = 16384,
        rounds: PositiveInt = 64,
        conclusions: PositiveInt = 4,
        seed: int = 0,
    ) -> None:
        self._client = SeededSampler(engine, seed)
        self._sandbox = sandbox
        self.runs_code = sandbox.executes
        self._chat, self._first_turn = chat, first_turn
        self._sampling = partial(
            Sampling,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            include_stop=True,
        )
        self._max_tokens, self._rounds, self._conclusions = max_tokens, rounds, conclusions

    def check(self) -> None:
        """Raises UserError if the model does not continue a begun turn, or nothing runs its code."""
        self._prompt(self._asked(Problem("", ""), [""]))
        require_continuation(
            self._client.engine, "a rationale is written in several parts, between which its code runs"
        )
        if not self._sandbox.executes:
            raise UserError(
                f"writer ({type(self).__name__}) has code run while it writes, and sandbox=none runs none; choose "
                "sandbox=auto"
            )

    def token_bound(self, steps: int) -> int | None:
        """Returns the bound of a turn and its conclusions."""
        return self._max_tokens + self._conclusions * _INDEX_TOKENS

    def preview(self, problem: Problem, steps: Sequence[str]) -> str:
        """Returns the prompt of the first request, with a mark where the completion begins."""
        return self._prompt(self._asked(problem, steps)) + "⟦…⟧"

    async def write(self, problem: Problem, steps: Sequence[str], sample: int) -> Rationale:
        """Writes a rationale about a solution."""
        asked = self._asked(problem, steps)
        prompt = self._prompt(asked)
        text = OPENING
        namespace = self._sandbox.chain()
        try:
            text, ended = await self._verify(prompt, sample, namespace)
            if not ended:
                raise Unusable("cut")
            head, closed, tail = text.rpartition(VERIFY_CLOSE)
            if not closed:
                raise Unusable("malformed")
            first = await self._conclude(prompt + head.removeprefix(OPENING) + closed, len(steps))
            said = _SAID.findall(tail)
            if said and int(said[-1]) != first:
                raise Unusable("contradiction")
            judged = _judged(first, len(steps))
            written = turns(head + closed, [right for right in judged if right is not None])
        except Unusable as fault:
            return dropped(asked, text, fault.reason)
        finally:
            await namespace.close()
        messages = wire.conversation(self._first_turn, problem.text, steps[: len(written)], [*map(str, written)])
        return await finished(self._client.engine, messages, judged)

    def _asked(self, problem: Problem, steps: Sequence[str]) -> list[Message]:
        """Returns the request; step numbers written by the policy are removed."""
        bare = (_STEP_NUMBER.sub("", step, count=1) for step in steps)
        solution = "\n\n".join(f"<paragraph_{k}>\n{step}\n</paragraph_{k}>" for k, step in enumerate(bare, 1))
        content = PROMPT.format(problem=problem.text, solution=solution)
        return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]

    def _prompt(self, asked: Sequence[Message]) -> str:
        return render(self._chat, asked, self._client.engine) + OPENING

    async def _verify(self, prompt: str, sample: int, namespace: Chain) -> tuple[str, bool]:
        """Returns the assistant's turn up to the end of its thinking, and whether this was reached within the limits."""
        text = ""
        for _ in range(self._rounds):
            left = self._max_tokens - await self._client.engine.count_tokens(OPENING + text)
            if left <= 0:
                break
            sampling = self._sampling(max_tokens=left, stop=(wire.CODE_STOP, THINK_CLOSE))
            completion = await self._client.complete(prompt + text, sampling, sample)
            text += completion.text
            if completion.finish_reason == "length":
                break
            if completion.stop != wire.CODE_STOP:
                return OPENING + text, True
            code = wire.last_code(completion.text)
            if code is not None:
                text += wire.CODE_OUTPUT.format(wire.execution_result(await namespace.run(code)))
        return OPENING + text, False

    async def _conclude(self, prompt: str, steps: int) -> int:
        """Returns the number of the first wrong paragraph, -1 for none.

        Raises:
            Unusable: The conclusions name no paragraph, or no majority of them the same.
        """
        sampling = self._sampling(max_tokens=_INDEX_TOKENS, stop=("}",))
        named: Counter[int] = Counter()
        async for completion in self._client.sample(prompt + CONCLUSION, sampling, range(self._conclusions)):
            found = _INDEX.match(completion.text)
            if found is not None:
                named[int(found[1])] += 1
        first, times = max(named.items(), key=lambda pair: pair[1], default=(0, 0))
        if 2 * times <= self._conclusions or not (first == -1 or 1 <= first <= steps):
            raise Unusable("undecided")
        return first


def _judged(first: int, steps: int) -> Judged:
    """Returns what the number of the first wrong paragraph, -1 for none, says of the steps."""
    if first < 0:
        return (True,) * steps
    return (*(True,) * (first - 1), False, *(None,) * (steps - first))
