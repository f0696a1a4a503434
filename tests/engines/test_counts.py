"""What a server says about numbers of tokens is a number of tokens, or its answer is unreadable."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.server import completion, serve
from tts.core.errors import EngineError
from tts.engines.generating import Request
from tts.engines.http.counts import number, number_if_told, size
from tts.engines.openai import OpenAIEngine

odd = st.one_of(
    st.text(), st.floats(), st.booleans(), st.lists(st.integers()), st.integers(max_value=-1), st.just(2**60)
)


@given(st.integers(0, 2**50))
def test_a_number_is_itself(value: int) -> None:
    assert number(value) == number_if_told(value) == size(value) == value


@given(odd)
def test_nothing_else_is_one(value: object) -> None:
    with pytest.raises(ValueError, match="no number of tokens"):
        number(value)
    assert size(value) is None
    assert number_if_told(None) is None


@pytest.mark.integration
@pytest.mark.parametrize("told", ["7", -1, [7], math.inf, 1e400, {"n": 7}, True])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
async def test_a_server_that_says_something_else_fails_the_request(name: str, told: object) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 1, name: told}
    with serve(lambda body: {**completion(body, "x"), "usage": usage}) as server:
        engine = OpenAIEngine("m", server.url, retries=0)
        with pytest.raises(EngineError, match="cannot read the server's response"):
            await _first(engine)
        await engine.close()


async def _first(engine: OpenAIEngine) -> object:
    async for landed in engine.generate(Request("p")):
        return landed
    return None
