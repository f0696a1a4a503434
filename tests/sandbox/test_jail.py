from __future__ import annotations

import asyncio
import textwrap

import pytest

from tests.sandbox.test_limits import ended_well
from tts.sandbox.jail import Jail

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="package")]


async def test_output_of_both_streams_is_returned(jail: Jail) -> None:
    execution = await jail.run("import sys\nprint('to out', 1)\nprint('to err', file=sys.stderr)")
    assert ended_well(execution)
    assert (execution.stdout, execution.stderr) == ("to out 1\n", "to err\n")
    assert execution.cpu_s > 0
    assert execution.peak_memory > 0
    assert not execution.truncated


async def test_mathematics_works_in_every_mode(every_jail: Jail) -> None:
    code = """
        import math, fractions, itertools, sympy, numpy as np, scipy.optimize
        x = sympy.Symbol("x")
        print(sympy.solve(x**2 - 5*x + 6, x), sympy.integrate(1/(x**3 + 1), x).diff(x).simplify())
        print(fractions.Fraction(1, 3) + 1, math.comb(5, 2), np.linalg.det(np.eye(3)))
        print(round(scipy.optimize.brentq(lambda t: t*t - 2, 0, 2), 6))
    """
    execution = await every_jail.run(textwrap.dedent(code))
    assert ended_well(execution), execution
    assert execution.stdout == "[2, 3] 1/(x**3 + 1)\n4/3 10 1.0\n1.414214\n"


@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        ("1/0", "ZeroDivisionError", "division by zero"),
        ("print('abc", "SyntaxError", "unterminated string literal (detected at line 1) (<string>, line 1)"),
        ("undefined", "NameError", "name 'undefined' is not defined"),
        ("class Odd(Exception): pass\nraise Odd('a', 1)", "Odd", "('a', 1)"),
        ("class Mute(Exception):\n def __str__(self): raise TypeError\nraise Mute", "Mute", ""),
        ("raise KeyboardInterrupt('x')", "KeyboardInterrupt", "x"),
        ("import sys; sys.exit(3)", "SystemExit", "3"),
        ("raise ValueError('\\ud800 é \\n\\0')", "ValueError", "\\ud800 é \n\0"),
        ("input()", "EOFError", "EOF when reading a line"),
    ],
)
async def test_errors_keep_their_type_and_message(jail: Jail, code: str, error_type: str, message: str) -> None:
    execution = await jail.run(code)
    assert (execution.error_type, execution.error_message) == (error_type, message)
    assert execution.exit_status == (3 if error_type == "SystemExit" else 1)


async def test_output_before_an_error_is_kept(jail: Jail) -> None:
    execution = await jail.run("print('before')\n1/0")
    assert (execution.stdout, execution.stderr, execution.error_type) == ("before\n", "", "ZeroDivisionError")


async def test_text_that_is_no_unicode_does_no_harm(jail: Jail) -> None:
    assert (await jail.run("print('\\ud800', '\\x00')")).stdout == "\\ud800 \x00\n"
    assert (await jail.run("x = '\ud800'")).error_type == "UnicodeEncodeError"
    assert (await jail.run("import os\nos.write(1, bytes([255, 10]))")).stdout == "\ufffd\n"


@pytest.mark.parametrize(
    ("code", "error_type"),
    [
        ("", None),
        ("\n# nothing\n", None),
        ("x = 1\0", "SyntaxError|ValueError"),
        ("x = '\udcff'", "UnicodeEncodeError"),
        ("x = (" + "1 +\n" * 500_000 + "1)", "RecursionError|MemoryError"),
        ("# " + "y" * (8 << 20) + "\nprint('end')", None),
        ("(" * 10_000, "SyntaxError|MemoryError"),
        ("\ufeff1", "SyntaxError"),
    ],
    ids=["empty", "comment", "NUL", "surrogate", "2 MB sum", "8 MB comment", "parentheses", "byte order mark"],
)
async def test_odd_code_has_a_normal_result(jail: Jail, code: str, error_type: str | None) -> None:
    chain = jail.chain()
    for execution in (await jail.run(code), await chain.run(code)):
        assert not execution.timed_out
        if error_type is None:
            assert (execution.error_type, execution.stdout) in ((None, ""), (None, "end\n"))
        else:
            assert execution.error_type in error_type.split("|"), execution
    assert (await chain.run("print('next')")).stdout == "next\n"
    await chain.close()


async def test_code_is_the_main_module(jail: Jail) -> None:
    code = """
        from __future__ import annotations
        import dataclasses
        @dataclasses.dataclass
        class Point:
            x: int
        if __name__ == "__main__":
            print(Point(1))
    """
    execution = await jail.run(textwrap.dedent(code))
    assert execution.stdout == "Point(x=1)\n", execution


async def test_set_order_is_repeatable(jail: Jail) -> None:
    outputs = {(await jail.run("print({'a', 'b', 'c', 'd', 'e'})")).stdout for _ in range(5)}
    assert len(outputs) == 1


RANDOM = """
import random, numpy, sympy.core.random
print(random.random(), numpy.random.rand(), sympy.core.random.random())
"""


async def test_random_numbers_are_the_same_in_every_process(jail: Jail, every_jail: Jail) -> None:
    executions = await asyncio.gather(*(jail.run(RANDOM) for _ in range(6)), every_jail.run(RANDOM))
    assert len({execution.stdout for execution in executions}) == 1
    chain = jail.chain(("import random", "x = random.random()"))
    assert (await chain.run("print(x)")).stdout.strip() == executions[0].stdout.split()[0]
    await chain.close()


async def test_snippets_share_nothing(jail: Jail) -> None:
    poison = """
        import builtins, sympy, sys
        sympy.Integer.__add__ = lambda self, other: 666
        builtins.print = builtins.len = None
        sys.modules["math"] = None
        leak = 1
    """
    assert ended_well(await jail.run(textwrap.dedent(poison)))
    execution = await jail.run("import sympy, math\nprint(sympy.Integer(2) + 2, math.pi > 3, 'leak' in globals())")
    assert execution.stdout == "4 True False\n"


async def test_many_at_once(jail: Jail) -> None:
    executions = await asyncio.gather(*(jail.run(f"print({n} ** 2)") for n in range(200)))
    assert [execution.stdout for execution in executions] == [f"{n**2}\n" for n in range(200)]


async def test_cancelling_kills_the_code_and_frees_its_slot(jail: Jail) -> None:
    tasks = [asyncio.create_task(jail.run("while True: pass")) for _ in range(4)]
    await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*tasks, return_exceptions=True))
    executions = await asyncio.gather(*(jail.run("print('free')") for _ in range(4)))
    assert [execution.stdout for execution in executions] == ["free\n"] * 4
