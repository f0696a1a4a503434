from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import UserError
from tts.sandbox.jail import Jail
from tts.sandbox.refusal import REMEDIES, refusal
from tts.sandbox.zygote import syscalls
from tts.sandbox.zygote.lockdown import MODES, RefusedError, choose

LAYERS = ["namespaces", "landlock", "seccomp"]
REPOSITORY = Path(__file__).resolve().parents[2]


@given(mode=st.sampled_from(sorted(MODES)), missing=st.sets(st.sampled_from(LAYERS)))
def test_plan_needs_nothing_that_is_missing_and_nothing_better_was_there(mode: str, missing: set[str]) -> None:
    possible = [
        plan
        for plan in MODES[mode]
        if "seccomp" not in missing
        and not (plan.namespaces and "namespaces" in missing)
        and not (plan.landlock and "landlock" in missing)
    ]
    reasons = dict.fromkeys(missing, "denied")
    if possible:
        assert choose(mode, reasons) == possible[0]
    else:
        with pytest.raises(RefusedError) as refused:
            choose(mode, reasons)
        assert refused.value.missing == reasons


@given(mode=st.sampled_from(sorted(MODES)), missing=st.sets(st.sampled_from(LAYERS), min_size=1))
def test_refusal_names_every_missing_layer_its_remedy_and_the_way_on(mode: str, missing: set[str]) -> None:
    message = str(refusal(mode, {layer: f"{layer} was denied" for layer in missing}))
    for layer in missing:
        assert f"{layer} is missing ({layer} was denied)" in message
        assert REMEDIES[layer] in message
    assert "only 'sandbox=unsafe' is left" in message


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_system_calls_have_the_kernel_s_numbers(machine: str) -> None:
    headers = {
        "x86_64": "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        "aarch64": "/usr/include/asm-generic/unistd.h",
    }
    header = Path(headers[machine])
    if not header.exists():
        pytest.skip(f"no kernel header {header}")
    words = [line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR")]
    known = {name.split("_", 3)[3]: number for _, name, number, *_ in words if number.isdigit() and name.count("_") > 2}
    known["newfstatat"] = known.get("newfstatat", known.get("fstatat", ""))
    for name, number in syscalls.MACHINES[machine][1].items():
        assert known[name] == str(number), name


async def test_unknown_machine_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(UserError, match=r"x86_64 and aarch64, but this is riscv64.*sandbox=unsafe"):
        await Jail(workers=1).start()


# Denies system calls, by a filter of its own, to everything that a jail then starts: a machine without those layers.
DENYING = """
import asyncio, json, struct, sys
from tts.core.errors import UserError
from tts.sandbox.jail import Jail
from tts.sandbox.zygote import kernel, seccomp, syscalls
mode, denied = sys.argv[1], json.loads(sys.argv[2])
LOAD, EQUAL, RETURN, EPERM, ALLOW = 0x20, 0x15, 0x06, 0x50001, 0x7FFF0000
program = [(LOAD, 0, 0, 0)]
for number, argument in denied:
    if argument is None:
        program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, EPERM)]
    else:
        program += [(EQUAL, 0, 4, number), (LOAD, 0, 0, 16), (EQUAL, 0, 1, argument), (RETURN, 0, 0, EPERM), (LOAD, 0, 0, 0)]
program.append((RETURN, 0, 0, ALLOW))
kernel.prctl("no_new_privs", kernel.PR_SET_NO_NEW_PRIVS, 1)
seccomp.Filter(b"".join(struct.pack("=HBBI", *instruction) for instruction in program)).install()

async def main():
    jail = Jail(mode=mode, workers=1, timeout=60.0)
    try:
        await jail.start()
        execution = await jail.run("import sympy; print(sympy.sqrt(8)); open('/etc/passwd')")
        print(json.dumps([jail.layers, execution.stdout, execution.error_type]))
    except UserError as error:
        print(json.dumps(str(error)))
    await jail.close()

asyncio.run(main())
"""
UNSHARE, MOUNT, LANDLOCK, PRCTL, PR_SET_SECCOMP = 272, 165, 444, 157, 22  # on x86-64


def start_where(mode: str, *denied: tuple[int, int | None]) -> object:
    if platform.machine() != "x86_64":
        pytest.skip("the numbers of the denied calls are those of x86-64")
    answer = subprocess.run(
        [sys.executable, "-c", DENYING, mode, json.dumps(denied)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("denied", "expected"),
    [
        ([(UNSHARE, None)], "landlock"),  # Docker
        ([(MOUNT, None)], "landlock"),  # Ubuntu's AppArmor: a namespace can be made, but not furnished
        ([(LANDLOCK, None)], "namespaces"),  # RHEL 8
        ([(UNSHARE, None), (LANDLOCK, None)], "seccomp without files"),
    ],
)
def test_auto_falls_back_to_what_is_left(denied: list[tuple[int, int | None]], expected: str) -> None:
    answer = start_where("auto", *denied)
    assert isinstance(answer, list), answer
    layers, stdout, error_type = answer
    assert expected in layers
    assert stdout == "2*sqrt(2)\n"
    assert error_type in ("PermissionError", "FileNotFoundError")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("mode", "denied", "missing"),
    [
        ("namespaces", [(UNSHARE, None)], ["namespaces"]),
        ("landlock", [(LANDLOCK, None)], ["landlock"]),
        ("auto", [(UNSHARE, None), (LANDLOCK, None), (PRCTL, PR_SET_SECCOMP)], LAYERS),
        ("seccomp", [(PRCTL, PR_SET_SECCOMP)], ["seccomp"]),
    ],
)
def test_named_mode_is_never_weakened(mode: str, denied: list[tuple[int, int | None]], missing: list[str]) -> None:
    message = start_where(mode, *denied)
    assert isinstance(message, str), message
    assert f"sandbox mode '{mode}' cannot lock down" in message
    for layer in missing:
        assert f"{layer} is missing (" in message
        assert REMEDIES[layer] in message
    assert "sandbox=unsafe" in message
