"""What an attack is."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attack:
    """A piece of code that tries to do harm; `trial.signs` tells whether it did.

    Attributes:
        code: The piece; `@NAME@` in it stands for a target, see `Host.aim`. It prints `BREACH` where it sees itself that it
            succeeded, and `held` where it sees that it did not.
        control: The executor that it overcomes, which shows that it is real: `plain` (a fresh process without a jail) or
            `peer` (a warm process that runs piece after piece: what attacks the design rather than the machine).
        before: A piece of somebody else's that ran before.
        endless: Whether it must be reported as ended by the limit.
        status: The exit status with which it must be reported, None where any is right.
        busy: Seconds that it must be reported to have taken at least.
        needs: What its control needs that not every machine has; where it fails for want of that it is skipped.
        excused: Setting (`chain`, `stat`, `host`) to the sign that is no breach there.
    """

    code: str
    control: str = "plain"
    before: str = ""
    endless: bool = False
    status: int | None = None
    busy: float = 0.0
    needs: str = ""
    excused: Mapping[str, str] = field(default_factory=dict)


def attempt(body: str, needs: str = "", excused: Mapping[str, str] | None = None) -> Attack:
    """Returns an attack that succeeds without a jail where `body` runs to its end, and is held by any exception."""
    body = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    code = f"try:\n{body}\n    print('BREACH')\nexcept BaseException as defence:\n    print('held', repr(defence))\n"
    return Attack(code, needs=needs, excused=excused or {})


def nuisance(
    code: str, before: str = "", endless: bool = False, status: int | None = None, busy: float = 0.0
) -> Attack:
    """Returns an attack on whoever runs several pieces or waits for one: the peer falls for it."""
    return Attack(textwrap.dedent(code), "peer", textwrap.dedent(before), endless, status, busy)
