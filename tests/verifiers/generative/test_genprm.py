"""GenPRM's state machine, chains and votes, driven by a scripted model."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.verifiers.helpers import InProcessSandbox
from tts.budget import scope
from tts.core import Problem, Solution
from tts.core.errors import UserError
from tts.engines.generating import Completion
from tts.engines.scripted import ScriptedEngine
from verifiers.generative import genprm_format as wire
from verifiers.generative.genprm import GenPRM

PROBLEM = Problem("p", "What is 1 + 1 + 1?", "3")
STEPS = ("1 + 1 = 2.", "2 + 1 = 3.", "The answer is \\boxed{3}.")
SOLUTION = Solution("\n\n".join(STEPS), STEPS, "stop")
HEAD = f"<｜begin▁of▁sentence｜>{wire.SYSTEM_CRITIQUE}<｜User｜>Question: {PROBLEM.question}\n\n{STEPS[0]}"
YES = "{Yes}$\n</output>\n"
CONCLUDED = "fine.\n</verify>\n" + wire.OUTPUT_START + YES


def model(prompt: str, seed: int) -> str:
    """A model that always analyses, writes one piece of code, and says Yes."""
    if prompt.endswith(wire.OUTPUT_START):
        return YES
    if prompt.endswith(wire.VERIFY_START):
        return "print(1 + 1)\n```\nnever read"
    if prompt.endswith("```\n"):
        return CONCLUDED
    return f"sounds right ({seed})\n</analyze>\nnever read"


def engine_of(answer: object = model) -> ScriptedEngine:
    return ScriptedEngine(answer)  # type: ignore[arg-type]


async def test_a_judgement_is_analysis_code_output_and_verdict() -> None:
    engine = engine_of()
    verdict = await GenPRM(engine, InProcessSandbox()).verify(PROBLEM, Solution(STEPS[0], STEPS[:1]))
    prompts = [request.prompt for request in engine.requests]
    assert prompts[0] == HEAD + "<analyze>\nLet's analyze the Paragraph 1 step by step: "
    assert prompts[1].startswith(prompts[0] + "sounds right")
    assert prompts[1].endswith("</analyze>\n<verify>\nLet's use python code to find any potential error:\n```python\n")
    assert prompts[2] == prompts[1] + "print(1 + 1)\n```\n[Code Output]\n\n```\n2\n```\n"
    assert verdict.scores == (1.0,)
    assert verdict.votes[0].critiques[0] == (prompts[2] + CONCLUDED).removeprefix(HEAD)
    assert [request.sampling.stop for request in engine.requests] == [
        ("</analyze>\n",),
        ("\n```\n", "</output>\n"),
        ("\n```\n", "</output>\n"),
    ]
    assert all(request.sampling.include_stop for request in engine.requests)
    assert {(r.sampling.temperature, r.sampling.top_p, r.sampling.top_k) for r in engine.requests} == {(0.6, 0.95, 20)}


@pytest.mark.parametrize("tag", [False, True])
async def test_a_later_step_is_asked_with_the_judgements_before_it(tag: bool) -> None:
    engine = engine_of()
    verdict = await GenPRM(engine, InProcessSandbox(), assistant_tag=tag).verify(PROBLEM, SOLUTION)
    opened = "<｜Assistant｜>" if tag else ""
    history = "".join(
        f"<｜Assistant｜>{verdict.votes[0].critiques[k]}<｜end▁of▁sentence｜><｜User｜>{STEPS[k + 1]}" for k in range(2)
    )
    third = next(r.prompt for r in engine.requests if r.prompt.endswith("Paragraph 3 step by step: "))
    assert third == HEAD + history + opened + wire.ANALYZE_START.format(3)


@pytest.mark.parametrize("form", ["question", "plain"])
async def test_both_forms_of_the_first_turn(form: str) -> None:
    engine = engine_of()
    await GenPRM(engine, InProcessSandbox(), first_turn=form).verify(PROBLEM, SOLUTION)
    turn = wire.first_turn(form, PROBLEM.question, STEPS[0])
    assert engine.requests[0].prompt == (
        f"<｜begin▁of▁sentence｜>{wire.SYSTEM_CRITIQUE}<｜User｜>{turn}" + wire.ANALYZE_START.format(1)
    )


async def test_toggles() -> None:
    step = Solution(STEPS[0], STEPS[:1])

    async def asked(**toggles: bool) -> tuple[list[str], list[tuple[str, ...]], InProcessSandbox]:
        engine, sandbox = engine_of(), InProcessSandbox()
        verdict = await GenPRM(engine, sandbox, **toggles).verify(PROBLEM, step)  # type: ignore[arg-type]
        assert verdict.scores == (1.0,)
        return [r.prompt for r in engine.requests], [r.sampling.stop for r in engine.requests], sandbox

    prompts, stops, _ = await asked(verify=False)
    assert len(prompts) == 2
    assert prompts[1].endswith("</analyze>\n" + wire.OUTPUT_START)
    assert stops[1] == (wire.OUTPUT_STOP,)

    prompts, _, sandbox = await asked(analyze=False)
    assert prompts[0] == HEAD + wire.VERIFY_START
    assert sandbox.chains[0].pieces == ["print(1 + 1)"]

    prompts, stops, _ = await asked(analyze=False, verify=False)
    assert prompts == [HEAD.replace(wire.SYSTEM_CRITIQUE, wire.SYSTEM_DIRECT) + wire.OUTPUT_START]

    engine, sandbox = (
        engine_of(lambda p, s: "2\n```\n" + CONCLUDED if "verify" in p else model(p, s)),
        InProcessSandbox(),
    )
    await GenPRM(engine, sandbox, execute=False).verify(PROBLEM, step)
    assert engine.requests[1].sampling.stop == (wire.OUTPUT_STOP,)
    assert not any(chain.pieces for chain in sandbox.chains)


async def test_a_sandbox_that_executes_nothing_switches_execution_off() -> None:
    engine, sandbox = engine_of(), InProcessSandbox(executes=False)
    await GenPRM(engine, sandbox).verify(PROBLEM, SOLUTION)
    assert wire.CODE_STOP not in [stop for request in engine.requests for stop in request.sampling.stop]


async def test_code_rounds_end_in_a_forced_verdict() -> None:
    def never_concludes(prompt: str, seed: int) -> str:
        return YES if prompt.endswith(wire.OUTPUT_START) else model(prompt.replace("[Code Output]", ""), seed) \
            if not prompt.endswith("```\n") else "again\n```python\nprint(3)\n```\n"  # fmt: skip

    engine, sandbox = engine_of(never_concludes), InProcessSandbox()
    verdict = await GenPRM(engine, sandbox).verify(PROBLEM, Solution(STEPS[0], STEPS[:1]))
    assert len(engine.requests) == 1 + 3 + 1
    assert sandbox.chains[0].pieces == ["print(1 + 1)", "print(3)", "print(3)"]
    last = engine.requests[-1]
    # The verification is thrown away, the analysis kept.
    assert re.fullmatch(
        re.escape(HEAD) + r"<analyze>.*</analyze>\n" + re.escape(wire.OUTPUT_START), last.prompt, re.DOTALL
    )
    assert wire.VERIFY_START not in last.prompt
    assert (last.sampling.max_tokens, last.sampling.stop) == (20, (wire.OUTPUT_STOP,))
    assert verdict.scores == (1.0,)


async def test_a_verdict_that_never_comes_is_none_and_ends() -> None:
    engine = engine_of(lambda prompt, seed: "mumble")
    verdict = await GenPRM(engine, InProcessSandbox(), votes=2).verify(PROBLEM, Solution(STEPS[0], STEPS[:1]))
    assert verdict.scores == (None,)
    assert [vote.scores for vote in verdict.votes] == [(None,), (None,)]


async def test_votes_without_a_verdict_are_left_out_of_the_mean() -> None:
    seen: dict[int, int] = {}

    def sometimes(prompt: str, seed: int) -> str:
        if prompt.endswith(("```\n", wire.OUTPUT_START)):
            vote = seen.setdefault(int(re.findall(r"\((\d+)\)", prompt)[-1]), len(seen))
            word = ["{Yes}$", "{No}$", "nothing"][vote]
            return f"</verify>\n{wire.OUTPUT_START}{word}\n</output>\n"
        return model(prompt, seed)

    verdict = await GenPRM(engine_of(sometimes), InProcessSandbox(), votes=3).verify(
        PROBLEM, Solution(STEPS[0], STEPS[:1])
    )
    assert sorted(str(vote.scores[0]) for vote in verdict.votes) == ["0.0", "1.0", "None"]
    assert verdict.scores == (0.5,)


async def test_the_turns_budget_counts_everything_the_assistant_side_holds() -> None:
    engine = engine_of()
    await GenPRM(engine, InProcessSandbox(), max_tokens=60).verify(PROBLEM, Solution(STEPS[0], STEPS[:1]))
    for request in engine.requests[1:]:
        assert request.sampling.max_tokens == 60 - len(request.prompt.removeprefix(HEAD).split())


async def test_a_long_analysis_leaves_only_the_forced_verdict() -> None:
    def long(prompt: str, seed: int) -> str | Completion:
        if prompt.endswith(wire.OUTPUT_START):
            return YES
        return Completion("word " * 30, "length", completion_tokens=30)

    engine = engine_of(long)
    verdict = await GenPRM(engine, InProcessSandbox(), max_tokens=30).verify(PROBLEM, Solution(STEPS[0], STEPS[:1]))
    assert len(engine.requests) == 2
    assert engine.requests[1].prompt.endswith("word </analyze>\n" + wire.OUTPUT_START)
    assert verdict.scores == (1.0,)


async def test_variables_live_through_a_solutions_steps_and_not_beyond() -> None:
    code = {1: "x = 1 + 1\nprint(x)", 2: "x = x + 1\nprint(x)", 3: "print(x)"}

    def counting(prompt: str, seed: int) -> str:
        step = len(re.findall("Let's analyze the Paragraph", prompt))
        return code[step] + "\n```\n" if prompt.endswith(wire.VERIFY_START) else model(prompt, seed)

    verdict = await GenPRM(engine_of(counting), InProcessSandbox(), votes=2).verify(PROBLEM, SOLUTION)
    for vote in verdict.votes:
        assert [re.findall(r"```\n(\d)\n```", critique) for critique in vote.critiques] == [["2"], ["3"], ["3"]]


async def test_a_failed_piece_keeps_what_it_had_defined() -> None:
    def failing(prompt: str, seed: int) -> str:
        first = "Paragraph 2" not in prompt
        code = "y = 7\nprint(y)\n1 / 0" if first else "print(y)"
        return code + "\n```\n" if prompt.endswith(wire.VERIFY_START) else model(prompt, seed)

    verdict = await GenPRM(engine_of(failing), InProcessSandbox()).verify(PROBLEM, Solution("", STEPS[:2]))
    first, second = verdict.votes[0].critiques
    assert "```\nCode execute Error: ZeroDivisionError: division by zero\n```\n" in first
    assert "```\n7\n```\n" in second


async def test_each_vote_reads_its_own_history() -> None:
    engine = engine_of()
    verdict = await GenPRM(engine, InProcessSandbox(), votes=3).verify(PROBLEM, SOLUTION)
    firsts = [vote.critiques[0] for vote in verdict.votes]
    assert len(set(firsts)) == 3
    for number in (2, 3):
        asked = [r.prompt for r in engine.requests if r.prompt.endswith(wire.ANALYZE_START.format(number))]
        assert all(sum(first in prompt for prompt in asked) == 1 for first in firsts)


async def test_shared_history_is_the_first_votes() -> None:
    engine = engine_of()
    verdict = await GenPRM(engine, InProcessSandbox(), votes=3, history="shared").verify(PROBLEM, SOLUTION)
    asked = [r.prompt for r in engine.requests if r.prompt.endswith(wire.ANALYZE_START.format(2))]
    assert len(asked) == 3
    assert set(asked) == {asked[0]}
    assert verdict.votes[0].critiques[0] in asked[0]


async def test_a_prior_verdict_is_continued_and_never_judged_again() -> None:
    whole = await GenPRM(engine_of(), InProcessSandbox(), votes=3).verify(PROBLEM, SOLUTION)
    engine = engine_of()
    verifier = GenPRM(engine, InProcessSandbox(), votes=3)
    prior = await verifier.verify(PROBLEM, Solution("", STEPS[:2]))
    before = len(engine.requests)
    later = await verifier.verify(PROBLEM, SOLUTION, prior)
    assert later == whole
    assert len(engine.requests) - before == 3 * 3
    assert await verifier.verify(PROBLEM, SOLUTION, later) == later
    # A fresh verifier goes on from the verdict alone.
    engine = engine_of()
    assert await GenPRM(engine, InProcessSandbox(), votes=3).verify(PROBLEM, SOLUTION, prior) == whole
    assert len(engine.requests) == 3 * 3


async def test_steps_with_the_same_history_are_judged_once() -> None:
    engine = engine_of()
    verifier = GenPRM(engine, InProcessSandbox(), votes=2)
    other = Solution("", (STEPS[0], STEPS[1], "The answer is \\boxed{4}."))
    with scope() as meter:
        await asyncio.gather(*(verifier.verify(PROBLEM, s) for s in (SOLUTION, other, SOLUTION)))
    assert meter.usage["verifier"].verifications == 2 * (3 + 1)
    assert len(engine.requests) == 2 * (3 + 1) * 3


async def test_stopping_at_the_first_error_changes_no_score_and_saves_the_rest() -> None:
    def second_is_wrong(prompt: str, seed: int) -> str:
        said = model(prompt, seed)
        return said.replace("Yes", "No") if "Paragraph 2" in prompt and "Paragraph 3" not in prompt else said

    everything = await GenPRM(engine_of(second_is_wrong), InProcessSandbox(), votes=3).verify(PROBLEM, SOLUTION)
    engine = engine_of(second_is_wrong)
    stopped = await GenPRM(engine, InProcessSandbox(), votes=3, stop_at_first_error=True).verify(PROBLEM, SOLUTION)
    assert everything.scores == (1.0, 0.0, 1.0)
    assert stopped.scores == (1.0, 0.0)
    assert stopped.first_error() == everything.first_error() == 1
    assert len(engine.requests) == 2 * 3 * 3


async def test_a_trailing_empty_step_is_not_judged() -> None:
    verdict = await GenPRM(engine_of(), InProcessSandbox()).verify(PROBLEM, Solution("", (*STEPS, "  ")))
    assert len(verdict.scores) == 3


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"votes": 0}, "^votes=0: at least 1"),
        ({"chat": "vicuna"}, "^chat=vicuna: choose one of"),
        ({"first_turn": "x"}, "^first_turn=x: choose one of question, plain"),
        ({"readout": "x"}, "^readout=x: choose one of soft, as_sampled, hard"),
        ({"history": "x"}, "^history=x: choose one of own, shared"),
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UserError, match=named):
        GenPRM(engine_of(), InProcessSandbox(), **wrong)  # type: ignore[arg-type]
