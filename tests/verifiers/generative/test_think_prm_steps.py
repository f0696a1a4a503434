"""ThinkPRM read step by step: what a chain's verdicts make, and the judge's step figures from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judge.helpers import judge, results, summary, write
from tests.verifiers.generative.helpers import PROBLEM, SOLUTION, model
from tts.core import Problem
from verifiers.generative.think_prm import ThinkPRM
from verifiers.generative.think_prm_steps import ThinkPRMSteps
from verifiers.generative.verifier import GenerativeVerifier

RIGHT, WRONG = r"The step is \boxed{correct}", r"The step is \boxed{incorrect}"


def chain(*verdicts: str) -> str:
    return "".join(f"\nStep {number}: I see. {verdict}" for number, verdict in enumerate(verdicts, 1)) + "\n</think>"


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        (chain(RIGHT, RIGHT, RIGHT), (1.0, 1.0, 1.0)),
        (chain(RIGHT, WRONG), (1.0, 0.0)),
        (chain(WRONG), (0.0,)),
        (chain(RIGHT, WRONG, RIGHT), (1.0, 0.0, 1.0)),
        (chain(r"The step is \boxed{\text{correct}}", r"It is \boxed{4}. The step is \boxed{ incorrect }"), (1.0, 0.0)),
        (chain(RIGHT, RIGHT), (None,) * 3),
        (chain(WRONG, RIGHT), (None,) * 3),
        (chain(RIGHT, RIGHT, RIGHT + RIGHT), (None,) * 3),
        ("All is well.", (None,) * 3),
    ],
)
async def test_the_verdicts_of_a_chain_are_a_vote(text: str, scores: tuple[float | None, ...]) -> None:
    engine = model(text, {})
    verdict = await GenerativeVerifier(engine, ThinkPRMSteps(), chat="deepseek-r1").verify(PROBLEM, SOLUTION)
    assert verdict.scores == scores
    (request,) = engine.requests
    published = model(text, {" yes": 0.9, " no": 0.1})
    await GenerativeVerifier(published, ThinkPRM(), chat="deepseek-r1").verify(PROBLEM, SOLUTION)
    # What the model is asked is the published request.
    assert (request.prompt, request.sampling.stop) == (
        published.requests[0].prompt,
        published.requests[0].sampling.stop,
    )
    assert verdict.votes[0].critiques[-1].startswith(text.split("</think>")[0])


def test_the_judge_scores_its_step_labels(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "1?", "steps": ["x", "y", "z"], "label": [True, False, True]},
        {"id": "b", "question": "2?", "steps": ["x", "y"], "label": [True, True]},
        {"id": "c", "question": "3?", "steps": ["x", "y"], "label": [True, False]},
    ]
    told = {"1?": chain(RIGHT, WRONG, RIGHT), "2?": chain(RIGHT, RIGHT), "3?": chain(WRONG)}
    data, requests = write(tmp_path / "data.jsonl", rows), []
    for row in rows:
        turns = ThinkPRMSteps().conversation(Problem(row["id"], row["question"]), row["steps"])
        prompt = f"<｜begin▁of▁sentence｜><｜User｜>{turns[0]['content']}<｜Assistant｜>\nLet's verify step by step:"
        text = told[row["question"]].removesuffix("</think>")
        requests.append({"prompt": prompt, "completions": [{"text": text, "finish_reason": "stop"}]})
    recorded = write(tmp_path / "requests.jsonl", requests)
    status, said = judge(
        tmp_path / "run", "task=labelled", f"task.path={data}", "task.labels=flags", "verifier=thinkprm-steps",
        "verifier.chat=deepseek-r1", "engine@verifier.engine=replay", f"verifier.engine.path={recorded}",
    )  # fmt: skip
    assert status == 0, said
    assert [row["scores"] for row in results(tmp_path / "run")] == [[1.0, 0.0, 1.0], [1.0, 1.0], [0.0]]
    found = summary(tmp_path / "run")
    # Judged: 5 right steps of which 4 are found, one is called wrong; 1 wrong step, found. Left unjudged: 1 wrong one.
    assert found["step_f1_right"] == pytest.approx(2 * 4 / (2 * 4 + 1))
    assert found["step_f1_wrong"] == pytest.approx(2 * 1 / (2 * 1 + 1))
    assert found["prm_score"] == pytest.approx((found["step_f1_right"] + found["step_f1_wrong"]) / 2)
    assert found["step_macro_f1"] == pytest.approx((8 / 9 + 2 / (2 + 1 + 1)) / 2)
