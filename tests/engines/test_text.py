from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.conftest import tokenizer
from tts.engines.transformers.text import TextStream, Vocabulary

BYTE_LEVEL = tokenizer()


def byte_fallback_tokenizer() -> Any:
    """Returns a tokenizer of Llama 2's and Gemma's kind."""
    from tokenizers import Tokenizer, decoders, models, normalizers
    from transformers import PreTrainedTokenizerFast

    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "a", "b", "▁a", "ab", "é", "▁b"]
    backend = Tokenizer(
        models.BPE({word: i for i, word in enumerate(words)}, [], unk_token="<unk>", byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")


def stream_of(vocabulary: Vocabulary, ids: list[int], stops: tuple[str, ...] = ()) -> tuple[TextStream, list[bool]]:
    stream = TextStream(vocabulary, stops)
    hits = [stream.push(token) for token in ids]
    stream.finish()
    return stream, hits


@settings(deadline=None)
@given(st.text())
def test_tokens_join_to_the_text_they_came_from(text: str) -> None:
    ids = BYTE_LEVEL(text, add_special_tokens=False)["input_ids"]
    stream, _ = stream_of(Vocabulary(BYTE_LEVEL), ids)
    assert "".join(stream.pieces) == text
    assert len(stream.pieces) == len(ids)


@settings(deadline=None)
@given(st.lists(st.integers(0, len(BYTE_LEVEL) - 2), min_size=1))
def test_any_tokens_give_what_the_tokenizer_decodes(ids: list[int]) -> None:
    stream, _ = stream_of(Vocabulary(BYTE_LEVEL), ids)
    assert "".join(stream.pieces) == BYTE_LEVEL.decode(ids)


@settings(deadline=None)
@given(st.text(alphabet="abé ☃👍", min_size=1))
def test_byte_fallback(text: str) -> None:
    tokens = byte_fallback_tokenizer()
    ids = tokens(text, add_special_tokens=False)["input_ids"]
    stream, _ = stream_of(Vocabulary(tokens), ids)
    # The normaliser's own blank in front belongs to the first token: a completion may begin with a blank.
    assert "".join(stream.pieces) == " " + text


def test_a_character_belongs_to_the_token_that_completes_it() -> None:
    ids = BYTE_LEVEL("a☃b", add_special_tokens=False)["input_ids"]
    stream, _ = stream_of(Vocabulary(BYTE_LEVEL), ids)
    assert stream.pieces == ["a", "", "", "☃", "b"]


@pytest.mark.parametrize("token", [len(BYTE_LEVEL) - 1, len(BYTE_LEVEL) + 5])
def test_special_tokens_are_spelled_out_and_unknown_ids_are_empty(token: int) -> None:
    expected = "<eos>" if token < len(BYTE_LEVEL) else ""
    assert Vocabulary(BYTE_LEVEL).text(token) == expected


@settings(deadline=None)
@given(st.text(alphabet="ab☃", max_size=20), st.lists(st.text(alphabet="ab☃", min_size=1, max_size=5), max_size=3))
def test_a_stop_string_is_noticed_with_the_token_that_completes_it(text: str, stops: list[str]) -> None:
    ids = BYTE_LEVEL(text, add_special_tokens=False)["input_ids"]
    stream = TextStream(Vocabulary(BYTE_LEVEL), stops)
    for token in ids:
        hit = stream.push(token)
        assert hit == any(stop in "".join(stream.pieces) for stop in stops)
        if hit:
            break
