r"""Overrides that cannot be meant: each must be one message, or a configuration that works; never a traceback.

`python -m benchmarks.fuzz_config [--cases 5000] [--seed 0] [--first 0] [--seconds S] [--command NAME ...] [--show 20]`

Draws a command, a base (its default configuration, or an option of some group in it), a setting or group, and a value of
another type or size, then does what the command does with `dry_run=true`; nothing is loaded. A case depends on the seed and
its number only: a run that ended early goes on with `--first`. Prints each new kind of failure when it is found, of which
there should be none (else status 1), and a line every hundred cases. A quarter of an hour.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import copy
import io
import json
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from unittest import mock

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from benchmarks.fuzz_data import FILES
from tts.cli.export_command import run_export
from tts.cli.failures import ErrorLog
from tts.cli.filter_command import run_filter
from tts.cli.host import Host
from tts.cli.jobs import RunJob
from tts.cli.judge_command import run_judge
from tts.cli.label_command import run_label
from tts.cli.objective import Objective
from tts.cli.search_command import run_search
from tts.cli.synthesize_command import run_synthesize
from tts.cli.train_command import run_train
from tts.config.build import Config, build
from tts.config.compose import CONF, configuration
from tts.config.keys import groups, names
from tts.config.loader import Loader
from tts.core.errors import UserError
from tts.serve.plan import show
from tts.serve.server import read_settings

VALUES = (
    *("true", "false", "null", "0", "-1", "1", "3", "1.5", "-0.5", "1e-320", "1e309", "nan", "inf", "-inf", "-0"),
    *(
        "1_000",
        "0x10",
        "99999999999999999999999",
        "abc",
        "''",
        "' '",
        "[]",
        "[1]",
        "[1,-1]",
        "[abc]",
        "[null]",
        "[[1]]",
    ),
    *("{}", "{a:1}", "{a:null}", "{a:{b:[1]}}", "{_target_:os.system}", "'a\\tb'", "'ü'", "'\x1b[2J\u202e'", "'\0'"),
    *("../x", "/dev/null", "/", "~", "${seed}", "${nothing}", "a.b.C", "os.system"),
)
"""As on the command line."""

MOST_S = 60
"""Processor seconds of a case; the first one that needs torch takes ten of them."""
MOST_MEMORY = 8 * 2**30
"""Bytes of address space of all cases."""


def run_serve(host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
    """Does what `tts serve --check` does."""
    with contextlib.redirect_stdout(io.StringIO()):
        asyncio.run(show(read_settings(config)))
    return 0


COMMANDS: dict[str, tuple[RunJob, tuple[str, ...]]] = {
    "config": (run_search, ()),
    "judge": (run_judge, ("task=processbench_sample",)),
    "label": (run_label, ()),
    "synthesize": (run_synthesize, ("task.path={labels}",)),
    "filter": (run_filter, ("rationales={rationales}",)),
    "export": (run_export, ("format=processbench", "data={labels}")),
    "train": (run_train, ("data.path={rationales}",)),
    "serve": (run_serve, ()),
}
"""By primary configuration: its job, and what it needs to be whole."""


class Endless(BaseException):
    """A case took too long; nothing catches it."""


class Quick(Loader):
    """Composes each base once: most of a case's time is Hydra's. A setting is set in it by Hydra, as always."""

    bases: ClassVar[dict[tuple[str, ...], DictConfig]] = {}

    def _load_configuration_impl(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        last = OverridesParser.create().parse_overrides(overrides[-1:])
        if not last or (CONF / last[0].get_key_element().partition("@")[0]).is_dir():
            return super()._load_configuration_impl(config_name, overrides, run_mode)
        base = (str(config_name), *overrides[:-1])
        if base not in self.bases:
            self.bases[base] = super()._load_configuration_impl(config_name, overrides[:-1], run_mode)
        config = copy.deepcopy(self.bases[base])
        self._apply_overrides_to_config(last, config)
        return config


@dataclass
class Fuzzer:
    """Draws cases and tries them.

    Attributes:
        seed: Of all draws.
        folder: Where the data of the commands are.
        commands: The primary configurations to draw from.
    """

    seed: int
    folder: Path
    commands: list[str]
    _settings: dict[tuple[str, ...], list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows in FILES.items():
            (self.folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        self._bases = [(name, *base) for name in self.commands for base in bases(name)]

    def case(self, number: int) -> tuple[str, ...]:
        """Returns a case: a primary configuration and overrides."""
        rng = random.Random(f"{self.seed}:{number}")
        while True:
            base = rng.choice(self._bases)
            if base not in self._settings:
                self._settings[base] = self._settings_of(base)
            if self._settings[base]:
                return (*base, f"{rng.choice(self._settings[base])}={rng.choice(VALUES)}")

    def _settings_of(self, base: tuple[str, ...]) -> list[str]:
        try:
            return list(names(self.composed(base)))
        except UserError:  # what it lacks (a model, a file) would hide what is wrong with a setting
            return []

    def composed(self, case: tuple[str, ...]) -> Config:
        """Composes, checks and plans a run, and returns its configuration.

        Raises:
            UserError: It cannot work.
            RuntimeError: The exit status contradicts what was printed.
        """
        primary, *overrides = case
        job, needs = COMMANDS[primary]
        files = {name: self.folder / f"{name}.jsonl" for name in FILES}
        config, identity = configuration(primary, [*(need.format(**files) for need in needs), *overrides])
        console, errors, host = Console(file=io.StringIO()), ErrorLog(), Host()
        console.push_render_hook(errors)
        try:
            status = job(host, {**config, "dry_run": True}, identity, self.folder / "run", console)
        finally:
            host.close()
        if status != (2 if errors.messages else 0):
            raise RuntimeError(f"exit status {status} with the messages {errors.messages}")
        if errors.messages:
            raise UserError("; ".join(errors.messages))
        if config.get("objective") is not None:
            build(config["objective"], "objective", role=Objective)
        return config

    def outcome(self, case: tuple[str, ...]) -> str:
        """Returns `refused`, `accepted`, or the last line of a traceback and where it came from."""
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        try:
            self.composed(case)
        except UserError as error:
            return "refused" if str(error).strip() else "refused without a message"
        except (Exception, Endless) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            file = place.filename.rpartition("site-packages/")[2][-50:]
            return f"{type(error).__name__} in {file}:{place.name}: {error!s:.80}"
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        return "accepted"


def bases(primary: str) -> Iterator[list[str]]:
    """Yields overrides that choose each option of each group once."""
    yield []
    for group in groups(CONF / f"{primary}.yaml"):
        folder = group.rpartition("@")[0] or group
        if not folder.startswith(("hydra", "override")):
            yield from ([f"{group}={file.stem}"] for file in sorted((CONF / folder).glob("*.yaml")))


def endless(*_: object) -> None:
    """Handles the signal that a case took too long."""
    raise Endless(f"more than {MOST_S} s")


def main() -> int:
    """Prints what came of the cases; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, metavar="N", help="go on with this case")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no case after these")
    parser.add_argument("--command", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--show", type=int, default=20, help="how many accepted overrides to print")
    given = parser.parse_args()
    signal.signal(signal.SIGPROF, endless)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    counts: Counter[str] = Counter()
    accepted: list[str] = []
    begun = time.monotonic()

    def line(text: str) -> None:
        print(f"{time.monotonic() - begun:7.0f} s  {text}", flush=True)

    quick = mock.patch("tts.config.compose.Loader", Quick)
    with tempfile.TemporaryDirectory() as name, quick, contextlib.suppress(KeyboardInterrupt):
        fuzzer = Fuzzer(given.seed, Path(name), given.command)
        for number in range(given.first, given.cases):
            if time.monotonic() - begun > given.seconds:
                break
            case = fuzzer.case(number)
            found = fuzzer.outcome(case)
            counts[found] += 1
            if found == "accepted":
                accepted.append(" ".join(case))
            elif found != "refused" and counts[found] == 1:
                line(f"{found}\n            case {number}: {' '.join(case)}")
            if counts.total() % 100 == 0:
                line(f"{number + 1:,} cases")
    failures = {name: n for name, n in counts.items() if name not in ("refused", "accepted")}
    for line_of in random.Random(given.seed).sample(accepted, min(given.show, len(accepted))):
        print(f"accepted, for example: {line_of}")
    for name, n in sorted(failures.items(), key=lambda item: -item[1]):
        print(f"{n:5}  {name}")
    done, failed = counts.total(), sum(failures.values())
    print(f"{done:,} overrides: {counts['refused']:,} refused, {counts['accepted']:,} accepted, {failed} failed")
    if given.first + done < given.cases:
        print(f"to go on: --first {given.first + done}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
