"""Searches and verifiers on chat servers: what works on which, and what is refused before anything is asked."""

from __future__ import annotations

import json
import math
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import program
from tests.engines.chat_server import HOSTS, SOLUTION, Host, deepseek, obedient, openai, serve_chat, vllm
from tts.core import Problem
from tts.core.errors import UserError
from tts.engines.chat import ChatEngine
from tts.engines.generating import Request
from tts.runtime.result import Result
from tts.runtime.runtime import Runtime

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
LONG = "".join(f"Step number {k} is right.\n\n" for k in range(12)) + "\\boxed{29}"
SOFT = math.exp(-0.2) / (math.exp(-0.2) + math.exp(-1.9))
QUESTION = Problem("p", "How many shirts?", "29")


def role(name: str, url: str) -> list[str]:
    return [
        f"engine@{name}.engine=chat",
        f"{name}.engine.model=m",
        f"{name}.engine.base_url={url}",
        f"{name}.engine.api_key_env=TTS_TEST_KEY",
        f"{name}.engine.patience=3",
    ]


def both(url: str, *overrides: str) -> list[str]:
    given = [*role("policy", url), *role("verifier", url), "policy=generic", "verifier=critic", "sandbox=unsafe"]
    chosen = dict(each.partition("=")[::2] for each in [*given, "search=best_of_n", "search.n=2", *overrides])
    return [f"{key}={value}" for key, value in chosen.items()]


async def search(host: Host, *overrides: str) -> tuple[Result, int]:
    with serve_chat(host) as server:
        async with Runtime() as runtime:
            result = await runtime.search(QUESTION, *both(server.url, *overrides))
        return result, len(server.bodies)


async def refusal(host: Host, *overrides: str) -> str:
    """Returns the message of a search that is refused; the solutions were not begun."""
    with serve_chat(host) as server:
        async with Runtime() as runtime:
            with pytest.raises(UserError) as error:
                await runtime.search(QUESTION, *both(server.url, *overrides))
        assert not [body for body in server.bodies if "shirts" in body["messages"][-1]["content"]]
    assert "\n" not in str(error.value)
    return str(error.value)


SOFTLY = {"openai", "vllm"}
WITHOUT_WORDS = {"critic", "thinkprm-steps"}


@pytest.mark.parametrize("name", ["openai", "vllm", "ollama"])
@pytest.mark.parametrize("verifier", ["critic", "genrm", "genrm-cot", "thinkprm", "thinkprm-steps", "direct", "r-prm"])
async def test_every_verifier_that_can_judges_on_every_host(name: str, verifier: str) -> None:
    """With probabilities where the host has them, else with plain yes and no; in turns where it continues nothing."""
    result, _ = await search(HOSTS[name](), f"verifier={verifier}", "verifier.chat=template")
    expected = SOFT if name in SOFTLY and verifier not in WITHOUT_WORDS else 1.0
    for candidate in result.candidates:
        assert candidate.verdict is not None
        assert candidate.verdict.scores == pytest.approx([expected] * len(candidate.verdict.scores))


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "openai"])
@pytest.mark.parametrize("verifier", ["genprm", "genprm_published"])
async def test_genprm_runs_code_where_turns_are_continued(name: str, verifier: str) -> None:
    result, _ = await search(HOSTS[name](), f"verifier={verifier}", "verifier.chat=template")
    for candidate in result.candidates:
        assert candidate.verdict is not None
        assert all(score is not None and score > 0.5 for score in candidate.verdict.scores)
        # The output is the sandbox's, not the one that the model invents.
        assert "[Code Output]\n\n```\n42\n```" in candidate.verdict.votes[0].critiques[0]
        assert "41" not in candidate.verdict.votes[0].critiques[0]


async def test_genprm_is_refused_where_turns_are_not_continued() -> None:
    said = await refusal(openai(), "verifier=genprm", "verifier.chat=template")
    assert said.startswith("verifier.engine: ")
    assert "verifier=critic" in said


@pytest.mark.parametrize("strategy", ["best_of_n", "resample", "critique_refine", "ab_mcts"])
async def test_strategies_over_whole_solutions_need_no_continuation(strategy: str) -> None:
    result, _ = await search(openai(), f"search={strategy}", "search.n=4")
    assert result.answer == "29"
    assert result.candidates[0].solution.text == SOLUTION


@pytest.mark.parametrize("strategy", ["majority", "adaptive_consistency", "self_refine"])
async def test_so_do_those_without_a_verifier(strategy: str) -> None:
    result, _ = await search(openai(), f"search={strategy}", "search.n=4")
    assert result.answer == "29"


@pytest.mark.parametrize("strategy", ["beam", "dvts", "particle_gibbs", "rebase", "particle_filter", "tree_of_thought"])
async def test_step_search_is_refused_where_answers_are_not_continued(strategy: str) -> None:
    said = await refusal(openai(), f"search={strategy}", "search.n=4")
    assert "continues a partial solution" in said
    assert "best_of_n" in said


async def test_what_the_configuration_says_is_refused_without_asking() -> None:
    with serve_chat(vllm()) as server:
        async with Runtime() as runtime:
            with pytest.raises(UserError, match="continues a partial solution"):
                runtime.composed(*both(server.url, "search=beam", "search.n=4", "policy.engine.continuation=none"))
    assert not server.bodies


async def test_what_a_step_cost_beyond_its_text_does_not_shorten_the_solution() -> None:
    """Where stop strings are cut here, each step pays for the rest of the answer; the bound is that of its text."""

    def verbose(messages: list[dict[str, Any]], prefix: str) -> str:
        asked = messages[-1]["content"].startswith("How many shirts?")
        return LONG.removeprefix(prefix) if asked else obedient(messages, prefix)

    host = deepseek(thinks="", model=verbose)
    result, _ = await search(host, "search=beam", "search.n=4", "policy.max_tokens=120", "policy.max_step_tokens=110")
    assert {candidate.solution.text for candidate in result.candidates} == {LONG}
    assert result.candidates[0].solution.tokens < 120


@pytest.mark.parametrize("name", [name for name in HOSTS if name != "openai"])
async def test_beam_grows_solutions_where_answers_are_continued(name: str) -> None:
    result, _ = await search(HOSTS[name](), "search=beam", "search.n=4")
    assert {candidate.solution.text for candidate in result.candidates} == {SOLUTION}


async def test_formats_that_need_more_than_a_server_can_are_refused() -> None:
    assert "policy.chat=chatml" in await refusal(vllm(), "policy=qwen2.5")
    assert "set chat=template" in await refusal(vllm(), "policy=qwen2.5")
    assert "verifier.chat=plain" in await refusal(vllm(), "verifier=genrm")
    assert "verifier.chat=deepseek-r1" in await refusal(vllm(), "verifier=genprm")
    assert "policy.steps=numbered" in await refusal(openai(), "policy.steps=numbered")
    assert "rounds=1" in await refusal(openai(), "verifier.rounds=2")
    await search(vllm(), "policy.steps=numbered", "verifier.rounds=2")


async def test_an_answer_that_begins_with_neither_word_is_no_verdict() -> None:
    """Not even if it says one of them later."""

    def evasive(messages: list[dict[str, Any]], prefix: str) -> str:
        return "I have no doubt. Yes." if "(Yes/No)?" in messages[-1]["content"] else SOLUTION

    host = openai(model=evasive)
    result, _ = await search(host, "verifier=genrm", "verifier.chat=template")
    assert [candidate.verdict.scores for candidate in result.candidates if candidate.verdict] == [(None,), (None,)]


async def test_reasoning_is_banked_recorded_and_never_judged(tmp_path: Path) -> None:
    record = tmp_path / "requests.jsonl"
    kept = [f"bank.path={tmp_path / 'bank.sqlite'}", f"policy.engine.record={record}"]
    with serve_chat(deepseek(thinks="I wonder whether 30.")) as server:
        for _ in range(2):
            async with Runtime() as runtime:
                result = await runtime.search(QUESTION, *both(server.url, *kept))
        asked = [body for body in server.bodies if "How many shirts" in body["messages"][-1]["content"]]
        judged = [body for body in server.bodies if "<paragraph_0>" in body["messages"][-1]["content"]]
    assert len(asked) == 3  # the second run finds everything in the bank
    assert {candidate.solution.text for candidate in result.candidates} == {SOLUTION}
    assert judged
    assert not any("wonder" in body["messages"][-1]["content"] for body in judged)
    rows = [json.loads(line) for line in record.read_text().splitlines()]
    assert [each["reasoning"] for row in rows for each in row["completions"]] == ["I wonder whether 30."] * 4
    async with Runtime() as runtime:
        replayed = ["engine@policy.engine=replay", f"policy.engine.path={record}", "policy=generic", "search=majority"]
        again = await runtime.search(QUESTION, *replayed, "search.n=2", "sandbox=unsafe")
    assert again.answer == result.answer


async def test_a_problem_that_does_not_fit_the_context_fails_alone(tmp_path: Path) -> None:
    rows = [
        {"id": "long", "question": "shirt " * 400, "answer": "1"},
        {"id": "short", "question": "How?", "answer": "29"},
    ]
    task = tmp_path / "task.jsonl"
    task.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with serve_chat(vllm(context=200)) as server:
        run = program.run(
            *("-m", "tts", f"hydra.run.dir={tmp_path / 'run'}", "task=jsonl", f"task.path={task}"),
            *both(server.url, "search=majority"),
            folder=ROOT,
        )
    assert run.returncode == 1, run.stdout + run.stderr
    records = {row["id"]: row for row in map(json.loads, (tmp_path / "run/results.jsonl").read_text().splitlines())}
    assert "context length is 200" in records["long"]["error"]
    assert records["short"]["error"] is None
    assert records["short"]["correct"] is True


def test_the_command_line_on_a_hosted_model(tmp_path: Path) -> None:
    """Best of n with a critic, at a price, within the host's limit; then a step search, which is refused."""
    with serve_chat(openai(key="sk-right", per_minute=60)) as server:
        limits = [f"{role}.engine.requests_per_minute=3000" for role in ("policy", "verifier")]
        prices = ["policy.engine.prompt_price=1", "policy.engine.completion_price=2"]

        def run_with(name: str, key: str, *overrides: str) -> subprocess.CompletedProcess[str]:
            return program.run(
                *("-m", "tts", f"hydra.run.dir={tmp_path / name}", "task.limit=2"),
                *both(server.url, *limits, *prices, *overrides),
                folder=ROOT,
                environment={**os.environ, "TTS_TEST_KEY": key},
            )

        run = run_with("run", "sk-right")
        beam = run_with("beam", "sk-right", "search=beam", "search.n=4")
        wrong = run_with("wrong", "sk-wrong")
    assert run.returncode == 0, run.stdout + run.stderr
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["n_errors"] == 0
    assert summary["dollars"] > 0
    assert summary["engines"]["policy"]["continuation"] is None
    assert summary["engines"]["policy"]["token_limit"] == "max_completion_tokens"
    assert beam.returncode == wrong.returncode == 2
    assert "continues a partial solution" in beam.stdout + beam.stderr
    assert "api_key_env=TTS_TEST_KEY" in wrong.stdout + wrong.stderr
    assert "sk-" not in "".join((wrong.stdout, wrong.stderr, run.stdout, run.stderr))


async def test_a_storm_of_429_fails_nothing() -> None:
    """A host that allows 20 requests in a second and is asked as fast as possible."""
    with serve_chat(vllm(per_minute=20, window=1.0)) as server:
        chat = ChatEngine("m", server.url, api_key_env="TTS_TEST_KEY", continuation="none", patience=60)
        await chat.start()
        prompt = chat.render([{"role": "user", "content": "How many shirts?"}])
        said = [c async for c in chat.generate(Request(prompt, seeds=tuple(range(60))))]
        await chat.close()
    assert len(said) == 60
    assert server.refused
