"""`python -m tts` as users run it, and what they do wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import program
from tests.engines.server import completion, serve

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = [
    {"id": "a", "question": "1 + 1?", "answer": "2", "solutions": [
        {"steps": ["1 + 1\u2028is 3.", "The answer is \\boxed{3}."]},
        {"steps": ["1 + 1 is 2.", "The answer is \\boxed{2}."]},
        {"text": "1 + 1 is 3.\n\nThe answer is \\boxed{3.0}."},
    ]},
    {"id": "b", "question": "2 + 2?", "answer": "4", "solutions": [
        {"text": "2 + 2 is 4.\n\nThe answer is \\boxed{\\frac{8}{2}}."},
        {"text": "I do not know."},
        {"steps": ["Five."], "correct": True},
    ]},
]  # fmt: skip
SCORES = [
    {"id": "a", "index": 0, "scores": [0.2, 0.9]},
    {"id": "a", "index": 1, "scores": [0.9, 0.8]},
    {"id": "a", "index": 2, "scores": [0.1, 0.9]},
    {"id": "b", "index": 0, "scores": [0.5]},
    {"id": "b", "index": 1, "scores": [0.99]},
    {"id": "b", "index": 2, "scores": [0.4]},
]


def lines(path: Path, rows: list) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def tts(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return program.run("-m", "tts", f"hydra.run.dir={folder / 'run'}", *overrides, folder=ROOT)


def said(result: subprocess.CompletedProcess[str]) -> str:
    """Everything on the terminal; never a traceback."""
    text = result.stdout + result.stderr
    assert "Traceback" not in text, text
    return text


@pytest.fixture
def recorded(tmp_path: Path) -> list[str]:
    samples = lines(tmp_path / "samples.jsonl", SOLUTIONS)
    scores = lines(tmp_path / "scores.jsonl", SCORES)
    return [
        "task=jsonl", f"task.path={samples}", "policy=recorded", f"policy.path={samples}",
        "verifier=recorded", f"verifier.path={scores}", "search.n=3", "sandbox=none",
    ]  # fmt: skip


def test_recorded_runs_give_the_documented_files(tmp_path: Path, recorded: list[str]) -> None:
    result = tts(tmp_path, *recorded)
    assert result.returncode == 0, said(result)
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    # a: candidate 1 by min; b: candidate 0, since the one with the highest score has no answer.
    assert summary["accuracy"] == 1.0
    # a: {3, 3.0} outvote 2; b: only candidate 0 has an answer.
    assert summary["majority"] == 0.5
    assert summary["oracle"] == 1.0
    assert summary["pass_at_1"] == 3 / 6
    assert (summary["n_problems"], summary["n_errors"], summary["seed"], summary["limits_hit"]) == (2, 0, 0, [])
    assert set(summary["policy"]) >= {"samples", "prompt_tokens", "completion_tokens", "flops"}
    assert set(summary["verifier"]) >= {"verifications", "prompt_tokens", "completion_tokens", "flops"}
    assert summary["generated"] == {"policy_tokens": 0, "verifier_tokens": 0}
    assert summary["code_executions"] == 0
    rows = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [row["id"] for row in rows] == ["a", "b"]
    assert (tmp_path / "run/trees/a.json").is_file()
    assert (tmp_path / "run/.hydra/config.yaml").is_file()


def test_results_are_again_a_task_and_recorded_samples(tmp_path: Path, recorded: list[str]) -> None:
    tts(tmp_path, *recorded)
    results = (tmp_path / "run/results.jsonl").rename(tmp_path / "again.jsonl")
    overrides = [value.replace("samples.jsonl", "again.jsonl") for value in recorded]
    result = tts(tmp_path, *overrides, "search=majority")
    assert result.returncode == 0, said(result)
    again = [json.loads(line) for line in results.read_text("utf-8").split("\n")[:-1]]
    rows = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text("utf-8").split("\n")[:-1]]
    assert [row["majority_correct"] for row in rows] == [row["majority_correct"] for row in again]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["search=bean"], "best_of_n"),
        (["search.nn=3"], "nn"),
        (["+search.nn=3"], "search.nn: no such setting; did you mean 'n'?"),
        (["search.n=0"], "search.n=0"),
        (["search.n=many"], "search.n=many: a whole number is needed, not a text"),
        (["search.aggregator=median"], "search.aggregator=median"),
        (["task.path=/none.jsonl"], "/none.jsonl"),
        (["policy.path=/none.jsonl"], "/none.jsonl"),
        (["verifier.path=/none.jsonl"], "/none.jsonl"),
        (["in_flight.problems=0"], "in_flight.problems=0"),
        (["in_flight.policy=0"], "in_flight.policy=0"),
        (["in_flight=0"], "in_flight=0"),
    ],
)
def test_one_clear_message_and_status_2(tmp_path: Path, recorded: list[str], overrides: list[str], says: str) -> None:
    result = tts(tmp_path, *recorded, *overrides)
    assert says in said(result)
    assert result.returncode == 2
    assert not (tmp_path / "run/results.jsonl").exists()


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([], "holds no problems"),
        ([*({"id": str(i), "question": "?", "answer": "1"} for i in range(6)), "{broken"], "samples.jsonl:7"),
        ([{"id": "a", "problem": "?"}], "samples.jsonl:1"),
    ],
)
def test_bad_task_files_are_named_with_their_line(tmp_path: Path, recorded: list[str], rows: list, says: str) -> None:
    lines(tmp_path / "samples.jsonl", rows)
    result = tts(tmp_path, *recorded)
    assert says in said(result)
    assert result.returncode == 2


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["policy.engine.model=/no/such/model"], "policy.engine.model=/no/such/model: no checkpoint directory"),
        (["engine@verifier.engine=replay"], "verifier.engine.path=null: a recording is needed"),
        (["engine@verifier.engine=replay", "verifier.engine.path=/none"], "/none: no such recording"),
        (["engine@policy.engine=openai", "policy.engine.base_url=localhost"], "base_url=localhost"),
        (["policy.engine.dtype=float3"], "float3"),
        (["policy.chat=vicuna"], "policy.chat=vicuna"),
        (["verifier.readout=loud"], "verifier.readout=loud"),
        (["verifier.temprature=1"], "temprature"),
    ],
)
def test_engine_and_model_settings(tmp_path: Path, overrides: list[str], says: str) -> None:
    result = tts(tmp_path, *overrides, "dry_run=true")
    assert says in said(result)
    assert result.returncode == 2


def test_no_votes(tmp_path: Path) -> None:
    result = tts(tmp_path, "verifier.votes=0", "dry_run=true")
    assert "verifier.votes=0" in said(result)
    assert result.returncode == 2


def test_a_dry_run_prints_the_plan_and_starts_nothing(tmp_path: Path, recorded: list[str]) -> None:
    result = tts(tmp_path, *recorded, "dry_run=true", f"bank.path={tmp_path / 'bank.sqlite'}")
    assert "2 problems" in said(result)
    assert result.returncode == 0
    assert not list(tmp_path.glob("bank.sqlite*"))
    assert not (tmp_path / "run/results.jsonl").exists()


def test_more_samples_than_were_recorded_end_the_problem(tmp_path: Path, recorded: list[str]) -> None:
    result = tts(tmp_path, *recorded, "search.n=4")
    assert "holds 3 solutions of problem a, but 4 are needed" in said(result)
    assert result.returncode == 1
    assert json.loads((tmp_path / "run/summary.json").read_text())["n_errors"] == 2


def over_http(url: str) -> list[str]:
    return [
        "policy=qwen2.5", "engine@policy.engine=openai", "policy.engine.model=m", f"policy.engine.base_url={url}",
        "policy.engine.retries=0", "search=majority", "search.n=3",
    ]  # fmt: skip


def test_a_failing_server_costs_the_problem_and_not_the_run(tmp_path: Path, recorded: list[str]) -> None:
    def answer(body: dict) -> dict | tuple[int, str]:
        return (500, "no memory left") if "1 + 1" in body["prompt"] else completion(body, "\\boxed{4}")

    with serve(answer) as server:
        result = tts(tmp_path, *recorded[:2], *over_http(server.url))
    assert "problem a: " in said(result)
    assert "status 500: no memory left" in said(result)
    assert result.returncode == 1
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert (summary["n_problems"], summary["n_errors"], summary["accuracy"]) == (2, 1, 1.0)


def test_a_server_that_is_down_stops_the_run_before_it_begins(tmp_path: Path, recorded: list[str]) -> None:
    result = tts(tmp_path, *recorded[:2], *over_http("http://127.0.0.1:9/v1"))
    assert "policy.engine.base_url=http://127.0.0.1:9/v1: no server answers" in said(result)
    assert result.returncode == 2


def test_a_separator_that_never_occurs_is_reported(tmp_path: Path, recorded: list[str]) -> None:
    with serve(lambda body: completion(body, "One.\n\n\\boxed{2}")) as server:
        overrides = [*over_http(server.url), "policy.steps=@@", "search=best_of_n", "search.n=1"]
        result = tts(tmp_path, *recorded[:2], *recorded[4:6], "sandbox=none", *overrides)
    assert "policy.steps='@@' never cut a solution" in said(result)
    assert result.returncode == 1


def test_a_recorded_run_replays_byte_for_byte(tmp_path: Path, recorded: list[str]) -> None:
    requests = tmp_path / "requests.jsonl"
    with serve(lambda body: completion(body, f"Step.\n\n\\boxed{{{body['seed'] % 3}}}")) as server:
        first = tts(tmp_path, *recorded[:2], *over_http(server.url), f"policy.engine.record={requests}")
    assert first.returncode == 0, said(first)
    results = tmp_path / "run/results.jsonl"
    before = [json.loads(line) for line in results.read_text("utf-8").split("\n")[:-1]]
    replay = ["policy=qwen2.5", "engine@policy.engine=replay", f"policy.engine.path={requests}", "search=majority"]
    again = tts(tmp_path, *recorded[:2], *replay, "search.n=3", "resume=false")
    assert again.returncode == 0, said(again)
    after = [json.loads(line) for line in results.read_text("utf-8").split("\n")[:-1]]
    for row in (*before, *after):
        del row["wall_s"]
    assert after == before
    refused = tts(tmp_path, *recorded[:2], *replay, "search.n=3", "policy.user='Now {question}'", "resume=false")
    assert "first differs from the nearest one" in said(refused)
    assert refused.returncode == 1
