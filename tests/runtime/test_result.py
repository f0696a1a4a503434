"""How the result of a search is shown."""

from __future__ import annotations

import re

import pytest

from tts.budget import Usage
from tts.core import Candidate, Problem, SearchResult, Solution, Verdict
from tts.core.tree import Tree
from tts.runtime.result import Result

SOLUTION = Solution("text", ("text",), "stop")


def result(*candidates: Candidate, chosen: int | None = None, limits: tuple[str, ...] = ()) -> Result:
    answers = list(dict.fromkeys(candidate.answer for candidate in candidates if candidate.answer is not None))
    groups = tuple(None if one.answer is None else answers.index(one.answer) for one in candidates)
    found = SearchResult(chosen, candidates, groups, Tree("p", "argmax", "min", None, ()))
    return Result(Problem("p", "q"), found, {"policy": Usage(samples=2, completion_tokens=3000)}, limits, 1.25)


def judged(answer: str | None, *scores: float | None) -> Candidate:
    return Candidate(SOLUTION, answer, Verdict(scores), scores[-1])


def test_answers_are_shown_with_the_best_candidate_of_each() -> None:
    shown = result(judged("7", 0.5, 0.2), judged("12", 0.9), judged(None, None), judged("7", 0.5, 0.25), chosen=3)
    assert str(shown).splitlines() == [
        "answer: 7",
        "-> 7         x2  0.250  0.50 0.25",
        "   12        x1  0.900  0.90",
        "   (none)    x1      -  -",
        "cost: policy 3,000 tokens in 2 samples; 1.2 s",
    ]


def test_a_session_shows_it_as_print_does() -> None:
    shown = result(judged("7", 0.5), chosen=0)
    assert repr(shown) == str(shown)


def test_candidates_that_nobody_judged_are_counted() -> None:
    shown = result(*(Candidate(SOLUTION, answer) for answer in ("5", "7", "7")), chosen=1)
    assert str(shown).splitlines()[1:3] == ["-> 7    x2      -", "   5    x1      -"]


def test_no_candidates_are_told_with_the_limit_behind_it() -> None:
    shown = result(limits=("problem.tokens", "run.calls"))
    assert str(shown).splitlines()[0] == "answer: (none)"
    assert str(shown).splitlines()[-1] == "cut short by problem.tokens, run.calls"
    assert "cut short by problem.tokens" in shown._repr_html_()


@pytest.mark.parametrize("count", [1, 8, 9, 200])
def test_it_is_short_and_fits_80_columns(count: int) -> None:
    many = [judged(f"answer {number} " + "on\nand " * 30, *[0.5] * 40) for number in range(count)]
    lines = str(result(*many, chosen=count - 1)).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 11
    assert lines[1].startswith(f"-> answer {count - 1} on and")
    assert (f"... and {count - 8:,} more answers" in lines[9].strip()) if count > 8 else len(lines) == count + 2


def test_html_shows_texts_as_texts() -> None:
    html = result(judged("<b>1</b>", 0.5), judged("<i>&2</i>", 0.7), chosen=1)._repr_html_()
    assert "<b>answer: &lt;i&gt;&amp;2&lt;/i&gt;</b>" in html
    assert "&lt;b&gt;1" in html
    assert len(re.findall("<tr>", html)) == 3
    assert "(none)" in result()._repr_html_()
