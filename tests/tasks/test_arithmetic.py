"""The generated task: reproducible, distinct problems with right answers in splits that never overlap."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.tasks.arithmetic import SPLITS, THEMES, TOTALS, ArithmeticTask, Story

seeds = st.integers(0, 10_000)
splits = st.sampled_from(sorted(SPLITS))


def content(problem):
    return (problem.metadata["start"], str([step[:2] for step in problem.metadata["instructions"]]))


@settings(max_examples=15, deadline=None)
@given(seeds, splits)
def test_equal_settings_give_equal_problems_and_a_limit_keeps_the_first(seed, split):
    problems = list(ArithmeticTask(12, split, seed).problems())
    assert problems == list(ArithmeticTask(12, split, seed).problems())
    limited = ArithmeticTask(12, split, seed, limit=5)
    assert list(limited.problems()) == problems[:5]
    assert limited.count() == 5


@settings(max_examples=15, deadline=None)
@given(seeds, seeds)
def test_splits_share_no_problem_whatever_their_seeds(first, second):
    contents = {
        split: {content(p) for p in ArithmeticTask(20, split, seed).problems()}
        for split, seed in (("train", first), ("validation", second), ("test", second))
    }
    assert not contents["train"] & contents["test"]
    assert not contents["train"] & contents["validation"]
    assert not contents["validation"] & contents["test"]


@settings(max_examples=15, deadline=None)
@given(seeds, splits)
def test_problems_are_distinct_in_content_and_id(seed, split):
    problems = list(ArithmeticTask(60, split, seed).problems())
    assert len({content(problem) for problem in problems}) == len({problem.id for problem in problems}) == 60


@settings(max_examples=15, deadline=None)
@given(seeds, splits)
def test_the_answer_follows_from_the_words_alone(seed, split):
    for problem in ArithmeticTask(20, split, seed).problems():
        opening, *sentences, question = re.findall(r"[^.?]+[.?]", problem.question)
        assert question.strip().startswith("How many")
        total = int(re.search(r"\d+", opening)[0])
        for sentence in sentences:
            total = carry_out(total, sentence)
            assert total in TOTALS
        assert str(total) == problem.answer


def carry_out(total, sentence):
    """Reads an instruction by its verb, independently of the generator's own fields."""
    clause = sentence.split(", ", 1)[1].rstrip(".")
    if clause.startswith("half"):
        assert total % 2 == 0
        return total // 2
    if clause.endswith("doubles"):
        return 2 * total
    number, gains = int(re.match(r"\d+", clause)[0]), (" on", " in", "arrive", "returned", "hatch", "come back")
    return total + number if clause.endswith(gains) else total - number


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_the_story_is_read_back_from_a_problem(seed):
    for problem in ArithmeticTask(5, "train", seed).problems():
        assert Story.from_problem(problem).problem() == problem


def test_every_theme_and_both_lengths_occur():
    problems = list(ArithmeticTask(200, "test").problems())
    assert {problem.metadata["theme"] for problem in problems} == set(range(len(THEMES)))
    assert {len(problem.metadata["instructions"]) for problem in problems} == {3, 4}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"split": "dev"}, "^split=dev: choose one of train, validation, test"),
        ({"size": 0}, "^size=0: at least 1"),
        ({"limit": 0}, "^limit=0"),
        ({"path": "problems.jsonl"}, "^path=problems.jsonl: .* use task=jsonl"),
    ],
)
def test_impossible_settings_name_themselves(settings, key):
    with pytest.raises(UserError, match=key):
        ArithmeticTask(**settings)
