"""One attack, and whether it shows."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tests.attacks.attack import Attack
from tests.attacks.box import Result
from tests.attacks.executors import Executor
from tests.attacks.host import CANARY, SECRET, Host, descendants, settled

ATTEMPTS = 3  # of an attack that a busy machine gave no time to do its harm
CAP = 70_000  # characters of output: the jail's limit, an error's message and some room


class Range:
    """Where attacks on one executor are tried, one after another."""

    def __init__(self, host: Host, executor: Executor) -> None:
        self._host = host
        self._executor = executor
        executor.run(executor.probe)
        self._processes = max(len(descendants()) for _ in range(20))
        self._descriptors = self._open()

    @staticmethod
    def _open() -> int:
        return len(os.listdir("/proc/self/fd"))

    def attack(self, attack: Attack) -> tuple[list[str], Result]:
        """Tries an attack.

        Returns:
            The signs of its success, each a word and what was seen, and what the executor reported.
        """
        for _ in range(ATTEMPTS):
            signs, result, restarts = self._try(attack)
            if signs or attack.endless or result.why != "timeout":
                break
        if self._executor.restarts != restarts:
            signs.append("restart")
        if signs:
            self._executor.recover(descendants() - {self._host.victim.pid})
        return signs, result

    def _try(self, attack: Attack) -> tuple[list[str], Result, int]:
        """Tries an attack once; returns the signs, the result, and the number of restarts before it."""
        if attack.before:
            self._executor.run(attack.before)
        restarts = self._executor.restarts
        result = Result()
        signs = []
        try:
            result = self._executor.run(self._host.aim(attack.code, self._executor.forgery))
        except Exception as error:  # the code made the executor itself fail
            signs.append(f"raised {error!r}")
        return [*signs, *_told(attack, result), *self._seen()], result, restarts

    def _seen(self) -> Iterator[str]:
        """Returns what an attack has done to others."""
        try:
            following = self._executor.run(self._executor.probe)
            for _ in range(2):  # damage stays; that a busy machine stood still for a second does not
                if following.why == "timeout":
                    following = self._executor.run(self._executor.probe)
            if following.out != "4 2\n":
                yield f"next {following}"
        except Exception as error:
            yield f"next {error!r}"
        for change in self._host.harm():
            yield f"harm {change}"
        processes = settled(self._processes)
        if len(processes) > self._processes:
            yield f"process {len(processes)} for {self._processes}"
        if self._open() > self._descriptors + 2:  # a child that is just ending has its own
            yield f"descriptor {self._open()} for {self._descriptors}"


def _told(attack: Attack, result: Result) -> Iterator[str]:
    """Returns what the executor's own report shows."""
    text = result.out + result.err
    if "BREACH" in text:
        yield "printed " + " ".join(line for line in text.splitlines() if "BREACH" in line)[:1000]
    if "FORGED" in result.out:
        yield "forged"
    if CANARY in text or SECRET in text:
        yield "secret"
    if len(result.out) > CAP or len(result.err) > CAP:
        yield f"output of {len(result.out)} and {len(result.err)} characters"
    if not text.isprintable() and text.encode(errors="ignore") != text.encode(errors="replace"):
        yield "text that cannot be encoded"
    if result.why in ("hung", "lost"):
        yield str(result.why)
    if attack.endless and result.why != "timeout":
        yield f"endless but reported as {result.why}, {result.rc}"
    if attack.status is not None and result.rc != attack.status:
        yield f"status {result.rc}"
    if result.wall < attack.busy:
        yield f"busy for {result.wall} s"
