"""Laws of the step formats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.steps import FORMATS, step_format
from tts.engines.stops import cut_at_stop

lines = st.text(st.characters(codec="ascii", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e"), min_size=1).filter(
    str.strip
)
paragraphs = st.lists(lines, min_size=1, max_size=6)
WRITE = {
    "blank_line": lambda steps: "\n\n".join(steps),
    "heading": lambda steps: "\n\n".join(f"## Step {k}: {step}" for k, step in enumerate(steps, 1)),
    "numbered": lambda steps: "\n\n".join(f"Step {k}: {step}" for k, step in enumerate(steps, 1)),
}


@pytest.mark.parametrize("name", FORMATS)
@given(paragraphs)
def test_as_many_steps_as_were_written(name: str, steps: list[str]) -> None:
    cut = step_format(name).split(WRITE[name](steps))
    assert len(cut) == len(steps)
    assert all(step.strip() in part for step, part in zip(steps, cut, strict=True))


@pytest.mark.parametrize("name", FORMATS)
@given(st.text())
def test_no_empty_steps_and_nothing_to_cut_twice(name: str, text: str) -> None:
    form = step_format(name)
    steps = form.split(text)
    assert all(step.strip() for step in steps)
    assert sum(len(form.split(step)) for step in steps) == len(steps)


@pytest.mark.parametrize("name", FORMATS)
@given(paragraphs)
def test_writing_step_by_step_gives_the_steps_of_writing_at_once(name: str, steps: list[str]) -> None:
    """A policy that would write the whole text is stopped after every step and continued behind the forced opening."""
    form, whole = step_format(name), WRITE[name](steps)
    text = ""
    for k in range(len(steps)):
        opened = text + form.opening(text, k)
        # The model goes on with what stands behind the forced beginning of step k in the text it would have written.
        begun = len(WRITE[name](steps[: k + 1])) - len(steps[k]) if opened else 0
        rest = whole[begun:]
        piece, _ = cut_at_stop(rest, (form.stop,), form.keep_stop)
        text = opened + piece
        assert len(form.split(text)) == k + 1
    assert form.split(text) == form.split(whole)


def test_numbered_steps_are_renumbered() -> None:
    assert step_format("numbered").split("Step 1: a\nStep 3: b\n\nStep 3: c") == ("Step 1: a", "Step 2: b", "Step 3: c")


def test_any_text_can_separate_steps() -> None:
    assert step_format(" ки\n").split("a ки\nb ки\n") == ("a", "b")
