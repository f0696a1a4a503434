"""The state machine: what is asked, in which order, and what becomes of it."""

from __future__ import annotations

import pytest

from search.critique_refine import critique_of
from tests.verifiers.generative.helpers import PROBLEM, SOLUTION, STEPS, first, model, slot
from tts.core import Solution
from tts.core.errors import UserError
from tts.engines.generating import Completion
from tts.engines.scripted import ScriptedEngine
from verifiers.generative.critic import Critic
from verifiers.generative.direct import Direct
from verifiers.generative.genrm import QUESTION as GENRM_QUESTION
from verifiers.generative.genrm import GenRM
from verifiers.generative.grammar import TRIGGERS, Grammar
from verifiers.generative.r_prm import QUESTION, RPRM
from verifiers.generative.think_prm import ThinkPRM
from verifiers.generative.think_prm_steps import ThinkPRMSteps
from verifiers.generative.verifier import GenerativeVerifier

HEAD = "<｜begin▁of▁sentence｜><｜User｜>"
SURE = {" yes": 0.9, " no": 0.1}


def thinking(engine: ScriptedEngine, grammar: ThinkPRM | None = None, **settings: object) -> GenerativeVerifier:
    settings = {"chat": "deepseek-r1", "max_tokens": 100, **settings}
    return GenerativeVerifier(engine, grammar or ThinkPRM(), **settings)  # type: ignore[arg-type]


def stepwise(engine: ScriptedEngine, **settings: object) -> GenerativeVerifier:
    settings = {"chat": "chatml", "temperature": 0.95, "top_p": 0.95, **settings}
    return GenerativeVerifier(engine, RPRM(), **settings)  # type: ignore[arg-type]


async def test_a_round_and_a_forced_decision() -> None:
    engine = model(" Step 1 adds.\nIs the solution correct? never read", SURE)
    verdict = await thinking(engine).verify(PROBLEM, SOLUTION)
    thought, decision = engine.requests
    assert thought.prompt.startswith(HEAD + "You are given a math problem")
    assert thought.prompt.endswith("<｜Assistant｜>\nLet's verify step by step:")
    assert thought.sampling.stop == ("Is the solution correct?", "</think>", "Step 4:")
    assert (thought.sampling.temperature, thought.sampling.max_tokens, thought.sampling.top_logprobs) == (0.0, 100, 0)
    assert decision.prompt == thought.prompt + " Step 1 adds.\n\nIs the solution correct?"
    assert (decision.sampling.max_tokens, decision.sampling.temperature) == (1, 0.0)
    assert decision.sampling.top_logprobs == 20
    assert verdict.scores == (pytest.approx(0.9),)
    assert verdict.votes[0].critiques == (" Step 1 adds.\n\nIs the solution correct? yes",)
    assert verdict.aggregator == "last"


@pytest.mark.parametrize("rounds", [1, 2, 3, 4])
async def test_rounds_think_on_after_the_published_phrases(rounds: int) -> None:
    engine = model("Fine.\n</think>never read", SURE)
    verdict = await thinking(engine, rounds=rounds).verify(PROBLEM, SOLUTION)
    start = engine.requests[0].prompt
    written = ["".join(f"Fine.\n{TRIGGERS[done]}" for done in range(number)) for number in range(rounds)]
    assert [request.prompt for request in engine.requests[:-1]] == [start + text for text in written]
    assert engine.requests[-1].prompt == start + written[-1] + "Fine.\n\nIs the solution correct?"
    assert verdict.scores == (pytest.approx(0.9),)


@pytest.mark.parametrize("rounds", [2, 4])
@pytest.mark.parametrize(
    ("grammar", "written", "kept", "decided"),
    [
        (RPRM(), f"Sound.\nVerification: {QUESTION} No", "Sound.", f"Sound.\nVerification: {QUESTION}"),
        (RPRM(), "Sound.\n", "Sound.", "Sound.\n\nBased on your analysis. Is the answer correct (Yes/No)?"),
        (GenRM(), f"Sound.\n{GENRM_QUESTION} No", "Sound.", f"Sound.\n{GENRM_QUESTION}"),
        (Critic(), "So \\boxed{-1}.", "So \\boxed{-1}.", None),
    ],
)
async def test_formats_that_reason_can_think_on(
    grammar: Grammar, written: str, kept: str, decided: str | None, rounds: int
) -> None:
    engine = model(written, {" Yes": 0.8, " No": 0.2})
    verifier = GenerativeVerifier(engine, grammar, rounds=rounds, chat="plain", votes=2, temperature=0.5)
    verdict = await verifier.verify(PROBLEM, first(1))
    start = verifier.preview(PROBLEM, first(1)).removesuffix("⟦…⟧")
    earlier = ["".join(f"{kept}\n\n{TRIGGERS[done]}" for done in range(number)) for number in range(rounds)]
    decision = [] if decided is None else [earlier[-1] + decided]
    assert {request.prompt for request in engine.requests} == {start + text for text in earlier + decision}
    assert len(engine.requests) == 2 * (rounds + len(decision))
    assert verdict.scores == (pytest.approx(0.8 if decision else 1.0),)


async def test_a_critic_that_thinks_on_is_held_to_its_last_answer() -> None:
    engine = model(lambda prompt, seed: "\\boxed{0}" if prompt.endswith(TRIGGERS[0]) else "\\boxed{2}", {})
    for rounds, scores in ((1, (1.0, 1.0, 0.0)), (2, (0.0,))):
        verdict = await GenerativeVerifier(engine, Critic(), rounds=rounds, chat="plain").verify(PROBLEM, SOLUTION)
        assert verdict.scores == scores


async def test_what_the_length_limit_cuts_is_decided_on_as_it_stands() -> None:
    cut = Completion("Let me see", "length", completion_tokens=100)
    engine = model(lambda prompt, seed: cut, SURE)
    verdict = await thinking(engine).verify(PROBLEM, SOLUTION)
    assert engine.requests[-1].prompt.endswith("Let me see\nIs the solution correct?")
    assert verdict.scores == (pytest.approx(0.9),)

    engine = model(lambda prompt, seed: cut, {" Yes": 0.2, " No": 0.6})
    verdict = await stepwise(engine).verify(PROBLEM, first(1))
    late = "\nBased on your analysis. Is the answer correct (Yes/No)?"
    assert engine.requests[-1].prompt.endswith("Let me see" + late)
    assert verdict.scores == (pytest.approx(0.25),)
    assert verdict.votes[0].critiques == (f"Let me see{late} No",)


async def test_a_decision_that_is_not_among_the_alternatives_is_none() -> None:
    engine = model("Fine.", {"Yes": 0.5, "\n": 0.5})
    verdict = await thinking(engine, votes=2, temperature=0.4).verify(PROBLEM, SOLUTION)
    assert verdict.scores == (None,)
    assert [vote.scores for vote in verdict.votes] == [(None,), (None,)]
    assert verdict.votes[0].critiques == ("Fine.\nIs the solution correct?",)


async def test_a_beginning_that_the_words_share_is_written_out_and_read_behind() -> None:
    def decide(prompt: str, seed: int) -> str | Completion:
        if prompt.endswith("correct?"):
            return slot({" ": 0.7, "\n": 0.3})
        return slot({"yes": 0.06, "no": 0.02, "maybe": 0.9}) if prompt.endswith("correct? ") else "Fine."

    engine = ScriptedEngine(decide)
    verdict = await thinking(engine).verify(PROBLEM, SOLUTION)
    assert len(engine.requests) == 3
    assert engine.requests[-1].prompt == engine.requests[-2].prompt + " "
    assert verdict.scores == (pytest.approx(0.75),)


async def test_an_engine_without_probabilities_says_one_or_zero(caplog: pytest.LogCaptureFixture) -> None:
    for word, score in ((" yes", 1.0), (" no", 0.0), (" perhaps", None)):
        engine = ScriptedEngine(lambda prompt, seed, word=word: word if prompt.endswith("correct?") else "Fine.")
        assert (await thinking(engine).verify(PROBLEM, SOLUTION)).scores == (score,)
    assert "reports no token probabilities" in caplog.text


async def test_steps_are_judged_each_in_a_conversation_of_its_own() -> None:
    engine = model(f"Sound.\nVerification: {QUESTION} Yes", {" Yes": 0.8, " No": 0.2})
    verdict = await stepwise(engine, votes=2).verify(PROBLEM, SOLUTION)
    assert verdict.scores == (pytest.approx(0.8),) * 3
    assert len(engine.requests) == 2 * 3 * 2
    thoughts = [r for r in engine.requests if r.prompt.endswith("<|im_start|>assistant\n")]
    assert all(r.sampling.stop == (QUESTION,) for r in thoughts)
    decisions = {r.prompt for r in engine.requests} - {r.prompt for r in thoughts}
    assert decisions == {r.prompt + f"Sound.\nVerification: {QUESTION}" for r in thoughts}
    assert verdict.votes[1].critiques == (f"Sound.\nVerification: {QUESTION} Yes",) * 3


async def test_a_critique_says_what_refinement_reads() -> None:
    def doubtful(prompt: str) -> dict[str, float]:
        return {" Yes": 0.1, " No": 0.9} if "Now Step: Step 2" in prompt else {" Yes": 0.9, " No": 0.1}

    verdict = await stepwise(model(f"Wrong sum.\n{QUESTION}", doubtful)).verify(PROBLEM, SOLUTION)
    assert verdict.first_error() == 1
    assert critique_of(verdict, 1) == f"Wrong sum.\n{QUESTION} No"


async def test_blank_text_behind_the_last_step_and_nothing_at_all() -> None:
    verifier = stepwise(model(QUESTION, {" Yes": 0.8, " No": 0.2}))
    assert len((await verifier.verify(PROBLEM, Solution("", (*STEPS, "  ")))).scores) == 3
    for empty in (verifier, thinking(model("Fine.", SURE))):
        assert (await empty.verify(PROBLEM, Solution())).scores == ()


async def test_what_a_format_lacks() -> None:
    assert thinking(model("", SURE)).traits.lacks == ("steps",)
    assert stepwise(model("", SURE)).traits.lacks == ()
    for grammar in (GenRM(cot=False), Direct()):
        verifier = GenerativeVerifier(model("", {" Yes": 1.0, "Yes": 1.0}), grammar, chat="llama-3")
        assert "critiques" in verifier.traits.lacks
        assert (await verifier.verify(PROBLEM, SOLUTION)).votes[0].critiques == ()


async def test_a_preview_is_the_first_request_with_a_mark() -> None:
    for grammar in (ThinkPRM(), ThinkPRM(per_step=True), RPRM(), GenRM(), GenRM(cot=False), Direct()):
        engine = model("", {" Yes": 1.0})
        verifier = GenerativeVerifier(engine, grammar, chat="llama-3")
        await verifier.verify(PROBLEM, SOLUTION)
        assert verifier.preview(PROBLEM, SOLUTION) == engine.requests[0].prompt + "⟦…⟧"
        assert verifier.preview(PROBLEM, Solution()).endswith("⟦…⟧")


def test_bounds() -> None:
    engine = model("", SURE)
    assert thinking(engine, rounds=3, votes=2, temperature=0.4).token_bound(5) == 2 * 5 * (3 * 100 + 2)
    assert stepwise(engine, votes=10, max_tokens=50).token_bound(1) == 10 * 52


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: thinking(model("", SURE), rounds=0), r"^rounds=0: at least 1"),
        (lambda: stepwise(model("", SURE), rounds=5), r"^rounds=5: at most 4 with the grammar RPRM"),
        (
            lambda: GenerativeVerifier(model("", SURE), Direct(), rounds=2),
            r"^rounds=2: at most 1 with the grammar Direct",
        ),
        (
            lambda: GenerativeVerifier(model("", SURE), GenRM(False), rounds=2),
            r"^rounds=2: at most 1 .* GenRM",
        ),
        (
            lambda: GenerativeVerifier(model("", SURE), ThinkPRMSteps(), rounds=2),
            r"at most 1 .* ThinkPRMSteps",
        ),
        (lambda: Direct(first_turn="{problem}"), r"^first_turn=.*must hold \{problem\} and \{step\} once"),
        (
            lambda: Direct(positive="No", negative="Nope"),
            r"^positive=No: it and negative=Nope must not be prefixes of each other",
        ),
        (lambda: thinking(model("", SURE), votes=0), r"^votes=0"),
        (lambda: thinking(model("", SURE), chat="vicuna"), r"^chat=vicuna"),
        (lambda: thinking(model("", SURE), top_p=0.0), r"top_p=0\.0"),
        (lambda: thinking(model("", SURE), chat="template").check(), "no chat template"),
    ],
)
def test_wrong_settings_are_named(make: object, named: str) -> None:
    with pytest.raises(UserError, match=named):
        make()  # type: ignore[operator]
