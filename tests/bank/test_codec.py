"""What is put is got."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.bank.codec import pack, unpack
from tts.engines.base import Completion, Token

# Also lone surrogates, which a model's bytes can become.
texts = st.text(st.characters(), max_size=8)
numbers = st.floats(allow_nan=False) | st.floats(-30, 0, width=32) | st.just(-math.inf)
mappings = st.dictionaries(texts, numbers, max_size=6)


@st.composite
def tokens(draw: st.DrawFn) -> Token:
    top = draw(mappings)
    same = st.just(dict.fromkeys(top, -1.0)) | mappings
    return Token(draw(texts), draw(numbers), top, draw(same))


completions = st.builds(
    Completion,
    st.text(st.characters()),
    st.sampled_from(["stop", "length"]),
    st.none() | texts,
    st.none() | st.lists(tokens(), max_size=5).map(tuple),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
)


@given(completions)
def test_a_completion_comes_back_to_the_last_bit(completion: Completion) -> None:
    again = unpack(pack(completion), index=completion.index)
    assert again == completion
    assert again.recorded
    for before, after in zip(completion.tokens or (), again.tokens or (), strict=True):
        # Equal mappings may differ in their order, and 0.0 equals -0.0.
        assert repr(after) == repr(Token(before.text, before.logprob, dict(before.top), dict(before.sampled)))


@given(completions, st.data())
def test_damage_is_noticed(completion: Completion, data: st.DataObject) -> None:
    body = bytearray(pack(completion))
    body[data.draw(st.integers(2, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        again = unpack(bytes(body))
    except ValueError:
        return
    assert again == completion  # bits that the format does not use
    with pytest.raises(ValueError, match="not a packed completion"):
        unpack(bytes(body[:-5]))
