"""What is put is got."""

from __future__ import annotations

import base64
import math
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.bank.codec import pack, unpack
from tts.engines.generating import Completion, Token

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
    reasoning=st.just("") | st.text(st.characters()),
    unseen_tokens=st.just(0) | st.integers(0, 2**40),
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
def test_tokens_that_are_not_unpacked_yet_are_a_sequence_like_any_other(
    completion: Completion, data: st.DataObject
) -> None:
    tokens, body = completion.tokens, pack(completion)
    if tokens is None:
        return
    # Each from the bytes anew: whatever is asked first finds them.
    assert unpack(body).tokens == tokens == unpack(body).tokens
    assert (unpack(body).tokens == (*tokens, Token("", 0.0, {}, {}))) is False
    assert list(unpack(body).tokens or ()) == list(tokens)
    assert list(reversed(unpack(body).tokens or ())) == list(reversed(tokens))
    assert len(unpack(body).tokens or ()) == len(tokens)
    assert bool(unpack(body).tokens) == bool(tokens)
    assert pickle.loads(pickle.dumps(unpack(body))) == completion
    places = data.draw(st.slices(len(tokens)))
    assert (unpack(body).tokens or ())[places] == tokens[places]
    for place in range(-len(tokens), len(tokens)):
        assert (unpack(body).tokens or ())[place] == tokens[place]


# What the program of format 1 stored: every kind of part that it had.
FIRST_FORMAT = {
    b"eAFzZ2BgiFaKTC1+u6Dh8EolHaXikvwCIGWjn19aUlBaYqekY6xjrmOkA1YElPDLBxIwxRVKsTqGBjpKKUo6FrFAkxiYQAQQMALxfyAA8UFsZigN"
    b"k2dgOLAfKAQEMJrlAJgLJz78DwWDq1B1H6A0AwMAm94mJA==": Completion(
        "Yes\ud800é",
        "stop",
        "</output>",
        (
            Token("Yes", -0.125, {"Yes": -0.125, "No": -2.5}, {"Yes": 0.0, "No": -math.inf}),
            Token("\ud800é", -1 / 3, {"x": -1.0}, {"\ud800é": 0.0}),
        ),
        3,
        7,
    ),
    b"eAGTYmBgiFYyNIrJU9JRyknNSy/JUNLJK83J0THVMYoFAGmHB9w=": Completion("12\n", "length", None, None, 5, 2),
}


@pytest.mark.parametrize("packed", FIRST_FORMAT)
def test_samples_of_the_first_format_are_read(packed: bytes) -> None:
    again = unpack(base64.b64decode(packed), index=4)
    assert repr(again) == repr(replace(FIRST_FORMAT[packed], index=4, recorded=True))


@given(completions, st.data())
def test_damage_is_noticed(completion: Completion, data: st.DataObject) -> None:
    body = bytearray(pack(completion))
    body[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        again = unpack(bytes(body))
    except ValueError:
        return
    assert again == completion  # bits that the format does not use


@given(completions, st.data())
def test_what_is_cut_off_is_noticed(completion: Completion, data: st.DataObject) -> None:
    body = pack(completion)
    with pytest.raises(ValueError, match="not a packed completion"):
        unpack(body[: data.draw(st.integers(0, len(body) - 1))])
