"""Likelihood as a verifier: the mean over a chunk of tokens, whatever their steps, and the ratio of two models."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.core.solution import FinishReason
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring import TransformersScorer
from tts.engines.transformers_scoring.heads import Vocabulary
from verifiers.discriminative.codecs.base import Codec
from verifiers.discriminative.codecs.implicit import ImplicitCodec
from verifiers.discriminative.codecs.likelihood import LikelihoodCodec
from verifiers.discriminative.verifier import DiscriminativeVerifier

POLICY = str(Path(__file__).resolve().parents[2] / "policies" / "embedded" / "checkpoint")
PROBLEM = Problem(
    "p", "A shop has 12 apples. On the first day, 5 apples are sold. How many apples are in the shop now?"
)
RIGHT, WRONG = (
    "Step 1: 5 apples are sold: 12 - 5 = 7. The answer is \\boxed{7}.",
    "Step 1: 5 apples are sold: 7 7 7 = 1.",
)

steps_ = st.lists(st.lists(st.floats(-20, 0), min_size=1, max_size=6), min_size=1, max_size=5)


@given(steps_, st.integers(1, 12))
def test_a_score_is_the_geometric_mean_of_the_last_tokens(steps: list[list[float]], chunk: int) -> None:
    scores = LikelihoodCodec(chunk).scores([tuple((value,) for value in step) for step in steps])
    seen: list[float] = []
    for step, score in zip(steps, scores, strict=True):
        seen += step
        last = seen[-chunk:]
        assert score == pytest.approx(math.exp(math.fsum(last) / len(last)))


@given(steps_, st.integers(1, 12), st.floats(-3, 3))
def test_with_a_reference_it_is_above_one_half_where_the_model_finds_it_likelier(
    steps: list[list[float]], chunk: int, gain: float
) -> None:
    rows = [tuple((value, value - gain) for value in step) for step in steps]
    for score in LikelihoodCodec(chunk).scores(rows):
        assert score == pytest.approx(1 / (1 + math.exp(-gain)))


@pytest.mark.parametrize("reason", ["step", "stop"])
def test_what_the_policy_wrote_counts_and_nothing_of_the_template(reason: FinishReason) -> None:
    tokenizer = LocalTokenizer(POLICY, None)
    steps = "2 + 3 = 5.", "So 5 x 4 = 20."
    rendering = LikelihoodCodec(64, "deepseek-r1").render(
        tokenizer, "What is 2 + 3?", Solution("\n\n".join(steps), steps, reason)
    )
    [request] = rendering.readings
    tokens = [tokenizer.load().decode([token]) for (token,) in request.candidates]
    first, second = (tokens[: rendering.rows[0]], tokens[rendering.rows[0] :])
    assert "".join(first) == steps[0]
    assert "".join(second).strip() == steps[1]
    # Each is predicted from the tokens before it.
    assert [request.tokens[place + 1] for place in request.positions] == [token for (token,) in request.candidates]


@pytest.mark.parametrize("codec", [LikelihoodCodec(4, "deepseek-r1"), ImplicitCodec(chat="deepseek-r1")])
def test_a_solution_without_text_has_no_score(codec: Codec) -> None:
    for steps in ((), ("\n",)):
        assert codec.render(LocalTokenizer(POLICY, None), "?", Solution("".join(steps), steps, "stop")).rows == ()


class Merging(LocalTokenizer):
    """Merges a full stop with the blank line after it, as Qwen's tokenizer does."""

    def split(self, text: str) -> list[int]:
        return [sum(map(ord, token)) for token in re.findall(r"\.\n\n|\n\n|.", text)]


def test_the_steps_of_a_prefix_count_as_in_the_whole_solution() -> None:
    codec, steps = LikelihoodCodec(4, "deepseek-r1"), ("2 + 3 = 5.", "So 5 x 4 = 20.")
    whole = Solution("\n\n".join(steps), steps, "stop")
    [first], [both] = (codec.render(Merging("", None), "?", each).readings for each in (whole.prefix(1), whole))
    count = len(first.positions)
    assert (first.positions, first.candidates) == (both.positions[:count], both.candidates[:count])
    assert first.tokens[: first.positions[-1] + 2] == both.tokens[: first.positions[-1] + 2]


def scorer(**more: str) -> TransformersScorer:
    return TransformersScorer(POLICY, Vocabulary("logprobs"), **more)


@pytest.mark.integration
async def test_the_embedded_policy_finds_its_own_steps_likelier_than_nonsense() -> None:
    engine = scorer(reference=POLICY)
    alone, ratio = (
        DiscriminativeVerifier(made, LikelihoodCodec(16, "deepseek-r1"), "last") for made in (scorer(), engine)
    )
    scores = {}
    for text in (RIGHT, WRONG):
        (score,) = (await alone.verify(PROBLEM, Solution(text, (text,), "stop"))).scores
        scores[text] = score or 0.0
    assert scores[RIGHT] > 2 * scores[WRONG]
    # A model is as sure as itself.
    assert (await ratio.verify(PROBLEM, Solution(RIGHT, (RIGHT,), "stop"))).scores == (0.5,)
    await engine.close()


def test_wrong_settings_are_named() -> None:
    with pytest.raises(UserError, match=r"^chunk=0: at least 1"):
        LikelihoodCodec(0)
