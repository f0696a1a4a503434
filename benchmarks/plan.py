r"""What `tts plan` predicts against what real servers take, and what a plan of a million problems costs.

`python -m benchmarks.plan [slice] [streamed] [million]`   (all by default; a quarter of an hour)

slice: a search over 32 problems on one policy's server and three verifiers' servers (`benchmarks.simserver`, a process
each, which really wait), through `executor=local`; the plans for it, with texts as configured and as this run measured
them; and the streamed simulation of 250 times the problems on 250 times the GPUs, which should take as long. Further
overrides are the run's: with `executor=ray executor.workers=2 in_flight.problems=32` (half of them each) it is the same on
a cluster.
streamed: the streamed simulation against the exact one, on runs that are small enough for both.
million: memory and CPU time of 1,000,000 problems on 1,000 simulated GPUs, after each tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

import tts
from benchmarks.simserver import serving
from tts.cli.main import main as command
from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.compose import configuration
from tts.core.json import Summary
from tts.planning.alone import search_alone
from tts.planning.fleet import Division, Fleet, cycled
from tts.planning.job import compose_plan
from tts.planning.pool import Pool
from tts.planning.simulator import Simulator, checked
from tts.planning.stream import Stream

T = TypeVar("T")

REPLICAS = {"policy": 1, "verifier": 3}
PROBLEMS = 32
_TIMES = 250
# Requests of 10 s, by the length of texts and by a tick of a full batch that takes 108 ms: what this process and the machine
# add to each of them, seconds where others use its cores as well, should not count.
_SPEED = {"max_sequences": 16, "tick_base": 0.06, "tick_per_sequence": 0.003, "prefill": 0.0003}
_TEXTS: Mapping[str, Mapping[str, float | str]] = {
    "policy": {"step_tokens": 60.0, "steps": "[3,6]"},
    "verifier": {"analysis_tokens": 80.0, "code_tokens": 20.0, "conclusion_tokens": 20.0},
}
_TASK = (f"task.size={PROBLEMS}", "search=best_of_n", "search.n=4")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def models(role: str) -> list[str]:
    """Returns the overrides that describe a role's simulated model."""
    settings = {**_SPEED, **{f"writer.{name}": value for name, value in _TEXTS[role].items()}}
    return [f"{role}.engine.{name}={value}" for name, value in settings.items()]


def plan(folder: Path, *overrides: str) -> Summary:
    """Returns the contents of `plan.json` of `tts plan`."""
    given = [*_TASK, *models("policy"), *models("verifier"), *overrides]
    if status := command(["plan", *given, f"hydra.run.dir={folder}"]):
        raise RuntimeError(f"tts plan {' '.join(given)}: exit status {status}")
    made: Summary = json.loads((folder / "plan.json").read_text("utf-8"))
    return made


def predicted(made: Summary, division: Division) -> float:
    """Returns the seconds that a plan predicts for a division."""
    return float(next(row["wall_s"] for row in made["divisions"] if row["replicas"] == division))


def run(folder: Path, further: Sequence[str]) -> float:
    """Returns the seconds that the search takes on real servers."""
    roles = {
        "policy": ["policy=qwen2.5-math", "policy.engine.model=simulated-policy", "policy.engine.dialect=completions"],
        "verifier": ["verifier=genprm", "verifier.engine.model=simulated-genprm"],
    }
    with ExitStack() as stack:
        for role, replicas in REPLICAS.items():
            asked = ["--role", role, *_TASK[:1], *models(role)]
            urls = [stack.enter_context(serving(*asked)) for _ in range(replicas)]
            # A server that has as many as it decodes together hands over to the next: all are equally busy.
            slots = _SPEED["max_sequences"]
            roles[role] += [f"engine@{role}.engine=openai", f"{role}.engine.base_url=[{','.join(urls)}]"]
            roles[role] += [f"{role}.engine.in_flight={slots:.0f}", f"in_flight.{role}={slots * replicas:.0f}"]
        overrides = [change for changes in roles.values() for change in changes]
        summary = tts.evaluate(*_TASK, *overrides, "sandbox=none", *further, folder=folder).summary
    assert not summary["n_errors"], summary
    return float(summary["wall_s"])


@asynccontextmanager
async def simulator(*overrides: str) -> AsyncIterator[Simulator]:
    """Yields what simulates a plan's divisions exactly."""
    config, identity = configuration("plan", ["gpus=2", *overrides])
    async with tts.Runtime() as runtime:
        job = compose_plan(config, identity, runtime.resources)
        found = await search_alone(job.config, job.places, job.sliced, runtime.resources)
        samples = job.search.search.strategy.samples
        fleet = Fleet(job.rates, job.gpus_per_replica, found.loads, samples, job.config["in_flight"])
        yield Simulator(job.config, job.places, fleet, job.problems, None, lambda *_: None)


def virtually(work: Coroutine[object, object, T]) -> T:
    """Returns what work in virtual time returns."""
    with asyncio.Runner(loop_factory=VirtualLoop) as loop:
        return loop.run(work)


def slice_(folder: Path, further: Sequence[str]) -> None:
    """Prints what plans predict, and what a run takes."""
    real = run(folder / "real", further)
    gpus = sum(REPLICAS.values())
    print(f"{PROBLEMS} problems on {REPLICAS} real servers: {real:.1f} s", flush=True)
    for name, more in (("texts as configured", ()), ("texts as measured", (f"sizes={folder / 'real'}",))):
        seconds = predicted(plan(folder / name, f"gpus={gpus}", *more), REPLICAS)
        print(f"tts plan, {name}: {seconds:.1f} s, {seconds / real:.3f} of it", flush=True)
    seconds = virtually(scaled())
    print(f"{_TIMES} times as many of both, streamed: {seconds:.1f} s, {seconds / real:.3f} of it", flush=True)


async def scaled() -> float:
    """Returns the seconds of so many times the problems on so many times the replicas, by the streamed simulation."""
    overrides = (*_TASK, *models("policy"), *models("verifier"), f"problems={_TIMES * PROBLEMS}")
    async with simulator(*overrides) as exact:
        division = {role: _TIMES * replicas for role, replicas in REPLICAS.items()}
        return (await (await checked(exact, division)).row(division)).wall_s


def streamed(folder: Path, further: Sequence[str]) -> None:
    """Prints the streamed simulation's error against the exact one."""
    for search in (["search.n=8"], ["search=beam", "search.n=8"], ["search=majority"]):
        virtually(_errors(search))


async def _errors(search: Sequence[str]) -> None:
    slots = ["policy.engine.max_sequences=32", "verifier.engine.max_sequences=32"]
    for replicas in (1, 3):
        # Each has engines of its own: they must be idle, with empty caches.
        async with (
            simulator("task.size=150", *slots, *search) as one,
            simulator("task.size=150", *slots, *search) as other,
        ):
            division = {role: {"policy": 1, "verifier": 3}[role] * replicas for role in one.places}
            guess = (await (await checked(one, division)).row(division)).wall_s
            seconds = (await other.row(division)).wall_s
        said = f"{' '.join(search)}, 150 problems, {division}"
        print(f"{said}: exact {seconds:.1f} s, streamed {guess / seconds - 1:+.1%}", flush=True)


def million(folder: Path, further: Sequence[str], problems: int = 1_000_000, gpus: int = 1000) -> None:
    """Prints memory and CPU time of a plan's stream after each tenth."""

    async def found() -> Fleet:
        async with simulator(f"problems={problems}", "search.n=8") as exact:
            return exact.fleet

    asked = virtually(found())
    divisions = asked.divisions(gpus)
    division = divisions[asked.balanced(divisions)]
    pools = {role: Pool(asked.rates[role], replicas) for role, replicas in division.items()}
    stream = Stream(cycled(asked.loads, problems), pools, asked.problems(division))
    print(f"{problems:,} problems on {division}, {asked.problems(division):,} in progress", flush=True)
    started = time.process_time()
    for done in stream.run():
        if done % (problems // 10) == 0:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB
            print(f"{done:>9,}  {resident:6.1f} MB  {time.process_time() - started:5.1f} s of CPU", flush=True)
    print(f"predicted: {stream.now / 3.6e12:.2f} h")


FIGURES = {"slice": slice_, "streamed": streamed, "million": million}


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "words", nargs="*", metavar="FIGURE|OVERRIDE", help=f"{', '.join(FIGURES)}; overrides of the run"
    )
    words = parser.parse_args().words
    names = [word for word in words if word in FIGURES] or list(FIGURES)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            FIGURES[name](Path(folder), [word for word in words if word not in FIGURES])


if __name__ == "__main__":
    main()
