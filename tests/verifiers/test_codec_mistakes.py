"""A separator that does not tokenise to what a codec expects is one message, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.verifiers.discriminative.tiny import Local, tokenizer
from tts.core import Solution
from tts.core.errors import UserError
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest
from verifiers.discriminative.codecs.base import Codec, Rendering
from verifiers.discriminative.codecs.separator import SeparatorCodec
from verifiers.discriminative.readout import Softmax


@pytest.mark.parametrize(
    ("separator", "settings", "says"),
    [
        # One token by itself, but not behind a full stop.
        ("\n\n", {}, r"found 0 times in a solution of 2 steps: it becomes part of other tokens"),
        ("\n", {"chat": "template"}, r"found 8 times .* or the chat template contains it"),
        ("<extra_0>", {"between": "<extra_0>"}, r"found 3 times in a solution of 2 steps"),
        (".", {}, r"step 1 holds '\.', which marks the ends of steps"),
    ],
)
def test_a_separator_that_is_not_found_behind_each_step_is_named(separator: str, settings: dict, says: str) -> None:
    with pytest.raises(UserError, match=rf"^it does not fit this model's tokenizer.*{says}"):
        SeparatorCodec(Softmax([1]), separator, **settings).check(Local(tokenizer()))


def test_no_separator_is_named() -> None:
    with pytest.raises(UserError, match=r"^separator='': it must not be empty"):
        SeparatorCodec(Softmax([1]), "")


class Given(Codec):
    """A plug-in that renders what it is told to."""

    def __init__(self, rendering: object, wholes: bool = False) -> None:
        super().__init__(Softmax([1]))
        self.rendering, self.wholes = rendering, wholes

    def render(self, tokenizer: LocalTokenizer, question: str, solution: Solution) -> Any:
        return self.rendering


def rendering(
    positions: tuple[int, ...], rows: tuple[int, ...], candidates: tuple[tuple[int, ...], ...] = ()
) -> Rendering:
    return Rendering((ScoreRequest((1, 2, 3, 4), positions, candidates),), rows)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (rendering((1, 3), (1, 2)), r"rows=\(1, 2\) takes 3 rows, one or more a score, and 2 positions are read"),
        (rendering((1, 3), (2, 0)), r"rows=\(2, 0\) takes 2 rows, one or more a score, and 2 positions are read"),
        (rendering((1, 3), (2,)), r"rows=\(2,\) makes 1 scores, and 2 are needed"),
        (rendering((1, 4), (1, 1)), "position 4 is outside of the 4 tokens that are read"),
        (rendering((-1, 3), (1, 1)), "position -1 is outside of the 4 tokens"),
        (rendering((3, 1), (1, 1)), r"the positions \[3, 1\] do not ascend"),
        (rendering((3, 3), (1, 1)), r"the positions \[3, 3\] do not ascend"),
        (rendering((1, 3), (1, 1), ((5, 6),)), "there are candidates for 1 positions, and 2 are read"),
        (rendering((1, 3), (1, 1), ((5, 6), (5,))), r"the numbers of candidates differ: \[2, 1\]"),
        ([1, 2], "it returned a list, and a Rendering is needed"),
    ],
)
def test_a_plug_in_whose_counts_do_not_agree_is_refused_before_anything_is_read(given: object, says: str) -> None:
    with pytest.raises(UserError, match=rf"^Given\.render: {says}"):
        Given(given).check(Local(tokenizer()))


@pytest.mark.parametrize("wholes", [False, True])
def test_counts_that_agree_are_taken(wholes: bool) -> None:
    Given(rendering((0, 1, 3), (3,) if wholes else (1, 2), ((5, 6),) * 3), wholes).check(Local(tokenizer()))
