from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st

from tts.core import Attachment, Problem
from tts.core.errors import UserError
from tts.core.settings import inside
from tts.core.task import Task
from tts.tasks.dataset import DatasetTask

FIELDS = {"id": ["id", "unique_id"], "question": ["question", "problem"], "answer": "answer"}
ROWS = [{"id": i, "question": f"How much is {i} + 1?", "answer": i + 1} for i in range(6)]


def dataset(path: Path | None, **settings: Any) -> DatasetTask:
    return DatasetTask(**{"name": "sums", "path": path and str(path), "fields": FIELDS, **settings})


def lines(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def message(task: DatasetTask | Callable[[], DatasetTask]) -> str:
    with pytest.raises(UserError) as caught, inside("task"):
        (task() if callable(task) else task).check()
    return str(caught.value)


@pytest.mark.parametrize("kind", [".jsonl", ".json", ".jsonl.gz", ".json.gz"])
def test_all_kinds_of_files_hold_the_same_problems(tmp_path: Path, kind: str) -> None:
    text = json.dumps(ROWS) if ".jsonl" not in kind else "\n\n".join(map(json.dumps, ROWS))
    path = tmp_path / f"sums{kind}"
    path.write_bytes(gzip.compress(text.encode()) if kind.endswith(".gz") else text.encode("utf-8-sig"))
    task = dataset(path)
    task.check()
    assert [(p.id, p.question, p.answer) for p in task.problems()] == [
        (str(row["id"]), row["question"], str(row["answer"])) for row in ROWS
    ]
    assert list(task.problems()) == list(task.problems())


@given(offset=st.integers(0, 5), limit=st.none() | st.integers(1, 9))
def test_offset_and_limit_cut_like_a_slice(
    tmp_path_factory: pytest.TempPathFactory, offset: int, limit: int | None
) -> None:
    path = lines(tmp_path_factory.getbasetemp() / "sliced.jsonl", ROWS)
    task = dataset(path, offset=offset, limit=limit)
    task.check()
    expected = list(dataset(path).problems())[offset:][:limit]
    assert list(task.problems()) == expected
    assert task.count() == len(expected)


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    task = dataset(lines(tmp_path / "a.jsonl", [{"problem": "1?", "answer": "x"}, {"problem": "2?", "answer": "y"}]))
    assert [problem.id for problem in task.problems()] == ["sums-0", "sums-1"]


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        (27.0, "27"),
        (25, "25"),
        (0.5, "0.5"),
        (-3, "-3"),
        (1e22, "1" + "0" * 22),
        (10**400, "1" + "0" * 400),
        (" 27.0 ", "27.0"),
        (r"\pi", r"\pi"),
    ],
)
def test_numbers_become_texts(tmp_path: Path, value: object, answer: str) -> None:
    task = dataset(lines(tmp_path / "a.jsonl", [{"question": "?", "answer": value}]))
    assert next(task.problems()).answer == answer


def test_the_answer_pattern_finds_the_answer(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"question": "?", "answer": "3 #### 4\n#### 1,234"}])
    assert next(dataset(path, answer_pattern="#### (.+)").problems()).answer == "1,234"
    assert "a.jsonl:1" in message(dataset(path, answer_pattern="A: (.+)"))


def test_kept_fields_are_metadata(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"question": "?", "steps": ["a", "b"], "label": -1, "other": 1}])
    task = dataset(path, keep=["steps", "label"], require_answer=False)
    assert next(task.problems()).metadata == {"steps": ["a", "b"], "label": -1}
    assert next(task.problems()).answer is None


@pytest.mark.parametrize(
    ("bad", "parts"),
    [
        (b'{"question": "?", "answer": 1', ["broken JSON"]),
        (
            b'{"prompt": "?", "answer": 1}',
            ["no question", "'question' or 'problem'", "'prompt'", "task.fields.question: "],
        ),
        (b'{"question": " ", "answer": 1}', ["question", "not empty"]),
        (b'{"question": 3, "answer": 1}', ["question", "text"]),
        (
            b'{"question": "?", "result": 1}',
            ["no answer", "'result'", "task.fields.answer: ", "require_answer to false"],
        ),
        (b'{"question": "?", "answer": null}', ["no answer"]),
        (b'{"question": "?", "answer": ""}', ["answer is empty"]),
        (b'{"question": "?", "answer": NaN}', ["answer must be"]),
        (b'{"question": "?", "answer": [1]}', ["answer must be"]),
        (b'{"question": "?", "answer": true}', ["answer must be"]),
        (b'{"question": "caf\xe9", "answer": 1}', ["not UTF-8", "0xe9"]),
        (b'["question"]', ["object"]),
        (b'{"id": 2, "question": "?", "answer": 1}', ["id '2'", "a.jsonl:3"]),
        (b"9" * 5000, ["unusable JSON"]),
        (b'{"question": "?", "answer": 1, "answer": 2}', ["'answer' is there twice"]),
        (b'{"question": "?", "answer": 1, "more": [{"a": 1, "a": 1}]}', ["'a' is there twice"]),
        (b"[" * 100_000, ["JSON"]),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, bad: bytes, parts: list[str]) -> None:
    path = lines(tmp_path / "a.jsonl", ROWS)
    path.write_bytes(path.read_bytes() + bad + b"\n")
    # A limit that leaves the bad row out does not hide it from the check.
    text = message(dataset(path, limit=2))
    assert f"{path}:7: " in text
    assert all(part in text for part in parts), text


def test_a_bad_row_of_an_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([*ROWS, {"question": ""}]))
    assert f"{path}, row 6" in message(dataset(path))
    path.write_text('[{"question": "?",\n "answer": 1},\n{"question" "?"}]')
    assert f"{path}:3: broken JSON" in message(dataset(path))
    path.write_text('{"question": "?"}')
    assert ".jsonl" in message(dataset(path))


def test_files_that_hold_no_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = message(dataset(Path("data/sums.jsonl")))
    assert "data/sums.jsonl" in text
    assert str(tmp_path) in text
    for name in ("empty.jsonl", "empty.json"):
        (tmp_path / name).write_text(" \n")
        assert "no problems" in message(dataset(Path(name)))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"question": "?"}')[:-9])
    assert "cut.jsonl.gz" in message(dataset(Path("cut.jsonl.gz")))
    whole = gzip.compress(b'{"question": "What is 2 + 2, and what is not?"}' * 50)
    (tmp_path / "damaged.jsonl.gz").write_bytes(whole[:40] + b"\xff\xff" + whole[42:])
    assert "damaged.jsonl.gz" in message(dataset(Path("damaged.jsonl.gz")))
    (tmp_path / "plain.json.gz").write_text("[]")
    assert "plain.json.gz" in message(dataset(Path("plain.json.gz")))
    assert ".jsonl" in message(dataset(Path("sums.tsv")))
    assert "task.path=null: the file" in message(lambda: dataset(None))


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"offset": 6}, "task.offset="),
        ({"offset": -1}, "task.offset="),
        ({"limit": 0}, "task.limit=0: at least 1"),
        ({"answer_pattern": "("}, "task.answer_pattern"),
        ({"answer_pattern": "A: .+"}, "task.answer_pattern"),
        ({"fields": {"prompt": "question"}}, "task.fields.prompt: no such setting; choose one of id, question, answer"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict[str, Any], part: str) -> None:
    assert part in message(lambda: dataset(lines(tmp_path / "a.jsonl", ROWS), **settings))


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "tts-search[hub]" in message(dataset(None, hub="openai/gsm8k"))


@pytest.mark.integration
def test_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The loader takes a folder where it takes a hub id: the same code without the network.
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_OFFLINE", True)
    (tmp_path / "sums").mkdir()
    lines(tmp_path / "sums" / "test.jsonl", ROWS)
    task = dataset(None, hub=str(tmp_path / "sums"), split="test")
    task.check()
    assert [problem.answer for problem in task.problems()] == [str(row["answer"]) for row in ROWS]
    assert task.count() is None
    text = message(dataset(None, hub=str(tmp_path / "nothing"), split="test"))
    assert str(tmp_path / "nothing") in text
    assert "task.path: cannot load" in text


def configured(*overrides: str) -> Task:
    with initialize_config_module("conf", version_base="1.3"):
        task: Task = instantiate(compose(overrides=list(overrides)).task)
    return task


@pytest.mark.parametrize(
    ("name", "file", "count", "first"),
    [
        ("gsm8k", "gsm8k/test.jsonl", 1319, "18"),
        ("math500", "math500/test.jsonl", 500, r"\left( 3, \frac{\pi}{2} \right)"),
        ("aime", "aime/aime24_test.jsonl", 30, "204"),
        ("amc", "aime/amc23_test.jsonl", 40, "27"),
        ("processbench", "processbench/math.json", 1000, None),
        ("jsonl", "math500/test.jsonl", 500, r"\left( 3, \frac{\pi}{2} \right)"),
    ],
)
def test_published_files_are_tasks_as_they_are(
    shared_data: Path, name: str, file: str, count: int, first: str | None
) -> None:
    task = configured(f"+task={name}", f"task.path={shared_data / file}")
    task.check()
    assert task.name == name
    assert task.count() == count
    assert next(task.problems()).answer == first


def test_fields_can_be_named_on_the_command_line(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [{"prompt": "1 + 1?", "target": 2, "solutions": [{"text": "2"}]}])
    task = configured("+task=jsonl", f"task.path={path}", "task.fields.question=prompt", "task.fields.answer=target")
    task.check()
    assert [(p.question, p.answer) for p in task.problems()] == [("1 + 1?", "2")]


MESSAGES = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hi!"},
    {"role": "user", "content": "1 + 1?"},
]
TALKS = {**FIELDS, "messages": "chat", "attachments": "images"}


def test_rows_may_hold_conversations_and_attachments(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "chat": MESSAGES, "images": ["a.png", {"kind": "audio", "path": "a.wav"}], "answer": 2},
        {"id": "b", "question": "1 + 1?", "images": "b.png", "answer": 2},
        {"id": "c", "question": "1 + 1?", "chat": None, "images": [], "answer": 2},
    ]
    path = lines(tmp_path / "talks.jsonl", rows)
    image = Attachment("image", "a.png")
    talk, seen, plain = dataset(path, fields=TALKS).problems()
    assert talk == Problem("a", answer="2", messages=MESSAGES, attachments=(image, Attachment("audio", "a.wav")))
    assert seen == Problem("b", "1 + 1?", "2", attachments=(Attachment("image", "b.png"),))
    assert plain == Problem("c", "1 + 1?", "2")
    # Who does not ask for them does not get them.
    assert [problem.attachments for problem in dataset(lines(path, rows[1:])).problems()] == [(), ()]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"chat": MESSAGES[:2]}, "the last message must be the user's question"),
        ({"chat": "Hi"}, "a message is"),
        ({"chat": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "a message is"),
        ({"images": [3]}, "an attachment is the path of an image or"),
        ({"images": {"path": "a.png"}}, "an attachment is the path of an image or"),
        ({"images": [{"kind": "image", "path": ""}]}, "an attachment is the path of an image or"),
    ],
)
def test_what_is_no_conversation_or_attachment_is_named(tmp_path: Path, changes: dict, says: str) -> None:
    path = lines(tmp_path / "talks.jsonl", [{"question": "1 + 1?", "answer": 2, **changes}])
    assert message(dataset(path, fields=TALKS)).startswith(f"{path}:1: {says}")
