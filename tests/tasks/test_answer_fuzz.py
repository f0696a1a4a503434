"""Any answer is graded, whatever is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.tasks.answers import extract_answer, normalize, read
from tts.tasks.grading import MathGrader

FRAGMENTS = r"""
\frac \dfrac \sqrt \sqrt[ \text{ \mathrm{ \mathbf{ \boxed{ \left( \right) \left| \right. \{ \} { } (
) [ ] | $ \$ \( \) \pm \mp \cdot \times \div \cup \cap \in \le \ge \ne \approx \equiv \infty \pi
\alpha \emptyset \ldots \overline{ \hat \vec \begin{pmatrix} \end{pmatrix} \begin{aligned}
\end{aligned} \begin{cases} \\ & \pmod{ \binom \choose \over \sin \log \ln \circ ^\circ ^ _ ! ' % \%
+ - * / = < > , ; : . 0 1 2 7 10 12 1,234 0.5 .5 1e5 3.14 x y i e n f a ab AB km cm mph apples and
or base mod million dozen percent ½ ⅜ √ √1 ² ¹⁰ ₂ ⁻ π ° ∞ ∪ ≤ × − “ 、 ， 元 个 万 答案 <think> </think>
<answer> #### Answer: **Answer** the answer is \color{red} \num{ \SI{ \, \; \quad \ ~ \! 0.\overline
0.\dot ̅
"""
ANSWERS = st.lists(st.sampled_from(FRAGMENTS.split()) | st.text(max_size=3) | st.just(" "), max_size=14).map("".join)


@pytest.fixture(scope="module")
def grader() -> Iterator[MathGrader]:
    grader = MathGrader(timeout=2)
    yield grader
    asyncio.run(grader.close())


def check(text: str) -> None:
    """Any text is read, and so is what was read, once it is written."""
    answer = extract_answer(text)
    assert answer is None or answer
    assert isinstance(read(read(text).form).form, str)
    assert isinstance(normalize(text), str)


@given(ANSWERS)
def test_any_answer_is_read(text: str) -> None:
    check(text)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(ANSWERS)
def test_ten_thousand_answers_are_read(text: str) -> None:
    check(text)


@settings(max_examples=40)
@given(ANSWERS, ANSWERS)
def test_any_two_answers_are_compared(grader: MathGrader, one: str, other: str) -> None:
    async def compare() -> None:
        assert await grader.correct(one, one) is True
        assert await grader.equivalent(one, other) == await grader.equivalent(other, one)

    asyncio.run(compare())


@pytest.mark.slow
@settings(max_examples=10_000)
@given(ANSWERS, ANSWERS)
def test_ten_thousand_pairs_are_compared(grader: MathGrader, one: str, other: str) -> None:
    async def compare() -> None:
        assert await grader.correct(one, other) in (True, False)

    asyncio.run(compare())
