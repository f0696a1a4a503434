"""GenPRM's wire format: the strings that the released models were trained on, and the read-out of their answers.

Source: RyanLiu112/GenPRM, `src/prm_evaluation/genprm_inference.py` at cc80f47 (arXiv 2504.00891). Every string is exact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp
from typing import Literal

from tts.core import Message
from tts.engines.generating import Token
from tts.sandbox.base import Execution

SYSTEM_CRITIQUE = "You are a math teacher. Your task is to review and critique the paragraphs in solution step by step."
SYSTEM_DIRECT = (
    "You are a math teacher. Your task is to review and critique the paragraphs in solution directly. "
    "Output your judgement in the format of `\\boxed{Yes}` if the paragraph is correct, "
    "or `\\boxed{No}` if the paragraph is incorrect."
)

FIRST_TURN = {
    # The README, the demo, the model card and the training data.
    "question": "Question: {problem}\n\n{step}",
    # `prm_evaluate.py`, which produced the published ProcessBench numbers.
    "plain": "{problem}\n{step}",
}

ANALYZE_START = "<analyze>\nLet's analyze the Paragraph {} step by step: "
ANALYZE_CLOSE = "</analyze>"
ANALYZE_STOP = "</analyze>\n"
VERIFY_START = "<verify>\nLet's use python code to find any potential error:\n```python\n"
VERIFY_STOP = "</verify>\n"
CODE_STOP = "\n```\n"
CODE_OUTPUT = "[Code Output]\n\n```\n{}\n```\n"
CODE_OUTPUT_START = "[Code Output]\n\n```\n"
OUTPUT_OPEN = "<output>"
OUTPUT_START = "<output>\n**Judgement**: $\\boxed"
OUTPUT_STOP = "</output>\n"

Readout = Literal["soft", "as_sampled", "hard"]

_CODE = re.compile(r"```python(.*?)```", re.DOTALL)
_VERDICT = re.compile(r"\\boxed\{\s*(?:\\text\{\s*)?(?P<word>Yes|No)\b", re.IGNORECASE)
_COUNTERPART = {"yes": "No", "no": "Yes"}


def first_turn(form: str, problem: str, step: str) -> str:
    """Returns the first user turn, with the problem and the first step; `form` is a key of `FIRST_TURN`."""
    head, middle = FIRST_TURN[form].split("{problem}")
    return head + problem + middle.replace("{step}", step)


def conversation(
    form: str, problem: str, steps: Sequence[str], judgements: Sequence[str], *, direct: bool = False
) -> list[Message]:
    """Returns a conversation about steps: a user's turn for each, followed by its judgement as far as there are any.

    Args:
        form: A key of `FIRST_TURN`.
        problem: The problem.
        steps: The steps.
        judgements: The assistant's turns about the first of them.
        direct: Whether the model judges without reasoning.
    """
    messages: list[Message] = [{"role": "system", "content": SYSTEM_DIRECT if direct else SYSTEM_CRITIQUE}]
    for number, step in enumerate(steps):
        messages.append({"role": "user", "content": step if number else first_turn(form, problem, step)})
        if number < len(judgements):
            messages.append({"role": "assistant", "content": judgements[number]})
    return messages


def last_code(text: str) -> str | None:
    """Returns the last closed python block of `text`, None if there is none."""
    blocks = _CODE.findall(text)
    return blocks[-1].strip() if blocks else None


def execution_result(execution: Execution | None) -> str:
    """Returns the output of the code as shown to the model.

    As in training, output printed before an error is not shown.

    Args:
        execution: None if there was no code to run.
    """
    if execution is None:
        return "Code format error: No code found."
    if execution.timed_out:
        return "Code execute time out: Code execution timed out"
    if execution.error_type is not None:
        return f"Code execute Error: {execution.error_type}: {execution.error_message}"
    return execution.stdout.strip()


def read_verdict(text: str, start: int, tokens: Sequence[Token] | None, readout: Readout) -> float | None:
    r"""Reads the probability of Yes from a finished judgement.

    The verdict is the word after the last `\boxed{` of the judgement's output part. The official read-out takes the
    decision from the first `Yes}` or `No}` of the whole text and its probability from the last such token; the two differ
    if the analysis also mentions a verdict.

    Args:
        text: The assistant's whole turn.
        start: Offset in `text` of the last completion.
        tokens: The last completion's tokens; None if the engine reports none.
        readout: `soft`: p(Yes) / (p(Yes) + p(No)) under the model. `as_sampled`: the same under the distribution sampled
            from (temperature, top-k and top-p applied), which saturates at exactly 0 and 1, as in the published runs.
            `hard`: 1 or 0 by the word.

    Returns:
        A number in [0, 1]; None if there is no verdict. Without tokens the word alone decides, as in `hard`.
    """
    region = max(text.rfind(OUTPUT_OPEN), 0) if OUTPUT_OPEN in text else start
    last_box = text.rfind("\\boxed", region)
    match = _VERDICT.match(text, last_box) if last_box >= 0 else None
    if match is None:
        return None
    word = match["word"]
    hard = 1.0 if word.lower() == "yes" else 0.0
    offset = match.start("word") - start
    token = _token_at(tokens, offset) if tokens is not None and readout != "hard" else None
    if token is None:
        return hard
    found, at = token
    p_word, p_other = _pair(found, at, word, found.top if readout == "soft" else found.sampled)
    p_yes, p_no = (p_word, p_other) if hard else (p_other, p_word)
    return p_yes / (p_yes + p_no) if p_yes + p_no > 0 else hard


def _token_at(tokens: Sequence[Token], offset: int) -> tuple[Token, int] | None:
    """Returns the token that contains the character at `offset` and the character's position in it."""
    for token in tokens:
        if 0 <= offset < len(token.text):
            return token, offset
        offset -= len(token.text)
    return None


def _pair(token: Token, at: int, word: str, logprobs: Mapping[str, float]) -> tuple[float, float]:
    """Returns the probabilities of the verdict token and of its opposite.

    The opposite is the same token with the other word in it. If the engine does not report it, the least likely reported
    token is its upper bound, as in the official code.
    """
    rest = token.text[at:]
    tail = rest[len(word) :]
    counterpart = token.text[:at] + (_COUNTERPART[word.lower()] + tail)
    chosen = logprobs.get(token.text, token.logprob)
    other = logprobs.get(counterpart)
    if other is None:
        other = min((lp for text, lp in logprobs.items() if text != token.text), default=float("-inf"))
    return exp(chosen), exp(other)
