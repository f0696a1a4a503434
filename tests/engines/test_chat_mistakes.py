"""Mistakes in the settings of a chat engine: one message each, before anything is sampled, and never a key in it."""

from __future__ import annotations

import pytest

from tests.engines.chat_server import anthropic, serve_chat, vllm
from tests.engines.test_chat import ask, engine
from tts.core.errors import EngineError, UserError
from tts.engines.chat import ChatEngine

pytestmark = pytest.mark.integration


async def refused(chat: ChatEngine) -> str:
    with pytest.raises(UserError) as error:
        await chat.start()
    await chat.close()
    assert "\n" not in str(error.value)
    return str(error.value)


async def test_a_wrong_key_is_named_by_its_variable_and_never_printed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serve_chat(vllm(key="right")) as server:
        assert "requests without a key" in await refused(engine(server.url))
        monkeypatch.setenv("TTS_TEST_KEY", "sk-secret")
        said = await refused(engine(server.url))
        monkeypatch.setenv("TTS_TEST_KEY", "right")
        chat = engine(server.url)
        await chat.start()
        server.host.key = "another"
        with pytest.raises(EngineError) as error:
            await ask(chat)
        await chat.close()
    assert "api_key_env=TTS_TEST_KEY" in said
    assert "status 401" in said
    assert "secret" not in said + caplog.text
    assert "right" not in str(error.value)


async def test_an_unknown_model_is_named_with_what_is_served() -> None:
    with serve_chat(vllm(name="gpt-5-mini")) as server:
        said = await refused(ChatEngine("gpt5-mini", server.url, api_key_env="TTS_TEST_KEY"))
    assert "model=gpt5-mini" in said
    assert "did you mean 'gpt-5-mini'?" in said


async def test_a_model_that_is_not_listed_may_be_served() -> None:
    for host in (vllm(lists=False), anthropic(lists=False)):
        with serve_chat(host) as server:
            chat = engine(server.url)
            await chat.start()
            await chat.close()


async def test_a_url_of_something_else_is_refused() -> None:
    with serve_chat(vllm(lists=False, paths=())) as server:
        assert "no chat completions there (status 404)" in await refused(engine(server.url))
        port = server.url
    assert "no server answers" in await refused(engine(port))


async def test_answers_of_something_else_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_chat(vllm()) as server:
        monkeypatch.setattr(server, "completed", lambda body: (200, {"hello": 1}, {}))
        said = await refused(engine(server.url, retries=0))
    assert "does not answer as a server of chat completions does" in said
