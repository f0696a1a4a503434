"""Turns of GenPRM conversations: released ones are read and written back as they are."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core import Problem
from verifiers.embedded.corpus import judgement
from verifiers.generative import genprm_format as wire
from verifiers.generative.genprm_turn import Turn, parse
from verifiers.generative.genrm import QUESTION
from verifiers.rationales.genrm import GenRMVerifications

PROSE = st.text(st.characters(codec="utf-8", exclude_characters="<>"), max_size=60)


@given(
    number=st.integers(1, 40),
    analysis=st.none() | PROSE,
    verification=st.none() | PROSE.map(lambda text: f"```python\n{text}\n```\n[Code Output]\n\n```\n1 < 2\n```\n"),
    verdict=st.booleans(),
)
def test_a_turn_is_read_as_it_is_written(
    number: int, analysis: str | None, verification: str | None, verdict: bool
) -> None:
    turn = Turn(0 if analysis is None else number, analysis, verification, verdict)
    assert parse(str(turn)) == turn


@given(st.text(st.sampled_from("ab<>/\n") | st.sampled_from(list("<analyze></verify>")), max_size=80))
def test_any_text_is_a_turn_that_is_written_back_or_none(text: str) -> None:
    turn = parse(text + wire.OUTPUT_START + "{Yes}$\n" + wire.OUTPUT_STOP)
    assert turn is None or str(turn) == text + wire.OUTPUT_START + "{Yes}$\n" + wire.OUTPUT_STOP


def test_the_embedded_verdict_is_a_turn() -> None:
    assert parse(judgement(right=False)) == Turn(0, None, None, verdict=False)


def test_released_transcripts_are_read_and_written_back(shared_data: Path) -> None:
    rows = json.loads((shared_data / "genprm/genprm7b_transcripts_theogbrand_demo.json").read_text("utf-8"))
    outputs = [text for row in rows if row["kind"] == "Model Output" for text in json.loads(row["text_escaped"])]
    # The requests of the other chains hold their turns up to the last completion.
    ends = [row["text_escaped"].replace("\\n", "\n") for row in rows if row["kind"].endswith("request 3")]
    opening = wire.ANALYZE_START.format(1)
    conclusion = f"No error here.\n{wire.VERIFY_STOP}{wire.OUTPUT_START}{{Yes}}$\n{wire.OUTPUT_STOP}"
    turns = [*outputs, *(opening + end.split(opening)[1] + conclusion for end in ends)]
    assert len(turns) == 10
    for text in turns:
        turn = parse(text)
        assert turn is not None, text
        assert str(turn) == text
        assert (turn.number, turn.verdict) == (1, True)
        assert "[Code Output]" in (turn.verification or "")


def released_verifications(shared_data: Path) -> list[dict[str, str]]:
    rows = []
    for name in ("correct", "incorrect"):
        with zipfile.ZipFile(shared_data / f"genrm/critiques_{name}_val.zip") as archive:
            (inside,) = archive.namelist()
            rows += [
                {"right": name == "correct", **json.loads(line)} for line in archive.read(inside).decode().splitlines()
            ]
    return rows


def test_released_verifications_are_read_and_written_back(shared_data: Path) -> None:
    rows = released_verifications(shared_data)
    assert len(rows) == 259
    form, verdicts = GenRMVerifications(), []
    for row in rows:
        asked, _, solution = row["inputs"].rpartition("\nA: Let's think step by step.\n")
        problem = Problem("p", asked.partition("\n\nQ: ")[2])
        steps = solution.rsplit("\nVerification:", 1)[0].split("\n\n")
        reading = form.read(row["targets"], steps)
        (turn,) = form.shown(problem, steps)
        assert turn["content"] + reading.text == row["inputs"] + row["targets"].strip()
        assert reading.text.endswith(QUESTION + (" Yes" if reading.verdict else " No"))
        verdicts.append(reading.verdict == row["right"])
    # They were filtered by the right answer.
    assert all(verdicts)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no verdict at all", "undecided"),
        (f"{QUESTION} Yes\nno: {QUESTION} No", "contradiction"),
        (f"{QUESTION} Yes, since it is", "malformed"),
    ],
)
def test_other_verifications_are_of_no_use(text: str, reason: str) -> None:
    from verifiers.rationales.base import Unusable

    with pytest.raises(Unusable) as fault:
        GenRMVerifications().read(text, ["a"])
    assert fault.value.reason == reason
