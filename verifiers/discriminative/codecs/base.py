"""What a codec is, and what codecs share."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from tts.core import Solution
from tts.core.errors import ProblemError
from tts.core.settings import SettingError, refused
from tts.engines.chat_format import FORMATS, TEMPLATE
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest, ScoreRows
from verifiers.discriminative.readout import Readout
from verifiers.stepwise import judged_steps

_NUMBER = re.compile(r"^step\s*\d+\s*[:.]\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Rendering:
    """A solution as its model reads it.

    Attributes:
        readings: What to read; one sequence for all steps where the format allows.
        rows: How many of the rows read, those of all readings one after the other, belong to each score.
    """

    readings: tuple[ScoreRequest, ...]
    rows: tuple[int, ...]


class Codec(ABC):
    """A published input format. Holds no weights and does no compute: what it does can be pinned by plain values.

    Args:
        readout: How a row of what the model says becomes a score.

    Attributes:
        wholes: Whether there is one score for the whole solution.
    """

    wholes = False

    def __init__(self, readout: Readout) -> None:
        self.readout = readout

    @abstractmethod
    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Rendering:
        """Returns what the model is to read, with a score for each judged step or one for the whole solution.

        Raises:
            UserError: The format does not fit the tokenizer.
            ProblemError: The question or a step holds what the format reserves.
        """

    def scores(self, rows: Sequence[ScoreRows]) -> tuple[float, ...]:
        """Returns the scores.

        Args:
            rows: The rows of each score, as many as its rendering says.
        """
        return tuple(self.readout(step[-1]) for step in rows)

    def check(self, tokenizer: LocalTokenizer) -> None:
        """Raises UserError where the format does not fit the tokenizer, or what is rendered is not what can be read."""
        steps = ("Add 2 and 2.", "The answer is 4.")
        try:
            rendering = self.render(tokenizer, "What is 2 + 2?", Solution("\n\n".join(steps), steps, "stop"))
        except ProblemError as error:
            raise SettingError("", f"it does not fit this model's tokenizer; tried on two steps: {error}") from None
        wrong = _wrong(rendering, 1 if self.wholes else len(steps))
        if wrong is not None:
            raise SettingError("", f"{type(self).__name__}.render: {wrong} (tried on two steps)")


def _wrong(rendering: object, scores: int) -> str | None:
    """Returns what is wrong with the rendering of a solution that gets this many scores, None where nothing is."""
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
    """Cuts rows into runs of `counts`."""
    return tuple(rows[begin:end] for begin, end in pairwise(accumulate(counts, initial=0)))


def texts(solution: Solution) -> tuple[str, ...]:
    """Returns the judged steps without white space around them, as the official evaluations have them."""
    return tuple(step.strip() for step in judged_steps(solution))


def numbered(template: str, number: int, step: str) -> str:
    """Fills `{number}` (1-based) and `{step}` in; a template with a number takes the place of a "Step 3:"."""
    if "{number}" in template:
        step = _NUMBER.sub("", step)
    return filled(template, number=str(number), step=step)


def filled(template: str, **values: str) -> str:
    """Fills `{key}` in for each value, once and all at once; other braces are text."""
    return re.sub(r"\{(" + "|".join(values) + r")\}", lambda match: values[match[1]], template)


def token_id(
    tokenizer: LocalTokenizer, text: str, setting: str, expected: int | None = None, id_setting: str = ""
) -> int:
    """Returns the id of a text that is one token.

    Args:
        tokenizer: The model's.
        text: The text.
        setting: The codec's setting that holds the text, for messages.
        expected: The id that the published model uses, None where any is right.
        id_setting: The codec's setting that holds the id.

    Raises:
        SettingError: It is several tokens, or another id than expected.
    """
    ids = tokenizer.split(text)
    if len(ids) != 1:
        raise refused(
            setting,
            text,
            f"it is {len(ids)} tokens in this model's tokenizer ({ids}), and it has to be one; choose the model that the "
            "format is of, or the token that this model was trained with",
        )
    if expected is not None and ids[0] != expected:
        raise refused(
            setting,
            text,
            f"it is token {ids[0]} in this model's tokenizer, and {expected} in the model that the format is of; set "
            f"{id_setting}=null if this model was trained with its own",
        )
    return ids[0]


def refuse(reserved: str, question: str, steps: Sequence[str]) -> None:
    """Raises ProblemError where the text that a format reserves occurs in the question or a step."""
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
        tokenizer: Whose chat template is used where `chat` is `template`.
        chat: A key of `tts.engines.chat_format.FORMATS`, or `template`.
        system: The system turn; None sends none, and a template may then put in its own.
        turns: Role and content of each turn.
        answer: Whether to open the assistant's turn at the end.
    """
    messages = [{"role": "system", "content": system}] if system is not None else []
    messages += [{"role": role, "content": content} for role, content in turns]
    if chat == TEMPLATE:
        return tokenizer.render(messages, answer=answer)
    return FORMATS[chat].render(messages, answer=answer)
