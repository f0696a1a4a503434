"""More output than is kept, and text that breaks whoever handles it. Floods are bounded."""

from __future__ import annotations

from tests.attacks.attack import Attack, nuisance

ATTACKS = {
    "flood standard output": Attack("for _ in range(40): print('x' * 100000)"),
    "flood standard error": Attack("import sys\nfor _ in range(40): print('x' * 100000, file=sys.stderr)"),
    "flood in one line": Attack("print('x' * 4000000, end='')"),
    "flood past Python": Attack(
        """
import os
for descriptor in (1, 2):
    for _ in range(40):
        try:
            os.write(descriptor, b'x' * 100000)
        except BlockingIOError:
            pass
"""
    ),
    "flood with a long message": Attack("raise ValueError('x' * 20000000)"),
    "flood with a long name": Attack("raise type('x' * 1000000, (Exception,), {})"),
    "print what cannot be encoded": nuisance("print('\\ud800' * 3)"),
    "fail with what cannot be encoded": nuisance("raise ValueError('\\ud800')"),
}
