r"""Overrides that cannot be meant: each must be one message, or a configuration that works; never a traceback.

`python -m benchmarks.fuzz_config [--cases 5000] [--seed 0] [--show 20]`

Draws a base (the default configuration, with an option of some group exchanged), one of its settings or groups, and a value
of another type or size, then composes and checks the run as `dry_run=true` does: nothing is loaded. Prints how many
overrides were refused, how many were accepted, and every kind of failure, of which there should be none (else status 1).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import traceback
from collections import Counter
from collections.abc import Mapping

from tts.cli.search_command import plan
from tts.config.build import Config
from tts.config.compose import CONF, configuration
from tts.config.keys import groups, names
from tts.core.errors import UserError
from tts.evaluation.job import compose_job
from tts.judge.job import compose_judge
from tts.runtime.runtime import Runtime

VALUES = (
    *("true", "false", "null", "0", "-1", "1", "3", "1.5", "-0.5", "1e-320", "1e309", "nan", "inf", "-inf"),
    *(
        "99999999999999999999999",
        "abc",
        "''",
        "' '",
        "[]",
        "[1]",
        "[abc]",
        "[null]",
        "[[1]]",
        "{}",
        "{a:1}",
        "{a:{b:[1]}}",
    ),
    *("'a\\tb'", "'ü'", "'\\u0000'", "../x", "/dev/null", "/", "~", "${seed}", "${nothing}", "a.b.C", "os.system"),
)
"""As on the command line."""

KINDS = {"config": compose_job, "judge": compose_judge}
"""The commands' primary configurations, and what composes a run of each."""


def bases(primary: str) -> list[list[str]]:
    """Returns overrides that choose each option of each group once."""
    chosen: list[list[str]] = [[]]
    for group in groups(CONF / f"{primary}.yaml"):
        folder = group.rpartition("@")[0] or group
        if folder.startswith(("hydra", "override")):
            continue
        chosen += [[f"{group}={file.stem}"] for file in sorted((CONF / folder).glob("*.yaml"))]
    return chosen


def composed(primary: str, overrides: list[str]) -> Config:
    """Composes and checks a run, as a dry run does, and returns its configuration.

    Raises:
        UserError: It cannot work.
    """

    async def check(config: Config, identity: str) -> None:
        async with Runtime() as runtime:
            job = KINDS[primary](config, identity, runtime.resources)
            if primary == "config":
                plan(job)  # type: ignore[arg-type]

    config, identity = configuration(primary, overrides)
    asyncio.run(check(config, identity))
    return config


def outcome(primary: str, overrides: list[str]) -> str:
    """Returns `refused`, `accepted`, or the last line of a traceback and where it came from."""
    try:
        composed(primary, overrides)
    except UserError as error:
        return "refused" if str(error).strip() else "refused without a message"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        file = place.filename.rpartition("site-packages/")[2][-50:]
        return f"{type(error).__name__} in {file}:{place.name}: {error!s:.80}"
    return "accepted"


def main() -> int:
    """Prints the counts; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=20, help="how many accepted overrides to print")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    choices = [(primary, base) for primary in KINDS for base in bases(primary)]
    settings: dict[tuple[str, ...], list[str]] = {}
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    accepted: list[str] = []
    while counts.total() < arguments.cases:
        primary, base = rng.choice(choices)
        key = (primary, *base)
        if key not in settings:
            # A base that lacks something (a model, a file) would hide what is wrong with a setting.
            try:
                settings[key] = list(names(composed(primary, base)))
            except UserError:
                settings[key] = []
        if not settings[key]:
            continue
        override = f"{rng.choice(settings[key])}={rng.choice(VALUES)}"
        found = outcome(primary, [*base, override])
        counts[found] += 1
        examples.setdefault(found, " ".join([primary, *base, override]))
        if found == "accepted":
            accepted.append(" ".join([primary, *base, override]))
    failures: Mapping[str, int] = {name: n for name, n in counts.items() if name not in ("refused", "accepted")}
    refused, failed = counts["refused"], sum(failures.values())
    print(f"{arguments.cases} overrides: {refused} refused, {counts['accepted']} accepted, {failed} failed")
    for name, n in sorted(failures.items(), key=lambda item: -item[1]):
        print(f"{n:5}  {name}\n       {examples[name]}")
    if arguments.show and accepted:
        print("accepted, for example:")
        for line in rng.sample(accepted, min(arguments.show, len(accepted))):
            print(f"  {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
