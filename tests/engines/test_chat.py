"""The chat engine against a real server on the loopback that behaves as one host or another does."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engines.chat_server import HOSTS, SOLUTION, Host, deepseek, ollama, openai, serve_chat, vllm
from tts.core.errors import EngineError
from tts.engines.chat import ChatEngine
from tts.engines.conversation import read_prompt, write_prompt
from tts.engines.generating import Completion, Request, Sampling

pytestmark = pytest.mark.integration

QUESTION = [{"role": "user", "content": "How many shirts?"}]
FIRST = SOLUTION.split("\n\n")[0] + "\n\n"


def engine(url: str, **settings: Any) -> ChatEngine:
    return ChatEngine("m", url, **{"api_key_env": "TTS_TEST_KEY", "patience": 5.0, **settings})


async def ask(chat: ChatEngine, prefix: str = "", sampling: Sampling | None = None, n: int = 1) -> list[Completion]:
    request = Request(chat.render(QUESTION) + prefix, sampling or Sampling(), tuple(range(n)))
    return sorted([c async for c in chat.generate(request)], key=lambda c: c.index)


texts = st.text(st.characters(exclude_categories=("Cs",)))
turns = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": texts})


@given(st.lists(turns), texts)
def test_a_prompt_says_its_messages_and_its_prefix(messages: list[dict[str, str]], prefix: str) -> None:
    asked = read_prompt(write_prompt(messages) + prefix)
    assert (list(asked.messages), asked.prefix) == (messages, prefix)


@given(st.text(min_size=1))
def test_no_other_text_is_taken_for_messages(prompt: str) -> None:
    with pytest.raises(EngineError, match="set chat=template"):
        read_prompt("<|im_start|>" + prompt)


@pytest.mark.parametrize(
    ("name", "continuation", "keeps_blanks"),
    [
        ("openai", None, False),
        ("deepseek", "prefix", True),
        ("anthropic", "continue_final_message", False),
        ("vllm", "continue_final_message", True),
        ("ollama", "continue_final_message", False),
        ("llama.cpp", "continue_final_message", True),
    ],
)
async def test_what_a_host_can_do_is_found_out(name: str, continuation: str | None, keeps_blanks: bool) -> None:
    with serve_chat(HOSTS[name]()) as server:
        chat = engine(server.url)
        assert chat.continues  # until it is known
        await chat.start()
        asked = len(server.bodies)
        await chat.start()
        await chat.close()
    found = chat.report()
    assert (found["continuation"], found["keeps_blanks"]) == (continuation, keeps_blanks)
    assert found["names_stops"] is (name == "vllm")
    assert found["logprobs"] is (name in ("openai", "vllm", "llama.cpp"))
    assert chat.continues is (continuation is not None)
    assert len(server.bodies) == asked < 12


async def test_a_turn_that_follows_a_begun_one_is_no_continuation() -> None:
    """A model may well take up an answer that ended too early, in a turn of its own."""

    def cooperative(messages: list[dict[str, Any]], prefix: str) -> str:
        begun = messages[-1]["role"] == "assistant"
        return "ve six seven" if begun else "one two three four five six seven"

    with serve_chat(Host(cooperative)) as server:
        chat = engine(server.url)
        await chat.start()
        await chat.close()
    assert chat.report()["continuation"] is None


@pytest.mark.parametrize("name", HOSTS)
async def test_every_host_answers(name: str) -> None:
    with serve_chat(HOSTS[name]()) as server:
        chat = engine(server.url)
        await chat.start()
        (said,) = await ask(chat)
        await chat.close()
    assert (said.text, said.finish_reason, said.stop) == (SOLUTION, "stop", None)
    assert said.prompt_tokens == 12
    assert said.reasoning == server.host.thinks


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "openai"])
@pytest.mark.parametrize("include", [True, False])
async def test_a_begun_answer_is_continued_by_steps(name: str, include: bool) -> None:
    """Whatever the host does to white space and stop strings, the steps are those of the whole answer."""
    with serve_chat(HOSTS[name]()) as server:
        chat = engine(server.url)
        await chat.start()
        step, text, stops = Sampling(stop=("\n\n",), include_stop=include), "", []
        for _ in range(3):
            (said,) = await ask(chat, text, step)
            text += said.text + ("\n\n" if said.stop and not include else "")
            stops.append(said.stop)
        await chat.close()
    assert text == SOLUTION
    assert stops == ["\n\n", "\n\n", None]


async def test_a_host_that_continues_nothing_is_not_asked_to() -> None:
    with serve_chat(openai()) as server:
        chat = engine(server.url)
        await chat.start()
        with pytest.raises(EngineError, match="does not continue"):
            await ask(chat, FIRST)
        await chat.close()


async def test_reasoning_is_kept_apart_and_counted() -> None:
    for host in (deepseek(thinks="A b c."), ollama(thinks="A b c."), ollama(thinks="A b c.", in_text=True)):
        with serve_chat(host) as server:
            chat = engine(server.url)
            await chat.start()
            (said,) = await ask(chat)
            (stopped,) = await ask(chat, "", Sampling(stop=("b",)))
            await chat.close()
        assert (said.text, said.reasoning) == (SOLUTION, "A b c.")
        assert said.completion_tokens > 4
        # A stop string is one of the answer, not of the reasoning.
        assert stopped.text == SOLUTION[: SOLUTION.index("b")]


async def test_tokens_of_the_answer_come_with_it() -> None:
    with serve_chat(vllm()) as server:
        chat = engine(server.url)
        await chat.start()
        (said,) = await ask(chat, "", Sampling(top_logprobs=2, stop=("come",)))
        await chat.close()
    assert said.tokens is not None
    assert said.text == SOLUTION[: SOLUTION.index("come")]
    assert "".join(token.text for token in said.tokens) == said.text + "come"
    assert {token.logprob for token in said.tokens} == {-0.2}


async def test_tokens_end_where_the_text_is_cut_here() -> None:
    with serve_chat(openai()) as server:
        chat = engine(server.url)
        await chat.start()
        (said,) = await ask(chat, "", Sampling(top_logprobs=2, stop=("shirts.\n\nT",)))
        await chat.close()
    assert said.stop == "shirts.\n\nT"
    assert said.text == "There are 18 "
    assert "".join(token.text for token in said.tokens or ()) == "There are 18 shirts.\n\nThen"


async def test_all_of_the_sampling_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    with serve_chat(vllm()) as server:
        chat = engine(
            server.url, extra_body={"provider": {"order": ["a"]}}, reasoning_effort="low", reasoning_tokens=100
        )
        await chat.start()
        await ask(chat, "", Sampling(7, 0.6, 0.95, 20, 1.1, ("a", "bc"), True, 20))
        await chat.close()
    body = server.bodies[-1]
    assert body == {
        "model": "m",
        "messages": QUESTION,
        "seed": 0,
        "max_tokens": 107,
        "temperature": 0.6,
        "top_p": 0.95,
        "top_k": 20,
        "min_p": 0.0,
        "repetition_penalty": 1.1,
        "stop": ["bc", "a"],
        "logprobs": True,
        "top_logprobs": 20,
        "provider": {"order": ["a"]},
        "reasoning_effort": "low",
    }
    assert not caplog.records


async def test_fields_that_a_host_refuses_are_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    with serve_chat(openai()) as server:
        chat = engine(server.url)
        await chat.start()
        probed = len(server.bodies)
        for _ in range(3):
            await ask(chat, "", Sampling(top_k=20, stop=("x",)), n=2)
        await chat.close()
    for body in server.bodies[probed:]:
        assert not {"max_tokens", "top_k", "min_p", "repetition_penalty", "stop"} & body.keys()
        assert body["max_completion_tokens"] == 2048
    assert len(server.bodies) == probed + 6  # nothing is tried again
    assert chat.report()["omitted"] == ["min_p", "repetition_penalty", "top_k"]
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 2
    assert any("takes no 'top_k': samples are drawn without top_k=20" in message for message in said)
    assert any("does not say which stop string" in message for message in said)


@pytest.mark.parametrize(
    "message",
    [
        'Unknown name "seed": Cannot find field.',
        "Unsupported parameter: 'seed'",
        "Extra inputs are not permitted: 'seed'",
    ],
)
async def test_a_host_that_learns_later_is_asked_again(message: str) -> None:
    with serve_chat(vllm()) as server:
        chat = engine(server.url)
        await chat.start()
        server.host.refuses["seed"] = message
        said = await ask(chat, n=8)
        await chat.close()
    assert [c.text for c in said] == [SOLUTION] * 8
    assert chat.report()["omitted"] == ["seed"]


async def test_an_error_that_only_mentions_a_field_is_an_error() -> None:
    with serve_chat(vllm()) as server:
        chat = engine(server.url)
        await chat.start()
        server.host.refuses["temperature"] = "temperature: must be between 0 and 1"
        with pytest.raises(EngineError, match="must be between 0 and 1"):
            await ask(chat)
        await chat.close()


async def test_samples_share_a_request_where_that_is_wanted() -> None:
    with serve_chat(vllm()) as server:
        chat = engine(server.url, samples_per_request=3)
        await chat.start()
        probed = len(server.bodies)
        said = await ask(chat, n=4)
        await chat.close()
    assert sorted(body.get("n", 1) for body in server.bodies[probed:]) == [1, 3]
    assert [c.index for c in said] == [0, 1, 2, 3]
    assert sum(c.completion_tokens for c in said[:3]) == 3 * said[3].completion_tokens


async def test_tokens_that_a_host_does_not_count_are_estimated() -> None:
    with serve_chat(vllm(counts=False)) as server:
        chat = engine(server.url, continuation="none")
        await chat.start()
        (said,) = await ask(chat)
        await chat.close()
    assert said.completion_tokens == math.ceil(len(SOLUTION) / 4)
    assert said.prompt_tokens == 4


async def test_a_completion_may_fill_the_context_and_no_more() -> None:
    with serve_chat(vllm(context=60)) as server:
        chat = engine(server.url, continuation="none")
        await chat.start()
        (said,) = await ask(chat)
        assert said.text == SOLUTION
        request = Request(chat.render([{"role": "user", "content": "shirt " * 99}]))
        with pytest.raises(EngineError, match="context length is 60"):
            [c async for c in chat.generate(request)]
        await chat.close()


async def test_one_of_several_servers_may_be_dead() -> None:
    with serve_chat(vllm()) as dead:
        pass
    with serve_chat(vllm()) as server:
        chat = ChatEngine("m", [dead.url, server.url], api_key_env="TTS_TEST_KEY", patience=5.0)
        await chat.start()
        assert [c.text for c in await ask(chat, n=4)] == [SOLUTION] * 4
        assert chat.capacity == 128
        await chat.close()
