"""What a chat server answers, and what the completion is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.engines.chat.protocol import Expected, read_answer
from tts.engines.chat.text import Written, cut, joined
from tts.engines.generating import Sampling, Token
from tts.engines.stops import cut_at_stop


@pytest.mark.parametrize(
    ("message", "usage", "text", "reasoning", "tokens"),
    [
        # Gemini counts its reasoning in the total only.
        ({"content": "A"}, {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 12}, "A", "", 9),
        ({"content": "A", "reasoning": "B"}, {"prompt_tokens": 3, "completion_tokens": 7}, "A", "B", 7),
        # A template that opens the reasoning in the prompt, and a limit that cut it.
        ({"content": "B\n</think>\n\nA"}, {"prompt_tokens": 3, "completion_tokens": 7}, "A", "B", 7),
        ({"content": "<think>\nB and"}, {"prompt_tokens": 3, "completion_tokens": 7}, "", "B and", 7),
        ({"content": None, "reasoning_content": "B"}, {"prompt_tokens": 3, "completion_tokens": 7}, "", "B", 7),
        # Mistral's parts.
        (
            {"content": [{"type": "thinking", "thinking": [{"text": "B"}]}, {"type": "text", "text": "A"}]},
            {"prompt_tokens": 3, "completion_tokens": 7},
            "A",
            "B",
            7,
        ),
    ],
)
def test_answers_are_read_in_all_their_forms(
    message: dict[str, Any], usage: dict[str, int], text: str, reasoning: str, tokens: int
) -> None:
    answer = {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    (said,) = read_answer(answer, Expected(Sampling(), range(4, 5), 1))
    assert (said.text, said.reasoning, said.completion_tokens, said.index) == (text, reasoning, tokens, 4)


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"message": "overloaded"}},
        {"choices": []},
        {"choices": [{"message": {"content": 7}}]},
        {"choices": [{"message": {"content": "x"}, "finish_reason": "error"}]},
    ],
)
def test_an_answer_that_is_none_is_a_failure_that_may_pass(answer: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_answer(answer, Expected(Sampling(), range(1), 1))


@given(
    st.lists(st.text(st.sampled_from("ab \n"), min_size=1, max_size=3), min_size=1, max_size=8),
    st.text(st.sampled_from("ab\n"), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_text_that_is_cut_here_is_what_a_server_would_have_cut(parts: list[str], stop: str, include: bool) -> None:
    tokens = tuple(Token(part, -1.0, {part: -1.0}, {part: -1.0}) for part in parts)
    whole = "".join(parts)
    ended, found = cut(Written(whole, tokens), (stop,), include, None)
    expected, named = cut_at_stop(whole, (stop,), include)
    assert (ended.text, found) == (expected, named)
    spelled = "".join(token.text for token in ended.tokens or ())
    assert spelled.startswith(expected)
    assert found is None or found in spelled


@given(st.text(st.sampled_from("ab \n"), max_size=6), st.text(st.sampled_from(" \n"), max_size=4))
def test_white_space_that_was_not_sent_is_not_written_twice(rest: str, blank: str) -> None:
    """Whether the model writes it again, or goes on without it."""
    assert joined(Written(blank + rest), blank).text == rest
    if not rest.startswith((" ", "\n")):
        assert joined(Written(rest), blank).text == rest
