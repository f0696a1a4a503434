"""Laws of the beginnings of solutions."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.chat import ChatPolicy
from policies.steps import FORMATS, step_format
from tts.core import Problem, Solution
from tts.engines.scripted import ScriptedEngine
from verifiers.stepwise import beginning

NAMES = (*FORMATS, "###", "\n")
names = st.sampled_from(NAMES)
# Texts full of what separates steps.
texts = st.lists(
    st.sampled_from(["\n", "\n\n", "###", "## Step 1: ", "Step 2:", "Step 3: ", " ", "a", "so b.", "\r\n"]), max_size=14
).map("".join)

words = st.text("abc .", min_size=1, max_size=6).filter(str.strip)
paragraphs = st.lists(words, min_size=1, max_size=6)


@given(name=names, text=texts)
@example(name="blank_line", text="a\n\n\n\nb")
@example(name="numbered", text="Step 1: a\nStep 2: \nStep 3: b")
def test_a_prefix_is_the_beginning_of_what_was_written(name: str, text: str) -> None:
    form = step_format(name)
    solution = form.solution(text, "stop", 3)
    ends = [solution.prefix(k) for k in range(len(solution.steps))]
    for k, prefix in enumerate(ends):
        assert prefix.steps == solution.steps[:k]
        assert text.startswith(prefix.text)
        assert prefix == form.solution(prefix.text, "step", 3)
        assert prefix.ends == form.solution(prefix.text, "step").ends
        assert not prefix.finished
        assert all(prefix.prefix(j) == solution.prefix(j) for j in range(k))
    assert solution.prefix(0).text == "" or not solution.steps
    assert solution.prefix(len(solution.steps)) is solution
    lengths = [len(prefix.text) for prefix in ends]
    assert lengths == sorted(set(lengths))


def write(name: str, steps: list[str]) -> str:
    if name in ("heading", "numbered"):
        marker = "## Step" if name == "heading" else "Step"
        return "\n\n".join(f"{marker} {k}: {step}" for k, step in enumerate(steps, 1))
    return (name if name in ("###", "\n") else "\n\n").join(steps)


@pytest.mark.parametrize("name", NAMES)
@given(steps=paragraphs)
async def test_sampling_step_by_step_passes_through_the_prefixes(name: str, steps: list[str]) -> None:
    whole = write(name, steps)

    def answer(prompt: str, seed: int) -> str:
        assert whole.startswith(prompt)
        return whole[len(prompt) :]

    # The prompt is empty, so that what the engine gets is what the policy has written.
    policy = ChatPolicy(ScriptedEngine(answer), "plain", steps=name)
    problem = Problem("p", "")
    (solution,) = [written async for written in policy.solutions(problem, Solution(), 1)]
    assert len(solution.steps) == len(steps)
    grown = Solution()
    for k in range(1, len(steps) + 1):
        (grown,) = [written async for written in policy.steps(problem, grown, 1)]
        prefix = solution.prefix(k)
        assert (grown.text, grown.steps, grown.ends) == (prefix.text, prefix.steps, prefix.ends)
        # To go on from a prefix is to go on from where the policy was.
        (resumed,) = (
            [written async for written in policy.solutions(problem, prefix, 1)] if k < len(steps) else (solution,)
        )
        assert (resumed.text, resumed.steps, resumed.ends) == (solution.text, solution.steps, solution.ends)
    assert grown.finished


async def test_what_a_prefix_has_cost_is_unknown_and_so_is_what_goes_on_from_it() -> None:
    policy = ChatPolicy(ScriptedEngine(lambda prompt, seed: "a b\n\nc d"), "plain")
    (whole,) = [written async for written in policy.solutions(Problem("p", "?"), Solution(), 1)]
    assert whole.tokens > 0
    assert whole.prefix(1).tokens == 0
    (longer,) = [written async for written in policy.solutions(Problem("p", "?"), whole.prefix(1), 1)]
    assert longer.tokens == 0


@given(steps=st.lists(words, min_size=1, max_size=6), gap=st.sampled_from(["\n\n", "\n", " ", "\n \n"]))
def test_steps_are_found_in_a_text_that_is_made_of_them(steps: list[str], gap: str) -> None:
    solution = Solution(gap.join(steps), tuple(steps), "stop")
    for k in range(len(steps)):
        prefix = solution.prefix(k)
        assert prefix.steps == solution.steps[:k]
        assert prefix.text == "".join(step + gap for step in steps[:k])


def test_edited_steps_stand_for_the_text_that_does_not_hold_them() -> None:
    solution = Solution("One: a. Two: b.", ("a", "b"), "stop")
    assert solution.prefix(1) == Solution("a", ("a",))
    assert solution.prefix(0) == Solution()
    assert solution.prefix(2) is solution


def test_there_is_no_prefix_of_fewer_than_no_steps() -> None:
    with pytest.raises(ValueError, match="-1 steps"):
        Solution("a", ("a",)).prefix(-1)


def test_blank_steps_at_the_end_are_no_reason_to_judge_a_beginning() -> None:
    solution = Solution("a\n\nb\n\n ", ("a", "b", " "), "stop")
    assert beginning(solution, 2) is solution
    assert beginning(solution, 1).text == "a\n\n"
