from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tts.engines.transformers.prefix_cache import PrefixCache

HEADS, DIM = 2, 3
TOKEN_BYTES = 2 * HEADS * DIM * 8

sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=20)


def encode(tokens: list[int]) -> list[Tensor]:
    """Returns stand-ins for keys and values: like these, each token's depend on all tokens before it."""
    state, values = 1.0, []
    for token in tokens:
        state = (state * 31 + token + 1) % 1009
        values.append(state)
    column = torch.tensor(values, dtype=torch.float64).reshape(1, -1, 1).expand(HEADS, -1, DIM)
    return [column, -column]


def common(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


@settings(deadline=None)
@given(sequences, st.lists(st.integers(0, 2), max_size=12))
def test_a_match_is_the_longest_known_prefix_and_exact(known: list[list[int]], query: list[int]) -> None:
    cache = PrefixCache(2**20)
    for tokens in known:
        cache.insert(tokens, encode(tokens))
    pieces = cache.match(query)
    length = sum(piece[0].shape[1] for piece in pieces)
    assert length == max(common(tokens, query) for tokens in known)
    for i, expected in enumerate(encode(query[:length])):
        if length:
            assert torch.equal(torch.cat([piece[i] for piece in pieces], 1), expected)


@settings(deadline=None)
@given(sequences, st.data())
def test_the_last_tokens_are_enough_where_those_in_front_are_known(known: list[list[int]], data: st.DataObject) -> None:
    cache = PrefixCache(2**20)
    whole: list[list[int]] = []
    for tokens in known:
        given_ = data.draw(st.integers(1, len(tokens)))
        reach = max((common(tokens, other) for other in whole), default=0)
        cache.insert(tokens, [tensor[:, -given_:] for tensor in encode(tokens)])
        kept = given_ >= len(tokens) - reach
        whole += [tokens] if kept else []
        pieces = cache.match(tokens)
        length = sum(piece[0].shape[1] for piece in pieces)
        assert length == (len(tokens) if kept else reach)
        if length:
            assert torch.equal(torch.cat([piece[0] for piece in pieces], 1), encode(tokens[:length])[0])


@settings(deadline=None)
@given(sequences, st.integers(0, 40))
def test_it_keeps_to_its_capacity_and_stays_exact(known: list[list[int]], room: int) -> None:
    cache = PrefixCache(room * TOKEN_BYTES)
    for tokens in known:
        cache.insert(tokens, encode(tokens))
        assert 0 <= cache.size <= cache.capacity
        pieces = cache.match(tokens)
        length = sum(piece[0].shape[1] for piece in pieces)
        # The youngest sequence is the last to go: it is whole wherever it fits.
        assert length == len(tokens) or len(tokens) > room
        if length:
            assert torch.equal(torch.cat([piece[0] for piece in pieces], 1), encode(tokens[:length])[0])


def test_the_least_recently_used_goes_first() -> None:
    cache = PrefixCache(4 * TOKEN_BYTES)
    for tokens in ([1, 1], [2, 2]):
        cache.insert(tokens, encode(tokens))
    cache.match([1, 1])
    cache.insert([3, 3], encode([3, 3]))
    assert [bool(cache.match([i, i])) for i in (1, 2, 3)] == [True, False, True]


@settings(deadline=None)
@given(sequences)
def test_size_counts_every_distinct_prefix_once(known: list[list[int]]) -> None:
    cache = PrefixCache(2**20)
    for tokens in known:
        cache.insert(tokens, encode(tokens))
    prefixes = {tuple(tokens[: i + 1]) for tokens in known for i in range(len(tokens))}
    assert cache.size == len(prefixes) * TOKEN_BYTES
