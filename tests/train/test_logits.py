"""What a verifier is trained on, its scores as log-odds, are the scores that it gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verifiers.discriminative.codecs.base import split_rows
from verifiers.discriminative.codecs.implicit import ImplicitCodec
from verifiers.discriminative.codecs.whole import WholeCodec
from verifiers.discriminative.readout import Sigmoid, Softmax, Value

value = st.floats(-8, 8)


@pytest.mark.parametrize(
    ("codec", "width"),
    [
        (WholeCodec(Softmax([1])), 2),
        (WholeCodec(Softmax([1, 2])), 3),
        (WholeCodec(Softmax([0])), 2),
        (WholeCodec(Sigmoid()), 1),
        (ImplicitCodec(0.05), 2),
    ],
)
@given(st.data())
def test_their_sigmoids_are_the_scores(codec: Any, width: int, data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    rows = tuple(tuple(data.draw(value) for _ in range(width)) for _ in range(sum(counts)))
    logits = codec.logits(torch.tensor(rows, dtype=torch.float64), counts)
    assert codec.readout.width == width
    assert logits.sigmoid().tolist() == pytest.approx(codec.scores(split_rows(rows, counts)), abs=1e-9)


def test_a_reward_is_trained_as_it_is() -> None:
    assert WholeCodec(Value()).logits(torch.tensor([[3.0], [-2.0]]), [2]).tolist() == [-2.0]
