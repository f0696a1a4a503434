"""LangChain's and LiteLLM's clients: whole answers, streams, asynchronous calls, errors. `make test-serve` installs them."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")

from tests.serve.process import Process

pytestmark = pytest.mark.serve
QUESTION = "A farm starts with 77 hens. In the first year, 32 hens are given away. How many hens are on the farm now?"
ASKED = [{"role": "user", "content": QUESTION}]
TWO = {"tts": {"n": 2, "votes": 1}}


@pytest.fixture
def langchain(embedded: Process) -> Any:
    """LangChain's model."""
    models = pytest.importorskip("langchain_openai", reason="make test-serve installs it")

    def model(name: str = "best-of-16+genprm", **settings: object) -> Any:
        return models.ChatOpenAI(base_url=embedded.url, api_key="none", max_retries=0, model=name, **settings)

    return model


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """LiteLLM, which asks the internet for prices when it is imported, unless it is told not to."""
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "true")
    return pytest.importorskip("litellm", reason="make test-serve installs it")


@pytest.fixture
def lite(embedded: Process) -> dict[str, object]:
    """What LiteLLM needs for a question."""
    named = {"model": "openai/best-of-16+genprm", "api_base": embedded.url, "api_key": "none", "max_retries": 0}
    return {**named, "messages": ASKED, "extra_body": TWO}


async def test_langchain_streams_what_it_gets_whole(langchain: Any) -> None:
    model = langchain(extra_body=TWO, seed=3, temperature=0.5, stream_usage=True)
    whole, again = model.invoke(QUESTION), await model.ainvoke(QUESTION)
    chunks = list(model.stream(QUESTION))
    assert whole.content
    assert again.content == whole.content
    assert "".join(chunk.content for chunk in chunks) == whole.content
    spent = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
    assert [usage["total_tokens"] for usage in spent] == [whole.usage_metadata["total_tokens"]]


def test_langchain_holds_a_conversation(langchain: Any) -> None:
    turns = [("system", "Be brief."), ("user", QUESTION), ("assistant", "45"), ("user", QUESTION)]
    assert langchain("policy", max_tokens=20).invoke(turns).response_metadata["finish_reason"] == "length"


def test_langchain_says_what_is_refused(langchain: Any) -> None:
    openai = pytest.importorskip("openai")
    with pytest.raises(openai.BadRequestError, match="tools: not supported"):
        langchain("policy").bind_tools([{"title": "add", "description": "Adds.", "type": "object"}]).invoke(QUESTION)
    with pytest.raises(openai.NotFoundError, match="no model 'none'"):
        langchain("none").invoke(QUESTION)


async def test_litellm_streams_what_it_gets_whole(litellm: ModuleType, lite: dict[str, object]) -> None:
    whole, again = litellm.completion(**lite), await litellm.acompletion(**lite)
    chunks = list(litellm.completion(**lite, stream=True, stream_options={"include_usage": True}))
    text = whole.choices[0].message.content
    assert text
    assert again.choices[0].message.content == text
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    told = "".join(
        getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks if chunk.choices
    )
    assert "[1] judged" in told
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_litellm_says_what_is_refused(litellm: ModuleType, lite: dict[str, object]) -> None:
    with pytest.raises(litellm.BadRequestError, match=r"tts\.n=99"):
        litellm.completion(**{**lite, "extra_body": {"tts": {"n": 99}}})
    with pytest.raises(litellm.NotFoundError, match="no model 'none'"):
        litellm.completion(**{**lite, "model": "openai/none"})
