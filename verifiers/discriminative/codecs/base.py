"""The base class of codecs, and helpers that they share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Literal

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import SettingError, refused
from tts.engines.chat_format import FORMATS, TEMPLATE
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest, ScoreRows
from verifiers.discriminative.readout import Readout
from verifiers.stepwise import judged_steps

if TYPE_CHECKING:
    from torch import Tensor

_NUMBER = re.compile(r"^step\s*\d+\s*[:.]\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Rendering:
    """A solution rendered for the model.

    Attributes:
        readings: The requests to score; one sequence for all steps if the format allows.
        rows: The number of rows that belong to each score; rows of all requests are concatenated.
    """

    readings: tuple[ScoreRequest, ...]
    rows: tuple[int, ...]


class Codec(ABC):
    """A published input format. It holds no weights and runs no model, so that tests can pin it with plain values.

    Args:
        readout: Turns a row of the model's values into a score.

    Attributes:
        wholes: Whether there is one score for the whole solution.
    """

    wholes = False

    def __init__(self, readout: Readout) -> None:
        self.readout = readout

    @abstractmethod
    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """Returns the model's input, with a score for each judged step or one for the whole solution.

        Raises:
            UserError: The format does not fit the tokenizer.
            ProblemError: The question or a step contains text that the format reserves.
        """

    def scores(self, rows: Sequence[ScoreRows]) -> tuple[float, ...]:
        """Returns the scores.

        Args:
            rows: The rows of each score, grouped as the rendering specifies.
        """
        return tuple(self.readout(step[-1]) for step in rows)

    def logits(self, values: Tensor, counts: Sequence[int]) -> Tensor:
        """Returns the log-odds of a solution's scores, `[scores]`, for training (`tts train`).

        Args:
            values: The rows, `[rows, values]`.
            counts: The number of rows that belong to each score, as the rendering specifies.
        """
        return self.readout.logits(values)[ends(counts)]

    def check(self, tokenizer: LocalTokenizer) -> None:
        """Raises UserError if the format does not fit the tokenizer, or if its rendering is invalid."""
        steps = ("Add 2 and 2.", "The answer is 4.")
        try:
            rendering = self.render(tokenizer, "What is 2 + 2?", Solution("\n\n".join(steps), steps, "stop"))
        except ProblemError as error:
            raise SettingError("", f"it does not fit this model's tokenizer; tried on two steps: {error}") from None
        wrong = _wrong(rendering, 1 if self.wholes else len(steps))
        if wrong is not None:
            raise SettingError("", f"{type(self).__name__}.render: {wrong} (tried on two steps)")


def _wrong(rendering: object, scores: int) -> str | None:
    """Returns what is wrong with the rendering of a solution that gets `scores` scores, None if it is valid."""
    if not isinstance(rendering, Rendering):
        return f"it returned a {type(rendering).__name__}, and a Rendering is needed"
    for reading in rendering.readings:
        positions, last = reading.positions, len(reading.tokens) - 1
        outside = [position for position in positions if not 0 <= position <= last]
        if outside:
            return f"position {outside[0]} is outside of the {last + 1} tokens that are read"
        if any(one >= next_one for one, next_one in pairwise(positions)):
            return f"the positions {list(positions)} do not ascend"
        if reading.candidates and len(reading.candidates) != len(positions):
            return f"there are candidates for {len(reading.candidates)} positions, and {len(positions)} are read"
        if len({len(ids) for ids in reading.candidates}) > 1:
            return f"the numbers of candidates differ: {[len(ids) for ids in reading.candidates]}"
    read = sum(len(reading.positions) for reading in rendering.readings)
    if len(rendering.rows) != scores:
        return f"rows={rendering.rows} makes {len(rendering.rows)} scores, and {scores} are needed"
    if any(count < 1 for count in rendering.rows) or sum(rendering.rows) != read:
        return f"rows={rendering.rows} takes {sum(rendering.rows)} rows, one or more a score, and {read} positions are read"
    return None


def split_rows(rows: ScoreRows, counts: Sequence[int]) -> tuple[ScoreRows, ...]:
    """Splits rows into consecutive groups of sizes `counts`."""
    return tuple(rows[begin:end] for begin, end in pairwise(accumulate(counts, initial=0)))


def ends(counts: Sequence[int]) -> list[int]:
    """Returns the index of the last row of each group."""
    return [end - 1 for end in accumulate(counts)]


def texts(solution: Solution) -> tuple[str, ...]:
    """Returns the judged steps without surrounding white space, as in the official evaluations."""
    return tuple(step.strip() for step in judged_steps(solution))


OwnNumbers = Literal["replace", "keep"]
"""What happens to the number that a step brings itself, such as "Step 3:", where the format numbers steps."""


def numbered(template: str, number: int, step: str, own: OwnNumbers = "replace") -> str:
    """Fills in `{number}` (1-based) and `{step}`.

    A template with a number replaces the step's own "Step 3:". With `keep`, what precedes `{step}` in the template is left
    out instead for a step that begins with "Step" or "step".
    """
    if own == "keep" and step.startswith(("Step", "step")):
        return filled(template[template.index("{step}") :], number=str(number), step=step)
    if "{number}" in template:
        step = _NUMBER.sub("", step)
    return filled(template, number=str(number), step=step)


def filled(template: str, **values: str) -> str:
    """Replaces `{key}` by its value for all values in one pass; other braces are text."""
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda match: values[match[1]], template)


def token_id(
    tokenizer: LocalTokenizer, text: str, setting: str, expected: int | None = None, id_setting: str = ""
) -> int:
    """Returns the id of a text that is one token.

    Args:
        tokenizer: The model's tokenizer.
        text: The text.
        setting: The codec's setting that holds the text, for messages.
        expected: The id that the published model uses, None if any is right.
        id_setting: The codec's setting that holds the id.

    Raises:
        SettingError: It is not a single token, or not the expected id.
    """
    ids = tokenizer.split(text)
    if len(ids) != 1:
        raise refused(
            setting,
            text,
            f"it is {len(ids)} tokens in this model's tokenizer ({ids}), but must be one; choose the model that the format "
            "belongs to, or the token that this model was trained with",
        )
    if expected is not None and ids[0] != expected:
        raise refused(
            setting,
            text,
            f"it is token {ids[0]} in this model's tokenizer, but {expected} in the model that the format belongs to; set "
            f"{id_setting}=null if this model was trained with its own",
        )
    return ids[0]


def refuse(reserved: str, question: str, steps: Sequence[str]) -> None:
    """Raises ProblemError if the question or a step contains the text that a format reserves."""
    named = chain([("the question", question)], ((f"step {number}", step) for number, step in enumerate(steps, 1)))
    for where, text in named:
        if reserved in text:
            raise ProblemError(
                f"{where} holds {reserved!r}, which marks the ends of steps for this verifier: its scores would belong to "
                "other steps"
            )


def chat_text(
    tokenizer: LocalTokenizer, chat: str, system: str | None, turns: Sequence[tuple[str, str]], *, answer: bool = False
) -> str:
    """Renders a conversation.

    Args:
        tokenizer: Its chat template is used if `chat` is `template`.
        chat: A key of `tts.engines.chat_format.FORMATS`, or `template`.
        system: The system turn; None sends none, and a template may then insert its own.
        turns: Role and content of each turn.
        answer: Whether to open the assistant's turn at the end.
    """
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages += [{"role": role, "content": content} for role, content in turns]
    if chat == TEMPLATE:
        return tokenizer.render(messages, answer=answer)
    return FORMATS[chat].render(messages, answer=answer)
