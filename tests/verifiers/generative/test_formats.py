"""The published prompts, byte for byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.verifiers.generative.helpers import PROBLEM, SOLUTION, STEPS, first, model
from tts.core import Problem, Solution
from verifiers.generative import critic, r_prm
from verifiers.generative.critic import Critic
from verifiers.generative.direct import Direct
from verifiers.generative.genrm import GenRM
from verifiers.generative.grammar import Grammar
from verifiers.generative.r_prm import RPRM
from verifiers.generative.think_prm import ThinkPRM
from verifiers.generative.verifier import GenerativeVerifier


def prompt(grammar: Grammar, chat: str, solution: Solution = SOLUTION, problem: Problem = PROBLEM) -> str:
    """The first request."""
    verifier = GenerativeVerifier(model("", {}), grammar, chat=chat)
    return verifier.preview(problem, solution).removesuffix("⟦…⟧")


def test_think_prm() -> None:
    assert prompt(ThinkPRM(), "deepseek-r1") == (
        "<｜begin▁of▁sentence｜><｜User｜>You are given a math problem and a proposed step-by-step solution:\n\n"
        "[Math Problem]\n\nWhat is 1 + 1 + 1?\n\n[Solution]\n\n"
        "Step 1: 1 + 1 = 2.\nStep 2: 2 + 1 = 3.\nStep 3: The answer is \\boxed{3}.\n\n"
        "Review and critique each step in the proposed solution to determine whether each step is correct. "
        "If the solution is incomplete, only verify the provided steps."
        "<｜Assistant｜>\nLet's verify step by step:"
    )


def test_think_prm_takes_the_policys_own_numbers_off() -> None:
    numbered = Solution("", ("## Step 1: 1 + 1 = 2.", "Step 2:\n2 + 1 = 3."))
    assert "\n\nStep 1: 1 + 1 = 2.\nStep 2: 2 + 1 = 3.\n\n" in prompt(ThinkPRM(), "deepseek-r1", numbered)


@pytest.mark.parametrize(
    "step", ["## Step 12: Add.", "## Step by step: add.", "By Step 1: and ## Step 2: we add.", "Add."]
)
def test_think_prm_cleans_steps_as_the_official_code_does(step: str) -> None:
    cleaned = re.sub(r"Step \d+:", "", step.replace("## Step", "Step")).strip()
    assert f"\n\nStep 1: {cleaned}\n\n" in prompt(ThinkPRM(), "deepseek-r1", Solution("", (step,)))


def test_r_prm() -> None:
    text = prompt(RPRM(), "chatml", first(1))
    assert text.startswith(
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nYou are an excellent math teacher. "
    )
    assert text.endswith(
        "\n\nQuestion: What is 1 + 1 + 1?\n"
        "Previous Steps: Since the Now Step is the first step, there are no Previous Steps.\n"
        "Now Step: Step 1: 1 + 1 = 2.\n"
        "Please carefully analyze the correctness of the Now Step.\nReply: <|im_end|>\n<|im_start|>assistant\n"
    )
    content = RPRM().conversation(PROBLEM, ["Step 1: a {} b", "c", "d {x}"])[1]["content"]
    assert "\nPrevious Steps: Step 1: a {} b\nStep 2: c\nNow Step: Step 3: d {x}\nPlease" in content
    for aspect in ("Previous Steps", "Now Step", "Data Source", "Consistency", "Calculation"):
        assert f"\n**{aspect} Analysis**: " in content


def test_genrm() -> None:
    asked = prompt(GenRM(cot=False), "plain")
    assert asked == prompt(GenRM(), "plain").removesuffix("Verification: Let's verify step by step.\n") + (
        "Verification: Is the answer correct (Yes/No)?"
    )
    assert asked.endswith(
        "\n\nQ: What is 1 + 1 + 1?\nA: Let's think step by step.\n"
        "1 + 1 = 2.\n\n2 + 1 = 3.\n\nThe answer is \\boxed{3}.\nVerification: Is the answer correct (Yes/No)?"
    )


def test_direct_with_default_words() -> None:
    assert Direct().conversation(PROBLEM, STEPS) == [
        {"role": "system", "content": Direct()._system[0]["content"]},
        {"role": "user", "content": "Question: What is 1 + 1 + 1?\n\n1 + 1 = 2."},
        {"role": "assistant", "content": "\\boxed{Yes}"},
        {"role": "user", "content": "2 + 1 = 3."},
        {"role": "assistant", "content": "\\boxed{Yes}"},
        {"role": "user", "content": "The answer is \\boxed{3}."},
    ]
    text = prompt(Direct(), "chatml", first(1))
    assert text.startswith("<|im_start|>system\nYou are a math teacher. Your task is to review and critique")
    assert text.endswith("1 + 1 = 2.<|im_end|>\n<|im_start|>assistant\n\\boxed{")


async def test_direct_as_rlhflows_models_are_asked() -> None:
    rlhflow = Direct(system=None, first_turn="{problem} {step}", opening="", positive="+", negative="-", closing="")
    problem = Problem("p", "What is {step}?")
    assert rlhflow.conversation(problem, STEPS[:2]) == [
        {"role": "user", "content": "What is {step}? 1 + 1 = 2."},
        {"role": "assistant", "content": "+"},
        {"role": "user", "content": "2 + 1 = 3."},
    ]
    assert prompt(rlhflow, "llama-3", first(1), problem).endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")


def test_critic() -> None:
    solution = Solution("", ("First {a}.", "Second\n\nwith a break."))
    assert prompt(Critic(), "plain", solution) == (
        "The following is a math problem and a solution (split into paragraphs, enclosed with tags and indexed from 0):\n\n"
        "[Math Problem]\n\nWhat is 1 + 1 + 1?\n\n[Solution]\n\n"
        "<paragraph_0>\nFirst {a}.\n</paragraph_0>\n\n<paragraph_1>\nSecond\n\nwith a break.\n</paragraph_1>\n\n"
        "Your task is to review and critique the solution paragraph by paragraph. Once you identify an error in a "
        "paragraph, return the index of the paragraph where the earliest error occurs. Otherwise, return the index of -1 "
        '(which typically denotes "not found").\n\n'
        "Please put your final answer (i.e., the index) in \\boxed{}."
    )


@pytest.mark.parametrize(
    ("ours", "published"), [(critic.PROMPT, "critique_template.txt"), (r_prm.PROMPT, "r-prm-prompt.txt")]
)
def test_package_data_is_the_published_text(ours: str, published: str, shared_data: Path) -> None:
    file = shared_data.parent / "reference" / "prompts" / published
    if not file.is_file():
        pytest.skip(f"no published prompt at {file}")
    assert ours == file.read_text("utf-8")
