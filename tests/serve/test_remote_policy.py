"""Searches whose policy and verifier are on a chat server: asked for, streamed and refused as those of local models are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("uvicorn", reason="the extra serve is not installed")
openai = pytest.importorskip("openai", reason="OpenAI's client is not installed")

from tests.engines.chat_server import HOSTS, SOLUTION, ChatServer, serve_chat  # noqa: E402
from tests.serve.process import Process  # noqa: E402

pytestmark = pytest.mark.integration
ASKED = [{"role": "user", "content": "How many shirts?"}]
MODELS = """\
# @package _global_
common:
  policy: generic
  engine@policy.engine: chat
  policy.engine: {{model: m, base_url: {url}, api_key_env: TTS_TEST_KEY}}
  verifier: critic
  engine@verifier.engine: chat
  verifier.engine: {{model: m, base_url: {url}, api_key_env: TTS_TEST_KEY}}
  sandbox: none
models:
  policy: {{direct: true, search: majority, search.n: 1}}
  best-of-2+critic: {{search: best_of_n, search.n: 2}}
"""


@pytest.fixture(scope="module", params=["openai", "anthropic", "ollama"])
def remote(request: pytest.FixtureRequest) -> Iterator[ChatServer]:
    with serve_chat(HOSTS[request.param]()) as server:
        yield server


@pytest.fixture(scope="module")
def client(remote: ChatServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    folder = tmp_path_factory.mktemp("remote")
    (folder / "models").mkdir()
    (folder / "models" / "mine.yaml").write_text(MODELS.format(url=remote.url), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTS_TEST_KEY", "k")
        process = Process("--config-dir", str(folder), "models=mine")
    try:
        with openai.OpenAI(base_url=process.url, api_key="none", max_retries=0) as client:
            yield client
    finally:
        assert process.end() == 0


def test_the_policy_alone_passes_through(client: openai.OpenAI, remote: ChatServer) -> None:
    before = len(remote.bodies)
    answer = client.chat.completions.create(model="policy", messages=ASKED)
    assert answer.choices[0].message.content == SOLUTION
    asked = remote.bodies[before:]
    assert len(asked) == 1
    assert asked[0]["messages"][-1]["content"].startswith("How many shirts?")


def test_a_search_answers_and_counts_both_roles(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="best-of-2+critic", messages=ASKED)
    assert answer.choices[0].message.content == SOLUTION
    spent = answer.usage.completion_tokens_details.model_dump()
    assert spent["policy_tokens"] > 0
    assert spent["verifier_tokens"] > 0


def test_a_stream_tells_of_the_search_and_then_the_answer(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="best-of-2+critic", messages=ASKED, stream=True, seed=5)
    deltas = [chunk.choices[0].delta for chunk in stream if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == SOLUTION
    assert "judged" in "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
