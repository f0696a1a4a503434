from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.tasks.answers import extract_answer, normalize

INTEGERS = st.integers(-(10**12), 10**12)
BALANCED = st.recursive(
    st.text(st.characters(codec="ascii", exclude_characters="\\{}"), max_size=8),
    lambda inner: st.lists(st.one_of(inner, inner.map(lambda text: f"{{{text}}}")), max_size=3).map("".join),
    max_leaves=6,
).filter(str.strip)


@given(
    BALANCED, st.text(max_size=30).filter(lambda text: "\\" not in text), st.sampled_from(["boxed", "fbox", "boxed "])
)
def test_a_box_gives_its_content_wherever_it_stands(content: str, around: str, command: str) -> None:
    text = around.replace("{", "").replace("}", "") + rf"\{command}{{{content}}}" + around
    assert extract_answer(text) == content.strip()


@given(BALANCED, BALANCED)
def test_the_last_complete_box_counts(first: str, last: str) -> None:
    assert extract_answer(rf"\boxed{{{first}}}, or rather \boxed{{{last}}}") == last.strip()
    assert extract_answer(rf"\boxed{{{first}}}, then \boxed{{{last}") == first.strip()


@given(BALANCED)
def test_of_nested_boxes_the_inner_one_counts(content: str) -> None:
    assert extract_answer(rf"\boxed{{\fbox{{{content}}}}}") == content.strip()


@given(INTEGERS)
def test_a_number_that_is_not_stated_as_the_answer_is_never_taken(number: int) -> None:
    assert extract_answer(f"First we get {number}. Then we have {number} = x and double it") is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("so there are 6.\n#### 1,234", "1,234"),
        ("#### 5\n\n#### -$7.5\n", "-$7.5"),
        ("#### Step 3: add them\nThe answer is 7.", "7"),
        ("The answer is 42. I hope it is correct.", "42"),
        ("Hence the final answer is: $x = 3.5$.", "x = 3.5"),
        ("**Final Answer:** 12", "12"),
        ("the answer is **12**.\nThis can be checked.", "12"),
        ("The final answer is:\n\\[\n 5 \n\\]", "5"),
        ("The answer is 5. No: the answer is 6.", "6"),
        ("#### 5\nso \\boxed{6}", "6"),
        (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
        (r"the answer is $\boxed{5", None),
        (r"\boxed{}", None),
        ("the answer is", None),
        ("", None),
    ],
)
def test_how_answers_are_stated(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@given(st.text(st.sampled_from("\\boxed{}$.# \nanswer is:0159,*")))
def test_any_text_has_one_answer_or_none(text: str) -> None:
    answer = extract_answer(text)
    assert answer is None or (answer and answer in text)
    assert isinstance(normalize(text), str)


@pytest.mark.parametrize(
    "piece", ["a", "(", "{", r"\boxed{", " ", "\n", "1,", "1 ", "answer is ", "*.", "$", r"\frac{1"]
)
def test_long_garbage_is_read_in_linear_steps(piece: str) -> None:
    garbage = piece * (100_000 // len(piece))
    extract_answer("answer: x" + garbage + "y")
    normalize(garbage)


@given(INTEGERS)
def test_the_ways_to_write_an_integer_have_one_form(number: int) -> None:
    grouped = f"{number:,}"
    ways = [grouped, grouped.replace(",", "{,}"), grouped.replace(",", r",\!"), f"{number}.00", f"{number} ."]
    ways += [f"${number}$", rf"\({number}\)", rf"\text{{{number}}}", rf"{number}^\circ", rf"{number}\%"]
    assert {normalize(way) for way in ways} == {str(number)}


@given(st.decimals(-(10**6), 10**6, places=4))
def test_zeros_around_a_decimal_say_nothing(number: object) -> None:
    text = f"{number:f}"
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    assert normalize(f"{sign}00{digits}00") == normalize(text)


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_ways_to_write_a_fraction_have_one_form(top: int, bottom: int) -> None:
    ways = (rf"\frac{top}{bottom}", rf"\dfrac{{{top}}}{bottom}", rf"\tfrac {top} {bottom}", rf"\frac{top}{{{bottom}}}")
    assert {normalize(way) for way in ways} == {rf"\frac{{{top}}}{{{bottom}}}"}


@given(INTEGERS, INTEGERS)
def test_different_integers_have_different_forms(a: int, b: int) -> None:
    assert (normalize(str(a)) == normalize(str(b))) == (a == b)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\dfrac{\pi}{2})"),
        (r"\text{Evelyn}", "evelyn"),
        (r"\textbf{no solution}", "No solution"),
        (r"864 \mbox{ inches}^2", "864"),
        ("18 dollars", r"\$18.00"),
        ("−3½", r"-3\frac12"),
        ("x² + 1", "x^2+1"),
        ("２７", "27"),
        (r"\begin{pmatrix} x \\ y \end{pmatrix}", r"\begin{pmatrix}x\\ y\end{pmatrix}"),
    ],
)
def test_one_form(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,23", "123"),
        (r"\pi r", r"\pir"),
        ("x-y", "xy"),
        ("50", "0.5"),
        (r"\sqrt{2}", "2"),
        ("(1,2)", "[1,2]"),
        ("12", "1 2"),
    ],
)
def test_two_forms(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


def test_math500_solutions_state_their_references(shared_data: Path) -> None:
    rows = [json.loads(line) for line in (shared_data / "math500/test.jsonl").read_text("utf-8").splitlines()]
    agreement = [normalize(extract_answer(row["solution"]) or "") == normalize(row["answer"]) for row in rows]
    assert sum(agreement) / len(rows) >= 0.99
    for row in rows:
        form = normalize(row["answer"])
        assert normalize(form) == form
