"""The chat policy: prompts of the published models, samples, and what counts as finished."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

import tts.config.build
from policies.chat import ChatPolicy
from tts.core import Attachment, Problem, Solution
from tts.core.errors import ProblemError, UserError
from tts.core.policy import GREEDY
from tts.core.solution import Written
from tts.engines.generating import Completion, Token
from tts.engines.scripted import ScriptedEngine
from tts.engines.seeded import derive_seed

PROBLEM = Problem("p", "What is {1} + 1?", "2")


def preset(name: str, engine: ScriptedEngine, **changes: object) -> ChatPolicy:
    with initialize_config_module("conf", version_base="1.3"):
        config = OmegaConf.to_container(compose("config", [f"policy={name}"]), resolve=True)["policy"]
    del config["engine"]
    return tts.config.build.build({**config, **changes}, "policy", {"engine": engine})


async def collect(stream: object) -> list[Solution]:
    return [solution async for solution in stream]


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "qwen2.5-math",
            "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
            "<|im_start|>user\nWhat is {1} + 1?<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "qwen2.5",
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\nWhat is {1} + 1?\nPlease reason step by step, and put your final answer within \\boxed{}."
            "<|im_end|>\n<|im_start|>assistant\n",
        ),
        (
            "gemma-3",
            "<bos><start_of_turn>user\nYou are a helpful assistant.\n\nWhat is {1} + 1?\n\nPlease reason step by step, and "
            "put your final answer within \\boxed{}.<end_of_turn>\n<start_of_turn>model\n",
        ),
        ("embedded", "<｜begin▁of▁sentence｜><｜User｜>What is {1} + 1?<｜Assistant｜>"),
    ],
)
async def test_presets_render_the_models_own_prompts(name: str, prompt: str) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "2")
    await collect(preset(name, engine).solutions(PROBLEM, Solution(), 1))
    assert engine.requests[0].prompt == prompt


async def test_llama_is_asked_for_headings() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "## Step 1: a\nb\n\n## Step 2: c\nd")
    (solution,) = await collect(preset("llama-3", engine).solutions(PROBLEM, Solution(), 1))
    prompt = engine.requests[0].prompt
    assert prompt.startswith(
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nSolve the following math problem"
    )
    assert prompt.endswith("Problem: What is {1} + 1?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
    assert solution.steps == ("## Step 1: a\nb", "## Step 2: c\nd")


async def test_samples_are_numbered_and_seeded_by_their_number() -> None:
    engine = ScriptedEngine(lambda prompt, seed: f"{seed}")
    policy = preset("qwen2.5", engine, seed=5)
    first = await collect(policy.solutions(PROBLEM, Solution(), 3))
    more = await collect(policy.solutions(PROBLEM, Solution(), 2, first=2))
    assert [s.index for s in first] == [0, 1, 2]
    assert [s.index for s in more] == [2, 3]
    assert more[0] == first[2]
    assert len({s.text for s in first}) == 3
    assert first[1].text == str(derive_seed(5, engine.requests[0].prompt, 1))


async def test_a_solution_cut_at_the_limit_is_not_finished() -> None:
    engine = ScriptedEngine(lambda prompt, seed: Completion("The answer is \\boxed{2", "length", completion_tokens=9))
    (solution,) = await collect(preset("qwen2.5", engine).solutions(PROBLEM, Solution(), 1))
    assert not solution.finished
    assert solution.finish_reason == "length"


async def test_a_prefix_is_continued_where_it_ends() -> None:
    text = "First.\n\nSecond.\n\nThird \\boxed{2}"
    start = "<｜Assistant｜>"
    engine = ScriptedEngine(lambda prompt, seed: text[len(prompt.split(start)[1]) :])
    policy = preset("embedded", engine)
    (one,) = await collect(policy.steps(PROBLEM, Solution(), 1))
    (two,) = await collect(policy.steps(PROBLEM, one, 1))
    assert (one.text, one.steps, one.finish_reason) == ("First.\n\n", ("First.",), "step")
    assert (two.text, two.steps) == ("First.\n\nSecond.\n\n", ("First.", "Second."))
    (three,) = await collect(policy.steps(PROBLEM, two, 1))
    (whole,) = await collect(policy.solutions(PROBLEM, one, 1))
    assert three.text == whole.text == text
    assert three.finished
    assert whole.finished
    assert three.tokens > two.tokens > one.tokens


@pytest.mark.parametrize("way", ["steps", "solutions"])
async def test_one_sample_is_greedy(way: str) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "\\boxed{2}")
    policy = preset("qwen2.5", engine)
    await collect(getattr(policy, way)(PROBLEM, Solution(), 1))
    (greedy,) = await collect(getattr(policy, way)(PROBLEM, Solution(), 1, GREEDY))
    drawn, likeliest = (request.sampling for request in engine.requests)
    assert likeliest == replace(drawn, temperature=0.0) != drawn
    assert greedy.index == GREEDY


@pytest.mark.parametrize(
    ("opens", "steps", "begins"),
    [
        (True, "numbered", "\nStep 2: "),
        (False, "numbered", ""),
        (True, "heading", "\n\n## Step 2: "),
        (True, "blank_line", ""),
    ],
)
async def test_completions_begin_the_next_step_if_they_are_to(opens: bool, steps: str, begins: str) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "so \\boxed{2}")
    policy = preset("qwen2.5", engine, steps=steps, opens_steps=opens)
    text = {"heading": "## Step 1: one\n## Step 2: two", "blank_line": "one\n\ntwo"}.get(
        steps, "Step 1: one\n\nStep 2: two"
    )
    whole = policy._format.solution(text, "stop")
    prefix = whole.prefix(1)
    (found,) = await collect(policy.solutions(PROBLEM, prefix, 1))
    assert found.text == f"{prefix.text}{begins}so \\boxed{{2}}"
    assert len(found.steps) == (2 if begins or steps == "blank_line" else 1)
    # A solution from its beginning is the same either way.
    first = preset("qwen2.5", engine, steps=steps, opens_steps=not opens)
    one, other = [await collect(each.solutions(PROBLEM, Solution(), 1)) for each in (policy, first)]
    assert one == other


async def test_numbered_steps_are_forced() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "a\n\nStep 2: b\nStep 3: \\boxed{2}")
    policy = preset("qwen2.5", engine, steps="numbered")
    (whole,) = await collect(policy.solutions(PROBLEM, Solution(), 1))
    assert engine.requests[0].prompt.endswith("<|im_start|>assistant\nStep 1: ")
    assert whole.steps == ("Step 1: a", "Step 2: b", "Step 3: \\boxed{2}")
    (one,) = await collect(policy.steps(PROBLEM, Solution(), 1))
    await collect(policy.steps(PROBLEM, one, 1))
    assert engine.requests[-1].prompt.endswith("<|im_start|>assistant\nStep 1: a\n\nStep 2: ")


async def test_a_revision_shows_the_solution_and_the_critique() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "better")
    policy = preset("qwen2.5", engine, revise="Rethink:\n{critique}")
    await collect(policy.revisions(PROBLEM, Solution("old {x}", ("old {x}",), "stop"), "no {y}", 1))
    assert engine.requests[0].prompt.endswith(
        "<|im_start|>assistant\nold {x}<|im_end|>\n<|im_start|>user\nRethink:\nno {y}<|im_end|>\n<|im_start|>assistant\n"
    )


def test_wrong_settings_are_named() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "")
    with pytest.raises(UserError, match=r"^chat=vicuna.*chatml"):
        ChatPolicy(engine, chat="vicuna")
    with pytest.raises(UserError, match=r"^user='Solve it\.': .*question"):
        ChatPolicy(engine, chat="chatml", user="Solve it.")
    with pytest.raises(UserError, match=r"^steps='': it must not be empty"):
        ChatPolicy(engine, chat="chatml", steps="")


CONVERSATION = Problem(
    "p",
    messages=[
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi {question}"},
        {"role": "assistant", "content": "Hi!"},
        {"role": "user", "content": "What is {1} + 1?"},
    ],
)


@pytest.mark.parametrize(
    ("system", "shown"), [("Think.", "Think.\n\nBe brief."), (None, "Be brief."), ("", "Be brief.")]
)
async def test_a_conversation_stands_in_place_of_the_question(system: str | None, shown: str) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "2")
    policy = ChatPolicy(engine, "chatml", user="Solve: {question}", system=system)
    await collect(policy.solutions(CONVERSATION, Solution(), 1))
    assert engine.requests[0].prompt == (
        f"<|im_start|>system\n{shown}<|im_end|>\n<|im_start|>user\nHi {{question}}<|im_end|>\n"
        "<|im_start|>assistant\nHi!<|im_end|>\n<|im_start|>user\nSolve: What is {1} + 1?<|im_end|>\n<|im_start|>assistant\n"
    )


async def test_a_question_alone_is_a_conversation_of_one_turn() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "2")
    policy = preset("qwen2.5", engine)
    alone = Problem("p", messages=[{"role": "user", "content": PROBLEM.question}])
    for problem in (PROBLEM, alone):
        await collect(policy.solutions(problem, Solution(), 1))
    assert engine.requests[0] == engine.requests[1]


@pytest.mark.parametrize("way", ["steps", "solutions", "revisions"])
async def test_what_it_cannot_read_it_does_not_ignore(way: str) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "2")
    problem = replace(PROBLEM, attachments=(Attachment("image", "a.png"),))
    more = ("no",) if way == "revisions" else ()
    with pytest.raises(ProblemError, match=r"problem p comes with image a\.png"):
        await collect(getattr(preset("qwen2.5", engine), way)(problem, Solution(), *more, 1))
    assert not engine.requests


def token(text: str, logprobs: dict[str, float], sampled: dict[str, float]) -> Token:
    return Token(text, logprobs[text or "</s>"], logprobs, sampled)


WRITTEN = (
    token("a", {"a": -1.0, "b": -2.0, "c": -6.0}, {"a": -0.5, "b": -0.9, "c": -math.inf}),
    token("", {"</s>": -0.25, "b": -1.5}, {"</s>": 0.0, "b": -math.inf}),
)


async def test_a_solution_holds_its_tokens_if_they_are_asked_for() -> None:
    engine = ScriptedEngine(lambda prompt, seed: Completion("a", "stop", tokens=WRITTEN, completion_tokens=2))
    policy = preset("embedded", engine, top_logprobs=2)
    assert policy.traits.logprobs
    (solution,) = await collect(policy.solutions(PROBLEM, Solution(), 1))
    assert engine.requests[0].sampling.top_logprobs == 2
    # The two likeliest tokens make the confidence; the end of the text has another name among the alternatives.
    assert solution.trace == (Written("a", -1.0, -0.5, 1.5), Written("", -0.25, 0.0, 0.875))
    # What continues a prefix goes on with its trace; of a prefix of unknown tokens it would not be whole.
    (longer,) = await collect(policy.solutions(PROBLEM, replace(solution, finish_reason="step"), 1))
    assert longer.trace == (*solution.trace, *solution.trace)
    (unknown,) = await collect(policy.solutions(PROBLEM, Solution("a", ("a",)), 1))
    assert unknown.trace == ()
    # Whether two solutions are equal does not depend on it.
    assert solution == replace(solution, trace=())
    assert solution.prefix(0).trace == ()


async def test_nothing_is_asked_for_by_default() -> None:
    engine = ScriptedEngine(lambda prompt, seed: Completion("a", "stop", tokens=WRITTEN))
    policy = preset("embedded", engine)
    assert not policy.traits.logprobs
    await collect(policy.solutions(PROBLEM, Solution(), 1))
    assert engine.requests[0].sampling.top_logprobs == 0


@pytest.mark.parametrize(
    ("exact", "changes"),
    [
        (True, {"top_k": 20, "top_logprobs": 20}),
        (False, {"top_k": 20, "top_logprobs": 1}),
        (False, {"top_k": 0, "top_logprobs": 20}),
        (False, {"top_k": 20, "top_logprobs": 20, "repetition_penalty": 1.1}),
        (False, {"top_k": 20, "top_logprobs": 20, "opens_steps": True}),
    ],
)
def test_proposals_of_a_server_are_known_where_only_reported_tokens_can_be_sampled(exact: bool, changes: dict) -> None:
    engine = ScriptedEngine(lambda prompt, seed: "a")
    assert preset("embedded", engine, **changes).traits.proposals == exact
    engine.knows_proposals = True  # type: ignore[attr-defined]
    assert preset("embedded", engine, **changes).traits.proposals == (not changes.get("opens_steps"))


async def test_an_engine_without_log_probabilities_is_refused() -> None:
    engine = ScriptedEngine(lambda prompt, seed: "a")
    policy = preset("embedded", engine, top_logprobs=1)
    with pytest.raises(
        ProblemError, match=r"'scripted' \(ScriptedEngine\) reports no log-probabilities; set policy.top"
    ):
        await collect(policy.solutions(PROBLEM, Solution(), 1))
    # A server is known to report none before anything is sampled.
    engine.reports_logprobs = False  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"^top_logprobs=1: 'scripted' \(ScriptedEngine\) reports no log-probabilities"):
        policy.check()


def test_a_negative_number_of_log_probabilities_is_refused() -> None:
    with pytest.raises(UserError, match=r"^policy\.top_logprobs=-1: at least 0"):
        preset("embedded", ScriptedEngine(lambda prompt, seed: "a"), top_logprobs=-1)
