"""The chat engine held to the contract of engines, against a server that answers chats from the embedded policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace

import pytest

from tests.engines.conformance import EngineConformance
from tests.engines.generated import Body, Reply
from tests.engines.manners import Manner, OpenAIManner
from tests.engines.model_server import serve_model
from tests.engines.subject import EMBEDDED_POLICY, Subject
from tts.engines.chat import ChatEngine
from tts.engines.chat_format import FORMATS
from tts.engines.generating import Completion, Engine, Request
from tts.engines.transformers import TransformersEngine
from tts.engines.wrapping import WrappingGenerator

pytestmark = pytest.mark.integration

CHAT = FORMATS["deepseek-r1"]
TOO_MANY = (
    "'max_tokens' or 'max_completion_tokens' is too large: {}. This model's maximum context length is {} tokens and your "
    "request has {} input tokens"
)


@dataclass(frozen=True)
class ChatManner(Manner):
    """vLLM's chat completions: the template is the embedded policy's."""

    completions: OpenAIManner

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        if path != "/v1/chat/completions":
            return await self.completions.reply(engine, context, path, body)
        *before, last = body["messages"]
        begun = body.get("continue_final_message", False)
        prompt = CHAT.render(before if begun else body["messages"]) + (last["content"] if begun else "")
        asked = {**body, "prompt": prompt, "logprobs": body.get("top_logprobs")}
        status, answer = await self.completions.reply(engine, context, "/v1/completions", asked)
        if status == 400 and "exceeds" in answer["error"]["message"]:
            used = await engine.count_tokens(prompt)
            return 400, {"error": {"message": TOO_MANY.format(body["max_tokens"], context, used)}}
        if status == 200:
            answer = {**answer, "choices": [_chosen(choice) for choice in answer["choices"]]}
        return status, answer


def _chosen(choice: Body) -> Body:
    return {**choice, "message": {"role": "assistant", "content": choice["text"]}}


class AsMessages(WrappingGenerator):
    """The engine under test, asked for what the laws write as text in the policy's format."""

    def __init__(self, engine: Engine, counts: Engine) -> None:
        super().__init__(engine)
        self._counts = counts

    async def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        head, _, begun = request.prompt.partition("<｜Assistant｜>")
        prompt = self.inside.render([{"role": "user", "content": head.partition("<｜User｜>")[2]}]) + begun
        async for completion in self.inside.generate(replace(request, prompt=prompt)):
            yield completion

    async def count_tokens(self, text: str) -> int:
        return await self._counts.count_tokens(text)


class ChatConformance(EngineConformance):
    manner = OpenAIManner(logprobs="chat")
    samples_per_request = 1

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Iterator[Subject]:
        engine = TransformersEngine(EMBEDDED_POLICY, device="cpu", batch_size=16, context=512)
        with serve_model(engine, 512, ChatManner(cls.manner)) as url:
            style = "continue_final_message"
            client = ChatEngine(EMBEDDED_POLICY, url, continuation=style, samples_per_request=cls.samples_per_request)
            asyncio.run(client.start())
            yield Subject(AsMessages(client, engine), context=512, tolerance=1e-9)
            asyncio.run(client.close())


class TestChat(ChatConformance):
    """Stop strings are named."""


@pytest.mark.slow
class TestChatThatNamesNoStops(ChatConformance):
    """They are cut here, and several samples share a request."""

    manner = OpenAIManner(logprobs="chat", stop_names="absent")
    samples_per_request = 4
