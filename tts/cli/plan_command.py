"""One job of `tts plan`: composes, simulates, and reports to the user."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.job_command import JobCommand, nothing, plan_table, print_path
from tts.planning.fleet import IN_FLIGHT, PATH, Division
from tts.planning.job import PlanJob, compose_plan
from tts.planning.prediction import Prediction, Row

_SECONDS = 600
"""Shorter times are shown in seconds."""
_BOUNDS = {
    PATH: "the longest problem, on idle replicas,",
    IN_FLIGHT: "as many problems at a time as in_flight.problems allows, on idle replicas,",
}
"""What bounds a run besides the work of a role."""


def table(made: Prediction, title: str) -> Table:
    """Returns a row for each division, the recommended one marked."""
    result = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    roles = list(made.rows[0].replicas)
    result.add_column("")
    for name in (*roles, "GPUs", "time", "problems/h", *(f"{role} %" for role in roles)):
        result.add_column(name, justify="right")
    result.add_column("bound by")
    for number, row in enumerate(made.rows):
        cells = (
            *(f"{row.replicas[role]:,}" for role in roles),
            f"{row.gpus:,}",
            _time(row.wall_s),
            f"{row.problems_per_hour:,.0f}",
            *(f"{row.utilisation[role] * 100:.0f}" for role in roles),
            row.bound,
        )
        result.add_row("*" if number == made.best else "", *cells, style="bold" if number == made.best else "")
    return result


def _time(seconds: float) -> str:
    if seconds < _SECONDS:
        return f"{seconds:.1f} s"
    days, rest = divmod(round(seconds), 24 * 3600)
    return f"{days} d {timedelta(seconds=rest)}" if days else str(timedelta(seconds=rest))


def _replicas(division: Division) -> str:
    return " and ".join(f"{replicas:,} of the {role}'s" for role, replicas in division.items())


def _best(row: Row) -> str:
    bound = _BOUNDS.get(row.bound, f"the {row.bound}'s work, with batches that are always full,")
    return (
        f"* {_replicas(row.replicas)} replicas; {bound} takes {row.bound_s / row.wall_s:.0%} of the time; "
        f"in_flight.problems={row.in_flight} over all workers"
    )


def _report(job: PlanJob, made: Prediction, folder: Path, console: Console) -> int:
    """Reports the prediction, and returns the exit status."""
    console.print(table(made, escape(f"{job.search.title}, {made.problems:,} problems")))
    console.print(_best(made.rows[made.best]))
    check = made.check
    if check is None:
        console.print("simulated sample by sample")
    else:
        console.print(
            f"simulated as a stream of problems like the task's first {check.problems}; of these alone, on "
            f"{_replicas(check.replicas)} replicas, it says {check.streamed_s:.1f} s, the simulation sample by sample "
            f"{check.exact_s:.1f} s ({check.error:+.1%})"
        )
    if job.sizes is not None:
        wanted, found = job.sizes.lengths, made.lengths
        for name, one, other in (
            ("a solution", wanted.solution, found.solution),
            ("a vote on a step", wanted.verification, found.verification),
        ):
            if other is not None:
                console.print(f"tokens of {name}: {other:.0f}, measured: {'none' if one is None else f'{one:.0f}'}")
    print_path(console, folder / "plan.json")
    return 0


def _plan(job: PlanJob, console: Console) -> None:
    """Prints what would be simulated."""
    result = plan_table()
    result.add_row("run", f"{escape(job.search.title)}, {job.problems:,} problems")
    given, deadline = job.config["gpus"], job.config["deadline"]
    result.add_row("GPUs", f"the fewest for {deadline:g} s" if given is None else f"{given:,} to divide")
    for role, rates in job.rates.items():
        tokens = rates.max_sequences / rates.tick(rates.max_sequences) * 1e9
        gpus = job.gpus_per_replica[role]
        result.add_row(role, f"{tokens:,.0f} tokens/s of a replica with a full batch, {gpus} GPUs each")
    how = (
        "all problems sample by sample"
        if job.exact
        else f"{job.sliced} problems sample by sample, the rest as a stream"
    )
    result.add_row("simulates", how)
    if job.sizes is not None:
        result.add_row("sizes", f"of {job.sizes.problems:,} problems of {escape(str(job.config['sizes']))}")
    result.add_row("config", job.identity)
    console.print(result)


run_plan = JobCommand(compose_plan, _plan, nothing, PlanJob.run, _report)
