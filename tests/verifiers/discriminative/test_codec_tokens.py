"""Codecs and tokenizers: the published ids, and those that a format is not of."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from tests.verifiers.discriminative.test_codecs import solution
from tests.verifiers.discriminative.tiny import Local, codec
from tts.core.errors import ProblemError, UserError


def sparse(ids: dict[str, int]) -> Local:
    """A tokenizer of single characters and some words, which have the given ids."""
    characters = [chr(i) for i in range(32, 127)] + ["\n"]
    free_ids = (i for i in range(200_000) if i not in set(ids.values()))
    vocab = {**{c: next(free_ids) for c in characters if c not in ids}, **ids}
    backend = Tokenizer(models.WordLevel(vocab, unk_token=" "))
    words = [word for word in ids if len(word) > 1]
    backend.add_tokens(words)
    backend.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return Local(
        PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="\n", chat_template="{{ messages[-1].content }}")
    )


def test_the_published_ids() -> None:
    (qwen,) = codec("qwen2.5-math-prm-7b").render(sparse({"<extra_0>": 151651}), "Q", solution("A", "B")).readings
    assert [i for i, token in enumerate(qwen.tokens) if token == 151651] == list(qwen.positions) == [1, 3]
    shepherd = sparse({"ки": 12902, "+": 648, "-": 387})
    (reading,) = codec("math-shepherd").render(shepherd, "Q", solution("A", "B")).readings
    assert [i for i, token in enumerate(reading.tokens) if token == 12902] == list(reading.positions)
    assert reading.candidates == ((648, 387), (648, 387))
    (reading,) = (
        codec("rlhflow-orm-mistral", "verifier.codec.chat=llama-3")
        .render(sparse({"+": 10, "-": 12}), "Q", solution("A"))
        .readings
    )
    assert reading.candidates == ((10, 12),)
    assert reading.tokens[reading.positions[0] + 1] == 10


@pytest.mark.parametrize(
    ("name", "ids", "says"),
    [
        (
            "qwen2.5-math-prm-7b",
            {"<extra_0>": 7},
            r"separator=<extra_0>: it is token 7 .* but 151651 .*separator_id=null",
        ),
        ("qwen2.5-math-prm-7b", {}, r"separator=<extra_0>: it is 9 tokens"),
        ("math-shepherd", {"ки": 12902, "+": 648}, r"labels\.texts=-: it is token .* but 387\d* .*labels\.ids=null"),
        ("math-shepherd", {}, r"separator=ки: it is 2 tokens"),
        ("eurusprm-stage1", {}, None),
    ],
)
def test_a_tokenizer_that_the_format_is_not_of_is_refused(name: str, ids: dict[str, int], says: str | None) -> None:
    made = codec(name)
    if says is None:
        with pytest.raises((UserError, ProblemError)):
            made.check(sparse(ids))
    else:
        with pytest.raises(UserError, match=says):
            made.check(sparse(ids))
