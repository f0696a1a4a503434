r"""Half a character (`"\ud83d"`, half of an emoji's surrogate pair): no run ends with it, and no file keeps it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts
from policies.base import BasePolicy
from tests.engines.server import completion, serve
from tests.judge.helpers import judge
from tts.bank.codec import pack, unpack
from tts.core import Problem, Solution, Verdict, Vote
from tts.core.json import Json
from tts.core.well_formed import well_formed, well_formed_json
from tts.engines.generating import Completion
from verifiers.base import BaseVerifier

HALF, LOST, EMOJI = "\ud83d", "\ufffd", "\ud83d\ude00"

texts = st.text(st.one_of(st.characters(), st.characters(categories=["Cs"])))
values: st.SearchStrategy[Any] = st.recursive(
    texts | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8
)


@given(text=texts, whole=st.text())
def test_text_becomes_well_formed_once(text: str, whole: str) -> None:
    mended = well_formed(text)
    assert mended.encode().decode() == mended == well_formed(mended)
    assert well_formed(whole) == whole
    assert well_formed(f"{whole}{EMOJI}{whole}{HALF}") == f"{whole}😀{whole}{LOST}"
    halves = sum("\ud800" <= char <= "\udfff" for char in text)
    assert len(text) - halves <= len(mended) <= len(text)


@given(value=values)
def test_every_text_of_a_json_value_becomes_well_formed(value: Json) -> None:
    mended = well_formed_json(value)
    assert json.loads(json.dumps(mended, ensure_ascii=False).encode()) == mended


def test_whatever_is_made_of_text_is_well_formed() -> None:
    text = f"a{HALF} é"
    steps = (text, f"{EMOJI} b")
    solution = Solution(text + EMOJI, steps, "stop", ends=(4, 8))
    assert (solution.text, solution.steps, solution.ends) == (f"a{LOST} é😀", (f"a{LOST} é", "😀 b"), ())
    assert Solution("é", ("é",), "stop", ends=(1,)).ends == (1,)
    problem = Problem(text, messages=({"role": "user", "content": text},))
    assert (problem.id, problem.question, problem.text) == (f"a{LOST} é",) * 3
    assert Problem("a", text, text).answer == Problem("a", text).question == f"a{LOST} é"
    assert Vote((1.0,), (text,)).critiques == (f"a{LOST} é",)
    completion = Completion("x", "stop")
    object.__setattr__(completion, "text", text)  # as banks hold them that were written before
    assert unpack(pack(completion)).text == Completion(text, "stop").text == f"a{LOST} é"


class Halves(BasePolicy):
    """Writes half a character in every text; fails with one where the question says so."""

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        if "fail" in problem.question:
            raise ValueError(f"bad {HALF}")
        for index in range(first, first + n):
            yield Solution(rf"{HALF} \boxed{{9}}", (HALF, r"\boxed{9}"), "stop", index)


class Critic(BaseVerifier):
    """Quotes half a character."""

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        scores = (0.5,) * len(solution.steps)
        return Verdict(scores, (Vote(scores, (HALF,) * len(solution.steps)),), "min")


def task(folder: Path, *questions: str) -> list[str]:
    path = folder / "task.jsonl"
    rows = [{"id": f"{number}{HALF}", "question": question, "answer": "9"} for number, question in enumerate(questions)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return ["task=jsonl", f"task.path={path}", "sandbox=none", "search.n=2"]


def read(folder: Path) -> list[dict[str, Any]]:
    """Returns the records of a run in whose files no byte is not UTF-8."""
    files = [folder / "summary.json", *folder.glob("trees/*")]
    assert all(json.loads(file.read_text("utf-8")) for file in files)
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


def test_a_run_over_half_characters_comes_to_its_end_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(
        logging.CRITICAL, "tts"
    )  # pytest-xdist ends where it should pass on a message with half a character
    overrides = task(tmp_path, f"q {HALF}", "fail", "q")
    first = tts.evaluate(*overrides, folder=tmp_path / "run", policy=Halves(), verifier=Critic(), search="best_of_n")
    rows = read(tmp_path / "run")
    assert [(row["id"], row["prediction"], row["error"]) for row in rows] == [
        (f"0{LOST}", "9", None),
        (f"1{LOST}", None, f"ValueError: bad {LOST}"),
        (f"2{LOST}", "9", None),
    ]
    assert {solution["text"] for row in rows for solution in row["solutions"]} == {rf"{LOST} \boxed{{9}}"}
    tree = first.tree(f"0{LOST}")
    assert {critique for node in tree.nodes for vote in node.votes for critique in vote.critiques} == {LOST}
    more = {"policy": Halves(), "verifier": Critic(), "search": "best_of_n"}
    again = tts.evaluate(*overrides, "resume=true", folder=tmp_path / "run", **more)
    assert again.summary["resumed"] == 2


def test_what_a_server_cut_in_half_poisons_no_bank_and_no_recording(tmp_path: Path) -> None:
    recording, bank = tmp_path / "recording.jsonl", tmp_path / "bank.sqlite"
    fails: list[bool] = []

    def answer(body: dict[str, Any]) -> dict[str, Any] | tuple[int, str]:
        if fails:
            return 400, json.dumps({"error": {"message": f"no {HALF}"}})
        return completion(body, rf"{HALF} is \boxed{{9}}")

    with serve(answer) as server:
        engine = ["policy=generic", "policy.chat=chatml", "engine@policy.engine=openai", "policy.engine.model=m"]
        engine += [f"policy.engine.base_url={server.url}", f"bank.path={bank}", f"policy.engine.record={recording}"]
        asked = [*task(tmp_path, f"q {HALF}"), *engine, "search=majority"]
        tts.evaluate(*asked, folder=tmp_path / "first")
        fails.append(True)
        tts.evaluate(*asked, folder=tmp_path / "second")
        tts.evaluate(*asked, "seed=7", folder=tmp_path / "third")
    assert (first := read(tmp_path / "first"))[0]["prediction"] == "9"
    assert first[0]["solutions"] == read(tmp_path / "second")[0]["solutions"]
    assert "status 400" in read(tmp_path / "third")[0]["error"]
    replayed = [
        "engine@policy.engine=replay",
        f"policy.engine.path={recording}",
        "policy.chat=chatml",
        "search=majority",
    ]
    tts.evaluate(*task(tmp_path, f"q {HALF}"), "policy=generic", *replayed, folder=tmp_path / "replayed")
    assert first[0]["solutions"] == read(tmp_path / "replayed")[0]["solutions"]


def test_labelled_solutions_are_judged(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    row = {"question": HALF, "steps": [HALF, "b"], "label": 1, "kind": HALF}
    path.write_text("".join(json.dumps({"id": f"{n}{HALF}", **row}) + "\n" for n in range(2)))
    given_ = ["task=labelled", f"task.path={path}", "task.fields.subset=kind", f"verifier._target_={__name__}.Critic"]
    status, said = judge(tmp_path / "run", *given_)
    assert status == 0, said
    assert LOST in said.encode().decode()
    assert [row["id"] for row in read(tmp_path / "run")] == [f"0{LOST}", f"1{LOST}"]
