"""A metered sandbox: what runs in it is allowed by the budget, and charged to a role."""

from __future__ import annotations

import pytest

from tests.verifiers.helpers import InProcessSandbox
from tts.budget import GRADER, LimitReached, Limits, scope
from tts.sandbox.metered import MeteredSandbox


async def test_every_piece_is_charged_to_the_role_but_not_those_of_a_history() -> None:
    sandbox = MeteredSandbox(InProcessSandbox(), "labeller")
    with scope() as meter:
        assert (await sandbox.run("print(1)")).stdout == "1\n"
        chain = sandbox.chain(("x = 1", "y = 2"))
        assert (await chain.run("print(x + y)")).stdout == "3\n"
        assert (await chain.run("1 / 0")).error_type == "ZeroDivisionError"
        await chain.close()
    assert meter.usage["labeller"].code_executions == 3
    assert meter.usage["labeller"].seconds > 0
    assert meter.usage["verifier"].code_executions == 0


async def test_code_that_is_watched_to_its_end_is_one_piece() -> None:
    sandbox = MeteredSandbox(InProcessSandbox(), "verifier")
    with scope() as meter:
        assert (await sandbox.complete("print(1)")).completed
    assert meter.usage["verifier"].code_executions == 1


async def test_a_used_up_limit_allows_no_piece_except_to_the_grader_whose_pieces_do_not_count() -> None:
    inner = InProcessSandbox()
    verifier, grader = MeteredSandbox(inner, "verifier"), MeteredSandbox(inner, GRADER)
    with scope("problem", Limits(code_executions=2)) as meter:
        for _ in range(5):
            await grader.chain().run("x = 1")
        await verifier.run("x = 1")
        await verifier.chain().run("x = 1")
        with pytest.raises(LimitReached, match=r"problem\.code_executions"):
            await verifier.run("x = 1")
        with pytest.raises(LimitReached):
            await verifier.chain().run("x = 1")
        assert not inner.chains[-1].pieces
        await grader.run("x = 1")
    assert (meter.usage["verifier"].code_executions, meter.usage[GRADER].code_executions) == (2, 6)
