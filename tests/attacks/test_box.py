"""`make_box` does what harnesses of other people expect of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.attacks.box import Box, make_box
from tts.core.errors import UserError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", params=["0", "1"], ids=["one shot", "chain"])
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_CHAIN", request.param)
        patch.delenv("SANDBOX_MODE", raising=False)
        try:
            made = make_box()
        except UserError as error:
            pytest.skip(str(error))
    yield made
    made.close()


def test_result_says_how_the_piece_ended(box: Box) -> None:
    result = box.run("import sys\nprint(1)\nprint(2, file=sys.stderr)\nraise ValueError('no')", timeout=5)
    assert (result.out, result.err, result.why, result.rc) == ("1\n", "2\nValueError: no\n", None, 1)
    assert box.run("print('x' * 10**6)").truncated
    assert box.run("import os\nos._exit(7)").rc == 7
    assert box.run("print(3)").rc == 0


def test_pieces_know_nothing_of_each_other(box: Box) -> None:
    box.run("x = 1")
    assert box.run("print(x)").err.startswith("NameError")


def test_limit_is_the_shorter_one(box: Box) -> None:
    for timeout in (0.2, 60):
        result = box.run("print('begun')\nwhile True: pass", timeout=timeout)
        assert result.why == "timeout"
        assert result.wall >= min(timeout, 2.0)
    assert box.run("print(1)").out == "1\n"


def test_lost_zygote_is_counted(box: Box) -> None:
    before = box.restarts
    process = box._jail._zygotes[0].process_id
    assert process is not None
    os.kill(process, signal.SIGKILL)
    while box.restarts == before:
        box.run("print(1)")
    assert box.run("print(1)").out == "1\n"
    assert box.restarts == before + 1


def test_unknown_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_MODE", "strong")
    with pytest.raises(UserError, match=r"mode=strong: choose one of auto, namespaces"):
        make_box()
