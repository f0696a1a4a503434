"""The answer of a long text is found in time that grows with its length: models repeat themselves for pages."""

from __future__ import annotations

import time

import pytest

from tts.tasks.answers import extract_answer

SHORT, LONG = 1500, 6000
LEAST = 0.04
"""Processor seconds below which a ratio says nothing."""
HEADS = (
    "",
    "####",
    "#### 1",
    r"\boxed{",
    r"\boxed{1} and ",
    "The final answer",
    "answer is ",
    "答案",
    "选择",
    "故选",
    "正确答案是",
    "### Answer",
)
UNITS = (
    " ",
    "\t",
    "\n",
    " \n",
    "1",
    "1,",
    ".111",
    " 111",
    "~111",
    r"\,111",
    "1e",
    "*",
    "**",
    "_",
    "`",
    "$",
    '"',
    "{",
    "\\(",
    "(",
    "é",
    "a ",
    "选",
)


def cost(text: str) -> float:
    begun = time.process_time()
    extract_answer(text)
    return time.process_time() - begun


@pytest.mark.parametrize("head", HEADS)
def test_four_times_the_text_takes_no_more_than_eight_times_the_time(head: str) -> None:
    slow = [
        unit
        for unit in UNITS
        if all(
            cost(head + unit * (LONG // len(unit)) + "\0")
            > max(LEAST, 8 * cost(head + unit * (SHORT // len(unit)) + "\0"))
            for _ in range(3)
        )
    ]
    assert slow == []
