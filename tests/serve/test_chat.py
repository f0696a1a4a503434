"""Chat completions and completions: the answers of tts.search, in OpenAI's form."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.serve.caller import ASKED, QUESTION, Served, serving
from tts import UserError
from tts.core.errors import EngineError, RunError

pytestmark = pytest.mark.asyncio(loop_scope="package")
MODEL = "best-of-16+genprm"


async def test_every_configured_search_is_a_model_with_its_bound(server: Served) -> None:
    listed = (await server.client.get("/v1/models")).json()
    one = (await server.client.get(f"/v1/models/{MODEL}")).json()
    none = await server.client.get("/v1/models/none")
    assert [model["id"] for model in listed["data"]] == ["policy", "majority-16", MODEL, "beam-8+genprm"]
    assert one in listed["data"]
    assert one["at_most"]["policy_tokens"] == 16 * 160
    assert one["description"].startswith("The best of 16")
    assert none.status_code == 404
    assert none.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("seed", [None, 0, 7])
@pytest.mark.parametrize(("model", "search"), [(MODEL, "best_of_n"), ("majority-16", "majority")])
async def test_the_same_question_and_seed_give_the_answer_of_a_search(
    server: Served, model: str, search: str, seed: int | None
) -> None:
    answer = await server.chat(model=model, seed=seed)
    result = await server.runtime.search(QUESTION, search=search, n=16, seed=seed or 0)
    assert result.chosen is not None
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": result.chosen.solution.text, "refusal": None},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ]
    assert answer["tts"]["answer"] == result.answer
    assert answer["tts"]["chosen"] == result.found.chosen


async def test_usage_has_what_each_role_spent(server: Served) -> None:
    answer = await server.chat(tts={"n": 4})
    result = await server.runtime.search(QUESTION, search="best_of_n", n=4)
    usage, policy = answer["usage"], result.usage["policy"]
    assert result.chosen is not None
    assert usage["completion_tokens"] == policy.completion_tokens > 0
    assert usage["prompt_tokens"] == policy.prompt_tokens
    assert usage["total_tokens"] == policy.prompt_tokens + policy.completion_tokens
    assert usage["completion_tokens_details"] == {
        "reasoning_tokens": policy.completion_tokens - result.chosen.solution.tokens,
        "policy_tokens": policy.completion_tokens,
        "verifier_tokens": 0,
    }
    for role, spent in result.usage.items():
        assert usage["roles"][role].items() <= vars(spent).items()
    assert usage["roles"]["verifier"]["verifications"] == 8


async def test_callers_with_the_same_question_each_pay_for_their_own_search(server: Served) -> None:
    alone = await server.chat()
    answers = await asyncio.gather(server.chat(), server.chat())
    assert [answer["usage"] for answer in answers] == [alone["usage"]] * 2


async def test_further_answers_are_the_best_of_the_others(server: Served) -> None:
    answer = await server.chat(n=16)
    candidates = answer["tts"]["candidates"]
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    right = sum(candidate["score"] == 1.0 for candidate in candidates)
    assert 0 < right < 16
    assert ["\\boxed{56}" in text for text in texts] == [True] * right + [False] * (16 - right)


async def test_an_answer_ends_before_a_stop(server: Served) -> None:
    whole = await server.chat()
    cut = await server.chat(stop=["So", "\n\nSo"])
    [first], [second] = whole["choices"], cut["choices"]
    text = first["message"]["content"]
    assert second["message"]["content"] == text[: text.index("\n\nSo")]


async def test_a_direct_call_is_n_samples_and_no_search(server: Served) -> None:
    answer = await server.chat(model="policy", n=3, temperature=0.3, top_p=0.9, max_tokens=50, seed=4)
    [request] = server.engine.requests
    samples = [one async for one in server.engine.generate(request)]
    assert [choice["message"]["content"] for choice in answer["choices"]] == [one.text for one in samples]
    sampling = request.sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (50, 0.3, 0.9)


async def test_a_conversation_is_the_problem() -> None:
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "2 * 2?"}]},
        {"role": "assistant", "content": "4", "refusal": None, "tool_calls": None, "reasoning_content": "[1] chosen"},
        {"role": "user", "content": QUESTION},
    ]
    async with serving("common={policy.system: Be clear.}") as server:
        await server.chat(model="policy", messages=turns)
        [request] = server.engine.requests
    places = [request.prompt.index(text) for text in ("Be brief.", "What is 2 * 2?", "4", QUESTION)]
    assert places == sorted(places)
    assert "chosen" not in request.prompt


async def test_a_completion_answers_its_prompt(server: Served) -> None:
    chat = await server.chat()
    answer = await server.client.post("/v1/completions", json={"model": MODEL, "prompt": QUESTION})
    assert answer.json()["choices"] == [
        {"index": 0, "text": chat["choices"][0]["message"]["content"], "finish_reason": "stop", "logprobs": None}
    ]


async def test_a_used_up_budget_ends_with_the_best_candidate_or_an_empty_answer(server: Served) -> None:
    cut = await server.chat(model="beam-8+genprm", tts={"budget": {"tokens": 1}})
    server.engine.free.clear()
    late = await server.chat(tts={"budget": {"seconds": 0.01}})
    assert cut["tts"]["limits_hit"] == ["problem.tokens"]
    assert late["tts"]["limits_hit"] == ["problem.seconds"]
    assert late["choices"][0]["message"]["content"] == ""
    assert late["choices"][0]["finish_reason"] == "length"


async def test_another_strategy_can_be_asked_for(server: Served) -> None:
    answer = await server.chat(model="policy", tts={"search": "best_of_n", "n": 5})
    kept = await server.chat(model="policy")
    assert len(answer["tts"]["candidates"]) == 5
    assert len(kept["tts"]["candidates"]) == 1


REFUSED = {
    "model": ({"model": "none"}, "there are policy"),
    "n": ({"n": 65}, "n=65: this server allows 64"),
    "more than there are": ({"n": 17}, "16 candidates"),
    "samples": ({"tts": {"n": 65}}, "tts.n=65"),
    "votes": ({"tts": {"votes": 17}}, "tts.votes=17"),
    "no votes": ({"tts": {"votes": 3}}, "no setting verifier.votes"),
    "strategy": ({"tts": {"search": "mcts"}}, "there are best_of_n, majority, beam"),
    "direct": ({"model": "policy", "tts": {"n": 3}}, "set n"),
    "max_tokens": ({"max_tokens": 161}, "max_tokens=161: 'best-of-16+genprm' allows 160"),
    "both bounds": ({"max_tokens": 500, "max_completion_tokens": 200}, "max_completion_tokens=200"),
    "dollars": ({"tts": {"budget": {"dollars": 1}}}, "prices"),
    "temperature": ({"temperature": 2.5}, "temperature"),
    "stop": ({"stop": ["a"] * 5}, "stop"),
    "format": ({"response_format": {"type": "json_object"}}, "response_format.type"),
    "tools": ({"tools": []}, "tools: not supported"),
    "logprobs": ({"logprobs": True}, "logprobs"),
    "penalty": ({"frequency_penalty": 0.5}, "frequency_penalty"),
    "bias": ({"logit_bias": {"5": 1}}, "logit_bias"),
    "unknown": ({"beam_width": 3}, "beam_width: not supported"),
    "unknown option": ({"tts": {"width": 3}}, "tts.width: not supported"),
    "budget": ({"tts": {"budget": {"tokens": 0}}}, "tts.budget.tokens"),
    "image": ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages"),
    "tool's turn": ({"messages": [{"role": "tool", "content": "1"}]}, "messages.0.role"),
    "no question": ({"messages": [{"role": "assistant", "content": "1"}]}, "the last message must be the user's"),
    "blank question": ({"messages": [{"role": "user", "content": " "}]}, "the last message must be the user's"),
    "two systems": ({"messages": [{"role": "system", "content": "a"}] * 2 + ASKED}, "only the first message"),
    "huge": ({"max_tokens": int("1" + "0" * 400)}, "max_tokens"),
    "huge seed": ({"seed": 1 << 63}, "seed"),
    "no messages": ({"messages": []}, "messages"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_honoured_is_refused_by_name(server: Served, case: str) -> None:
    body, said = REFUSED[case]
    status = 404 if case == "model" else 400
    assert said in await server.refused(status, **body)
    assert server.engine.requests == []


async def test_what_asks_for_nothing_is_no_reason_to_refuse(server: Served) -> None:
    nothing = {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}, "logprobs": False, "store": False}
    plain = await server.chat()
    same = await server.chat(**nothing, n=1, user="me", response_format={"type": "text"}, seed=0)
    assert plain["choices"] == same["choices"]


async def test_null_is_as_good_as_nothing(server: Served) -> None:
    nulls = {"n": None, "stream": None, "tts": None, "stream_options": {"include_usage": None}, "stop": None}
    assert (await server.chat(**nulls))["choices"] == (await server.chat())["choices"]
    assert (await server.chat(tts={"budget": None, "n": None}))["choices"]
    assert "model" in await server.refused(model=None)
    schemas = server.app.openapi()["components"]["schemas"]
    assert {"type": "null"} in schemas["ChatRequest"]["properties"]["n"]["anyOf"]
    assert "anyOf" not in schemas["ChatRequest"]["properties"]["model"]


async def test_an_operator_s_budget_can_only_be_lowered() -> None:
    async with serving("common={budget.problem.tokens: 100}") as server:
        assert "tokens=101" in await server.refused(tts={"budget": {"tokens": 101}})
        answer = await server.chat(tts={"budget": {"tokens": 99}})
        listed = (await server.client.get("/v1/models/best-of-16+genprm")).json()
    assert answer["choices"]
    assert (listed["at_most"]["policy_tokens"], listed["at_most"]["verifier_tokens"]) == (100, 100)


async def test_a_draft_has_a_bound_of_its_own() -> None:
    async with serving("+models.drafted={search: speculative, search.n: 2, search.depth: 3}") as server:
        bounds = (await server.client.get("/v1/models/drafted")).json()["at_most"]
    assert bounds["draft_tokens"] == 2 * 3 * 48
    assert bounds["verifier_tokens"] is None


async def test_votes_are_refused_where_nobody_votes() -> None:
    async with serving("common={verifier: embedded}") as server:
        assert "asks no verifier" in await server.refused(model="majority-16", tts={"votes": 3})


async def test_a_search_that_fails_is_the_server_s_fault(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(server.engine, "_answer", lambda prompt, seed: 1 / 0)
        error = (await server.chat(500, model="policy"))["error"]
    assert error["type"] == "server_error"
    await server.chat(model="policy")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (EngineError("http://inside:8000: status 401 (does $MY_KEY hold it?)"), 502),
        (RunError("/home/op/bank.sqlite: damaged"), 500),
        (UserError("http://inside:8000: no server there"), 500),
    ],
    ids=["engine", "run", "operator"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_callers_are_not_told_of_the_operator_s_machines(
    server: Served,
    error: Exception,
    status: int,
    stream: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(server.runtime, "searched", fails)
    body = {"model": "policy", "messages": ASKED, "stream": stream}
    answer = await server.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == (200 if stream else status)
    assert "log says why" in answer.text
    assert "inside" not in answer.text
    assert "/home" not in answer.text
    assert str(error) in caplog.text


async def test_a_damaged_bank_is_no_mistake_of_the_caller(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> None:
        raise RunError("/home/op/bank.sqlite: damaged")

    monkeypatch.setattr(server.service.catalogue, "composed", fails)
    assert "/home" not in await server.refused(500)


async def test_a_model_s_parts_of_the_budget_are_lowered_with_the_whole() -> None:
    async with serving("common={budget.problem.policy_tokens: 3000}") as server:
        assert (await server.chat(tts={"budget": {"tokens": 1000}}))["choices"]


async def test_no_search_takes_longer_than_the_server_allows(server: Served) -> None:
    model = (await server.client.get(f"/v1/models/{MODEL}")).json()
    assert model["at_most"]["seconds"] == 600


async def test_a_budget_of_a_run_is_refused_since_a_server_has_none() -> None:
    async with serving("common={budget.run.tokens: 1000000}") as server:
        with pytest.raises(UserError, match=r"models.policy: budget.run.tokens=1000000: .*budget.problem.tokens"):
            await server.service.catalogue.check()


async def test_another_strategy_takes_nothing_of_the_model_s_own() -> None:
    async with serving() as server:
        made = replace(
            server.service.catalogue.models["policy"],
            overrides=("search=speculative", "engine@search.draft.engine=embedded", "search.n=2"),
        )
        server.service.catalogue.models["small"] = made
        answer = await server.chat(model="small", tts={"search": "best_of_n", "n": 3})
    assert len(answer["tts"]["candidates"]) == 3
