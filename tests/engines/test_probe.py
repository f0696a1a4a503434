"""What is found out about a server, and what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

import tts
from tests.engines.generated import Body, Reply
from tests.engines.manners import LlamaCppManner, Manner, OllamaManner, OpenAIManner
from tests.engines.model_server import serve_model
from tests.engines.server import completion, serve
from tests.engines.subject import EMBEDDED_POLICY, HOT, PROMPTS, bare, complete
from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Engine, Request, Sampling
from tts.engines.http.findings import Findings
from tts.engines.openai import OpenAIEngine
from tts.engines.openai.llama_cpp import LlamaCppDialect
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration

STOPS = Sampling(max_tokens=60, temperature=0.7, stop=("5.", "7"), include_stop=True, top_logprobs=5)


@dataclass
class Seen:
    """A manner, with every request that it was sent, some of which it answers wrongly.

    Attributes:
        manner: How it answers.
        faults: What happens to the requests for completions in turn; None: nothing.
        bodies: The bodies of those requests.
    """

    manner: Manner
    faults: tuple[Reply | None, ...] = (None,)
    bodies: list[Body] = field(default_factory=list)
    turns: Iterator[int] = field(default_factory=count)

    async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
        if not path.endswith(("/completions", "/completion", "/generate")):
            return await self.manner.reply(engine, context, path, body)
        self.bodies.append(body)
        fault = self.faults[next(self.turns) % len(self.faults)]
        return fault or await self.manner.reply(engine, context, path, body)


@contextmanager
def engine_of(manner: Manner, **settings: Any) -> Iterator[OpenAIEngine]:
    with serve_model(TransformersEngine(EMBEDDED_POLICY, device="cpu"), 2048, manner) as url:
        yield OpenAIEngine(EMBEDDED_POLICY, url, **settings)


async def said(engine: Engine, request: Request) -> list[Completion]:
    await engine.start()
    try:
        return await complete(engine, request)
    finally:
        await engine.close()


async def test_what_is_found_is_reported_and_distinguishes_banks_only_where_results_differ() -> None:
    for manner, found, differs in (
        (OpenAIManner(), {"kind": "vllm", "stop_named": True, "logprobs": "legacy", "n": True, "seeded": True}, {}),
        (OpenAIManner(stop_names="wrong"), {"stop_named": False}, {"endings": "seen"}),
        (OpenAIManner(keeps_stop=True), {"stop_kept": True}, {"endings": "seen"}),
        (OpenAIManner(most_logprobs=5), {"most_alternatives": 5, "logprobs": "legacy"}, {}),
        (OpenAIManner(logprobs="processed"), {"logprobs_mode": "processed"}, {"processed_logprobs": True}),
        (OpenAIManner(honours_n=False), {"n": False}, {}),
        (OpenAIManner(honours_seeds=False), {"seeded": False}, {}),
        (LlamaCppManner(), {"kind": "llama.cpp", "context": 2048}, {"dialect": "llama.cpp", "context": None}),
        (OllamaManner(), {"kind": "ollama", "stop_named": False}, {"dialect": "ollama", "context": None}),
    ):
        with engine_of(manner) as engine:
            url = engine._url
            await engine.start()
            report, identity = engine.report(), engine.identity()
            await engine.close()
        assert {name: report[name] for name in found} == found
        plain = {"engine": "openai", "model": EMBEDDED_POLICY, "url": url, "root": None, "context": 2048}
        expected = {**plain, "processed_logprobs": False, **differs}
        unnamed = {"endings": "seen"} if found.get("kind") == "ollama" else {}
        assert identity == {**expected, **unnamed}


def of_text(completion: Completion) -> Completion:
    """Returns what must be equal in a completion whose end was looked for."""
    tokens = completion.completion_tokens - completion.unseen_tokens
    return replace(bare(completion), completion_tokens=tokens, unseen_tokens=0)


@pytest.mark.parametrize(
    "manner",
    [
        OpenAIManner(stop_names="absent"),
        OpenAIManner(stop_names="wrong", tokens_of_stop=False),
        OpenAIManner(stop_names="null", logprobs="none"),
        OpenAIManner(keeps_stop=True),
        LlamaCppManner(),
        OllamaManner(),
    ],
)
async def test_ends_are_those_in_process(manner: Manner) -> None:
    request = Request(PROMPTS[0], STOPS, tuple(range(8)))
    expected = await said(TransformersEngine(EMBEDDED_POLICY, device="cpu"), request)
    with engine_of(manner) as engine:
        found = await said(engine, request)
    # What was sampled again to see an end is paid for, and no part of the text.
    assert [of_text(c) for c in found] == [of_text(c) for c in expected]
    assert {c.stop for c in expected} == {"5.", "7", None}  # None: the model ended it


async def test_a_server_that_ignores_seeds_and_names_nothing_is_not_sent_stop_strings() -> None:
    manner = Seen(OpenAIManner(stop_names="absent", tokens_of_stop=False, honours_seeds=False))
    with engine_of(manner) as engine:
        await engine.start()
        probed = len(manner.bodies)
        for c in await said(engine, Request(PROMPTS[0], STOPS, tuple(range(6)))):
            assert c.stop is None or (c.text.endswith(c.stop) and c.finish_reason == "stop")
            assert all(stop not in c.text.removesuffix(c.stop or "") for stop in STOPS.stop)
    assert all("stop" not in body for body in manner.bodies[probed:])
    assert len(manner.bodies) == probed + 6


async def test_a_named_end_costs_one_request() -> None:
    for manner, most in ((OpenAIManner(), 5), (LlamaCppManner(), 4)):
        seen = Seen(manner)
        with engine_of(seen) as engine:
            await said(engine, Request(PROMPTS[0], Sampling(60, stop=("\n\n",)), tuple(range(6))))
        assert len(seen.bodies) <= most + 6


async def test_n_that_is_ignored_is_not_used() -> None:
    request = Request(PROMPTS[0], HOT, (3, 4, 5))
    for manner in (OpenAIManner(honours_n=False), OpenAIManner(reversed_choices=True)):
        with engine_of(manner, samples_per_request=3) as engine:
            shared = await said(engine, request)
        assert [bare(c) for c in shared] == [
            bare(c) for c in await said(TransformersEngine(EMBEDDED_POLICY, device="cpu"), request)
        ]


BUSY: Reply = (429, {"error": "slow down"})
BROKEN: Reply = (200, {"choices": [{"text": None}], "response": None})


async def test_faults_between_the_answers_change_nothing() -> None:
    request = Request(PROMPTS[1], STOPS, tuple(range(6)))
    expected = await said(TransformersEngine(EMBEDDED_POLICY, device="cpu"), request)
    faults = (BUSY, None, (503, {}), BROKEN, None, BUSY, (500, {"error": "x"}), None)
    for manner in (OpenAIManner(), OllamaManner(), LlamaCppManner()):
        with engine_of(Seen(manner, faults), retries=20) as engine:
            assert [of_text(c) for c in await said(engine, request)] == [of_text(c) for c in expected]


async def test_choices_with_wrong_indices_are_an_error() -> None:
    says = pytest.raises(EngineError, match=r"those of the indices \[3\]")
    with serve(lambda body: completion(body, "x", index=3)) as server, says:
        await said(OpenAIEngine("m", server.url), Request("p"))


async def test_a_refused_probe_does_not_end_a_run() -> None:
    """For example a server that wants fewer tokens in a prompt than the probe has."""

    def answer(body: dict[str, Any]) -> Any:
        return completion(body, "x") if body["prompt"] == "p" else (400, "no")

    with serve(answer) as server:
        engine = OpenAIEngine("m", server.url)
        assert [c.text for c in await said(engine, Request("p"))] == ["x"]
    assert engine.found == Findings(tokenizes=True)


@pytest.mark.parametrize(
    ("status", "says"), [(401, "OPENAI_API_KEY hold the server's key"), (404, "does not complete raw prompts")]
)
async def test_a_server_that_completes_nothing_is_refused_at_the_start(status: int, says: str) -> None:
    with serve(lambda body: (status, "no")) as server:
        engine = OpenAIEngine("m", server.url)
        with pytest.raises(UserError, match=says):
            await engine.start()
        await engine.close()


async def test_another_models_tokenizer_is_refused() -> None:
    class Other(LlamaCppManner):
        async def reply(self, engine: Engine, context: int, path: str, body: Body) -> Reply:
            return (
                (200, {"content": "?"}) if path == "/detokenize" else await super().reply(engine, context, path, body)
            )

    with engine_of(Other(), tokenizer=EMBEDDED_POLICY) as engine:
        with pytest.raises(UserError, match="tokenizer: not that of the model"):
            await engine.start()
        await engine.close()


async def test_a_begin_of_text_token_of_the_servers_own_is_left_out_of_the_prompt() -> None:
    request = Request(PROMPTS[0], replace(HOT, top_p=0.9, top_k=30, repetition_penalty=1.1), (1, 2))
    expected = await said(TransformersEngine(EMBEDDED_POLICY, device="cpu"), request)
    with engine_of(OllamaManner("<｜begin▁of▁sentence｜>"), tokenizer=EMBEDDED_POLICY) as engine:
        assert [bare(c) for c in await said(engine, request)] == [bare(c) for c in expected]


def test_an_engine_probes_once() -> None:
    manner = Seen(OpenAIManner())

    async def start(engine: OpenAIEngine) -> None:
        await engine.start()
        await engine.close()

    with engine_of(manner) as engine:
        asyncio.run(start(engine))
        probed = len(manner.bodies)
        asyncio.run(start(engine))
    assert 1 <= probed == len(manner.bodies) <= 5


def test_a_token_that_llama_cpp_held_back_has_its_own_text() -> None:
    """A text that may become a stop string comes with the token after which it is none."""

    def entry(number: int, shown: str, *own: str) -> Body:
        top = [{"id": number + at, "token": text, "logprob": -0.1 - at} for at, text in enumerate(own)]
        return {"id": number, "token": shown, "logprob": -0.1, "top_logprobs": top}

    answer = {
        "content": "a\nYes",
        "stop_type": "eos",
        "stopping_word": "",
        "tokens_predicted": 3,
        "tokens_evaluated": 1,
        "completion_probabilities": [entry(1, "a", "a"), entry(10, "", "\n", "!"), entry(20, "\nYes", "Yes", "No")],
    }
    request = Request("p", Sampling(stop=("\n```",), top_logprobs=2))
    (choice,) = LlamaCppDialect(lambda text: None).read(answer, request, range(1), processed=False)
    assert [(token.text, dict(token.top)) for token in choice.tokens or ()] == [
        ("a", {"a": -0.1}),
        ("\n", {"\n": -0.1, "!": -1.1}),
        ("Yes", {"Yes": -0.1, "No": -1.1}),
    ]


async def test_a_runs_summary_says_what_ran_its_models() -> None:
    with engine_of(OpenAIManner()) as engine:
        evaluation = await tts.aevaluate(
            limit=1, n=2, engines={"policy": engine}, verifier="calculator", sandbox="none"
        )
        await engine.close()
    assert evaluation.summary["engines"]["policy"] == {
        "dialect": "completions",
        **(engine.found or Findings()).to_json(),
    }
    assert evaluation.summary["engines"]["policy"]["version"] == "0.11.0"


@pytest.mark.parametrize(("tokenizes", "count"), [(True, len), (False, lambda text: -(-len(text) // 4))])
async def test_tokens_that_no_answer_counts_are_counted_as_those_of_texts(
    tokenizes: bool, count: Callable[[str], int]
) -> None:
    with serve(lambda body: {**completion(body, "a b c d e"), "usage": None}, tokenizes=tokenizes) as server:
        (found,) = await said(OpenAIEngine("m", server.url), Request("some prompt"))
    assert (found.completion_tokens, found.prompt_tokens) == (count("a b c d e"), count("some prompt"))


async def test_what_a_server_says_instead_of_choices_is_told() -> None:
    with serve(lambda body: {"error": {"message": "out of pages"}}) as server:
        engine = OpenAIEngine("m", server.url, retries=0)
        with pytest.raises(EngineError, match="out of pages"):
            await said(engine, Request("p"))
