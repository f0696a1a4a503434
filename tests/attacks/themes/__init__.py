"""The attacks, grouped by what they are after."""

from __future__ import annotations

from tests.attacks.attack import Attack
from tests.attacks.themes import (
    endless,
    files,
    limits,
    machine,
    memory,
    neighbours,
    network,
    output,
    processes,
    reports,
    secrets,
    syscalls,
)

_THEMES = {
    "files": files,
    "secrets": secrets,
    "network": network,
    "processes": processes,
    "system calls": syscalls,
    "machine code": machine,
    "limits": limits,
    "memory": memory,
    "endless": endless,
    "output": output,
    "reports": reports,
    "neighbours": neighbours,
}

# "theme: what it tries" to the attack.
ATTACKS: dict[str, Attack] = {
    f"{theme}: {name}": attack for theme, module in _THEMES.items() for name, attack in module.ATTACKS.items()
}
