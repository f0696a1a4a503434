"""Every writer of the package composes, and its class takes all of its settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.synthesize.helpers import CRITIC, SANDBOX, engine, label_rows, synthesize, write

ROOT = Path(__file__).resolve().parents[2]
WRITERS = sorted(path.stem for path in (ROOT / "conf/writer").glob("*.yaml"))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_writer_says_what_it_would_cost_and_read(tmp_path: Path, writer: str) -> None:
    own = "own" in writer or writer == "embedded"
    place = "writer.of.engine" if own else "writer.engine"
    scripted = [override.replace("writer.engine", place) for override in engine(CRITIC)]
    chat = [] if own else ["writer.chat=chatml"]
    path = write(tmp_path / "labels.jsonl", label_rows(2))
    status, said = synthesize(
        tmp_path / "run", f"writer={writer}", *SANDBOX, *scripted, *chat, f"task.path={path}", "dry_run=true"
    )
    assert status == 0, said
    assert f"{place}" in said
    assert "writer tokens" in said
    assert "Question 0?" in said
    assert "⟦…⟧" in said
