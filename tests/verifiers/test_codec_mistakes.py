"""A separator that does not tokenise to what a codec expects is one message, before anything is computed."""

from __future__ import annotations

import pytest

from tests.verifiers.discriminative.tiny import Local, tokenizer
from tts.core.errors import UserError
from verifiers.discriminative.codecs.separator import SeparatorCodec
from verifiers.discriminative.readout import Softmax


@pytest.mark.parametrize(
    ("separator", "settings", "says"),
    [
        # One token by itself, but not behind a full stop.
        ("\n\n", {}, r"found 0 times in a solution of 2 steps: it becomes part of other tokens"),
        ("\n", {"chat": "template"}, r"found 8 times .* or the chat template holds it"),
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
