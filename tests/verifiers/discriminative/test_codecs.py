"""Codecs: what the published models are given to read, and where they are read."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.verifiers.discriminative.tiny import LLAMA, Local, codec, published, tokenizer
from tts.config.build import build
from tts.core import Solution
from tts.core.errors import ProblemError, UserError
from verifiers.discriminative.codecs.base import Codec
from verifiers.discriminative.preview import marked

QUESTION = "How many {step}?"
STEPS = ("Step 1: Add.", " Now\n4 {number}. ", "数: 4.")


def solution(*steps: str) -> Solution:
    return Solution("\n\n".join(steps), steps, "stop")


CHAT_USER = "<|im_start|>user\nHow many {step}?<|im_end|>\n<|im_start|>assistant\n"
SEPARATED = CHAT_USER + "Step 1: Add.⟦<extra_0>⟧Now\n4 {number}.⟦<extra_0>⟧数: 4.⟦<extra_0>⟧<|im_end|>\n"
QWEN_SYSTEM = "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n"
ACTPRM_SYSTEM = (
    "<|im_start|>system\nYou are a helpful and harmless assistant. You should think step-by-step and put your final answer "
    "within \\boxed{}.<|im_end|>\n"
)
# What the tokenizer's own template puts in where no system turn is given.
OWN_SYSTEM = "<|im_start|>system\nBe brief.<|im_end|>\n"
TURN = "<|eot_id|><|start_header_id|>{}<|end_header_id|>{}"


def llama_turns(*turns: str) -> str:
    """The user's turns, each answered with a plus that is read in front of it."""
    said = "".join(
        f"<|start_header_id|>user<|end_header_id|>\n\n{turn}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>⟦\n\n⟧+<|eot_id|>"
        for turn in turns
    )
    return "<|begin_of_text|>" + said


GOLDEN = {
    "qwen2.5-math-prm-7b": [QWEN_SYSTEM + SEPARATED],
    "qwen2.5-math-prm-72b": [QWEN_SYSTEM + SEPARATED],
    "qwen2.5-math-7b-prm800k": [QWEN_SYSTEM + SEPARATED],
    "reasonflux-prm-7b": [OWN_SYSTEM + SEPARATED],
    "actprm": [ACTPRM_SYSTEM + SEPARATED],
    "actprm-x": [ACTPRM_SYSTEM + SEPARATED],
    "math-shepherd": ["<s>How many {step}? Step 1: Add. ⟦ки⟧\nStep 2: Now\n4 {number}. ⟦ки⟧\nStep 3: 数: 4. ⟦ки⟧"],
    "rlhflow-prm-deepseek": [llama_turns("How many {step}? Step 1: Add.", "Now\n4 {number}.", "数: 4.")],
    "rlhflow-prm-mistral": [llama_turns("How many {step}? Step 1: Add.", "Now\n4 {number}.", "数: 4.")],
    "rlhflow-orm-deepseek": [llama_turns("How many {step}? Step 1: Add.\n\n Now\n4 {number}. \n\n数: 4.")],
    "rlhflow-orm-mistral": [llama_turns("How many {step}? Step 1: Add.\n\n Now\n4 {number}. \n\n数: 4.")],
    "skywork-prm-7b": ["<s>How many {step}?\nStep 1: Add.⟦\n⟧Now 4 {number}.⟦\n⟧数: 4.⟦\n⟧"],
    "skywork-prm-1.5b": ["<s>How many {step}?\nStep 1: Add.⟦\n⟧Now 4 {number}.⟦\n⟧数: 4.⟦\n⟧"],
    "reasonflux-prm-1.5b": ["How many {step}?Step 1: Add.\n\n Now\n4 {number}. \n\n数: 4⟦.⟧"],
    "universal-prm": [
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nHow many {step}?\n\n###\n\nThe "
        "reference answer is: There is no reference answer for this question.<|im_end|>\n<|im_start|>assistant\n"
        f"{steps}\n\n⟦<|im_end|>⟧"
        for steps in ("Step 1: Add.", "Step 1: Add.\n\nNow\n4 {number}.", "Step 1: Add.\n\nNow\n4 {number}.\n\n数: 4.")
    ],
    "trl-prm": [
        # A full stop and a blank line are one token.
        "How many {step}?\n\nStep 1: Add⟦.\n\n⟧",
        "How many {step}?\n\nStep 1: Add.\n\nNow\n4 {number}⟦.\n\n⟧",
        "How many {step}?\n\nStep 1: Add.\n\nNow\n4 {number}.\n\n数: 4⟦.\n\n⟧",
    ],
    # The question and a step end where their own tokens end.
    "trl-prm-training": ["<s>How many {step}?Step 1: Add.⟦\n\n⟧Now\n4 {number}.⟦\n\n⟧数: 4.⟦\n\n⟧"],
    "reasoneval-34b": [
        "<s>Question:\nHow many {step}?\nAnswer:\nLet's think step by step.\nStep 1: Add⟦.⟧Now\n4 {number}⟦.⟧数: 4⟦.⟧"
    ],
    "reasoneval-7b": [
        "<s>Question:\nHow many {step}?\nAnswer:\nLet's think step by step.\nStep 1: Ad⟦d⟧.Now\n4 {number⟦}⟧.数: ⟦4⟧."
    ],
}
GIVEN: dict[str, dict[str, Any]] = {"reasoneval-7b": {"pad_token": "<s>"}}


def tiny(name: str) -> Local:
    """A small tokenizer with what the format needs of its model's."""
    template = {"template": LLAMA} if name.startswith(("rlhflow", "implicit")) else {}
    return Local(tokenizer(words=("ки",), **template, **GIVEN.get(name, {})))


def free(name: str) -> Codec:
    """The preset's codec, for tokenizers whose ids are not the published ones."""
    config = {**published(name)["codec"]}
    if "separator_id" in config:
        config["separator_id"] = None
    if "labels" in config:
        config["labels"] = {**config["labels"], "ids": None}
    made: Codec = build(config, "verifier.codec")
    return made


def test_math_shepherd_keeps_the_numbers_that_steps_have() -> None:
    """PRMBench's code numbers those steps alone that do not begin with "Step" or "step"."""
    local = tiny("math-shepherd")
    given_ = solution("Step 7: Add.", "4. Now", " step by step", "STEP 2: So")
    (reading,) = free("math-shepherd").render(local, "Q", given_).readings
    kept = "Step 7: Add. ⟦ки⟧\nStep 2: 4. Now ⟦ки⟧\nstep by step ⟦ки⟧\nStep 4: So ⟦ки⟧"
    assert marked(local.load(), reading) == f"<s>Q {kept}"


def test_trl_trains_on_steps_and_separators_tokenised_apart() -> None:
    local = tiny("trl-prm-training")
    question, steps = "What is 2 + 3?", ("2 + 3 = 5.", "So it is 5.")
    (reading,) = free("trl-prm-training").render(local, question, solution(*steps)).readings
    separator = local.split("\n\n")
    parts = [[local.load().bos_token_id, *local.split(question)], *([*local.split(step), *separator] for step in steps)]
    assert reading.tokens == tuple(token for part in parts for token in part)
    ends = list(accumulate(map(len, parts)))
    assert reading.positions == tuple(end - 1 for end in ends[1:])


@pytest.mark.parametrize("name", GOLDEN)
def test_a_published_model_reads_what_it_was_trained_on(name: str) -> None:
    local = tiny(name)
    rendering = free(name).render(local, QUESTION, solution(*STEPS))
    assert [marked(local.load(), reading) for reading in rendering.readings] == GOLDEN[name]
    assert sum(rendering.rows) == sum(len(reading.positions) for reading in rendering.readings)
    assert len(rendering.rows) == (1 if name in ("reasonflux-prm-1.5b",) or "-orm-" in name else len(STEPS))


def test_visualprm_is_told_its_task_and_reads_without_an_image() -> None:
    local = tiny("visualprm")
    (reading,) = free("visualprm").render(local, "Q", solution("A", "B")).readings
    text = marked(local.load(), reading)
    system, turns = text.split("<|im_end|>\n", 1)
    assert system.startswith(
        "<|im_start|>system\nYou are an advanced AI assistant, designed to serve as a process supervision "
    )
    assert system.endswith("verify the accuracy and correctness of each step in the given solution process.")
    assert turns == (
        "<|im_start|>user\n### Question:\nQ\n\n### Solution Process:\nA<|im_end|>\n<|im_start|>assistant⟦\n⟧+<|im_end|>\n"
        "<|im_start|>user\nB<|im_end|>\n<|im_start|>assistant⟦\n⟧+<|im_end|>\n"
    )


@pytest.mark.parametrize(("name", "closing"), [("eurusprm-stage1", ""), ("implicitprm", "<|eot_id|>")])
def test_implicit_prms_sum_up_to_the_official_positions(name: str, closing: str) -> None:
    """The positions as the official code finds them, written down here once more."""
    local, steps = tiny(name), ("Add.", "Step 7: Now 4", "So: 4.")
    answer = ["Step 1: Add.", "Step 2: Now 4", "Step 3: So: 4."]
    render = local.load().apply_chat_template

    def last(count: int) -> int:
        turns = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "\n\n".join(answer[:count])}]
        text = render(turns, tokenize=False).strip()
        if count != len(answer):
            text = text.removesuffix(closing)
        if count not in (0, len(answer)):
            text += "\n\n"
        return len(local.split(text)) - 2

    whole = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "\n\n".join(answer)}]
    rendering = codec(name).render(local, "Q?", solution(*steps))
    (reading,) = rendering.readings
    assert list(reading.tokens) == local.split(render(whole, tokenize=False))
    assert [reading.positions[rows - 1] for rows in accumulate(rendering.rows)] == [last(count) for count in (1, 2, 3)]
    # The mask begins with the token at `last(0)`; the logits in front of a token are read.
    assert reading.positions[0] == last(0) - 1
    assert all(b - a == 1 for a, b in pairwise(reading.positions))
    assert reading.candidates == tuple((reading.tokens[position + 1],) for position in reading.positions)


def test_an_implicit_prms_scores_are_cumulative() -> None:
    rows = (((-1.0, -3.0), (-2.0, -1.0)), ((-1.0, -1001.0),))
    first, second = codec("eurusprm-stage1").scores(rows)
    assert first == pytest.approx(0.5 + 0.001 / 4, abs=1e-9)
    assert second == pytest.approx(1 / (1 + 2.718281828459045**-1.001), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("qwen2.5-math-prm-7b", "<extra_0>"),
        ("actprm", "<extra_0>"),
        ("math-shepherd", "ки"),
        ("reasoneval-34b", "<|endoftext|>"),
        ("reasoneval-7b", "<s>"),
        ("rlhflow-prm-mistral", "\ue0f4"),
    ],
)
def test_a_separator_in_the_text_is_refused(name: str, reserved: str) -> None:
    local, made = tiny(name), free(name)
    with pytest.raises(ProblemError, match="step 2 holds"):
        made.render(local, "Q", solution("A", f"b{reserved}", "C"))
    with pytest.raises(ProblemError, match="the question holds"):
        made.render(local, f"Q{reserved}", solution("A"))


def test_a_separator_that_the_template_holds_is_refused() -> None:
    made = Local(tokenizer("{{ messages[-1].content }}<extra_0>"))
    with pytest.raises(ProblemError, match="found 3 times in a solution of 2 steps"):
        free("qwen2.5-math-prm-7b").render(made, "Q", solution("A", "B"))


@pytest.mark.parametrize(
    ("node", "says"),
    [
        (
            {"separator": "<extra_0>", "chat": "chatlm"},
            r"verifier\.codec\.chat=chatlm: did you mean 'chatml'\? choose one of .*template",
        ),
        ({"separator": "<extra_0>", "labels": {"texts": ["+", "+"]}}, "at least two different labels"),
        ({"separator": "<extra_0>", "labels": {"texts": ["+", "-"], "ids": [1]}}, "give one for each"),
    ],
)
def test_settings_that_cannot_be_are_refused(node: dict[str, Any], says: str) -> None:
    place = "verifiers.discriminative.codecs"
    if "labels" in node:
        node = {**node, "labels": {"_target_": f"{place}.labels.Labels", **node["labels"]}}
    readout = {"_target_": "verifiers.discriminative.readout.Sigmoid"}
    with pytest.raises(UserError, match=says):
        build({"_target_": f"{place}.separator.SeparatorCodec", "readout": readout, **node}, "verifier.codec")


ONE_PASS = [name for name in GOLDEN if len(GOLDEN[name]) == 1 and "orm" not in name and "1.5b" not in name]
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Co")), max_size=12).filter(
    lambda text: "ки" not in text and "<" not in text
)


@pytest.mark.parametrize("name", sorted({*ONE_PASS, "skywork-prm-1.5b", "visualprm"}))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=words, steps=st.lists(words.filter(str.strip), min_size=1, max_size=40), data=st.data())
def test_a_longer_solution_is_read_the_same_up_to_where_the_shorter_one_ends(
    name: str, question: str, steps: list[str], data: st.DataObject
) -> None:
    """The law that verdicts on the beginning of a solution rest on; any text, any number of steps."""
    local, made = LOCALS[name], free(name)
    cut = data.draw(st.integers(1, len(steps)))
    (whole,) = made.render(local, question, solution(*steps)).readings
    (part,) = made.render(local, question, solution(*steps[:cut])).readings
    assert len(whole.positions) == len(steps)
    assert whole.positions[:cut] == part.positions
    assert whole.tokens[: part.positions[-1] + 1] == part.tokens[: part.positions[-1] + 1]
    assert list(whole.positions) == sorted(set(whole.positions))


LOCALS = {name: tiny(name) for name in {*ONE_PASS, "skywork-prm-1.5b", "visualprm"}}


def test_an_empty_step_has_a_score_of_its_own_and_empty_ones_at_the_end_have_none() -> None:
    for name, local in LOCALS.items():
        rendering = free(name).render(local, "Q", solution("A", " ", "C", "", " \n"))
        assert rendering.rows == (1, 1, 1), name
    assert free("qwen2.5-math-prm-7b").render(LOCALS["qwen2.5-math-prm-7b"], "Q", solution()).rows == ()
