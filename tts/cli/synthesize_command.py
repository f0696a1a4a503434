"""One job of `tts synthesize`: composes, checks, has rationales written, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.job_command import JobCommand, add_limits, plan_table, print_errors, print_path, print_stop
from tts.core.rationale import IN_WORDS
from tts.runtime.simulations import SAID, simulations
from tts.synthesize.job import SynthesisJob, compose_synthesis
from tts.synthesize.runner import Synthesis


def plan(job: SynthesisJob, console: Console) -> None:
    """Prints what the run would do, with upper bounds, and what the writer would read first."""
    preview = job.preview()
    steps = sum(len(labelled.solution.steps) for labelled in job.solutions)
    table = plan_table()
    table.add_row("task", f"{escape(job.task.name)}, {len(job.solutions):,} solutions, {steps:,} steps")
    for place, engine in job.engines.items():
        table.add_row(f"{place}.engine", escape(engine.name))
    table.add_row("writer", type(job.writer).__name__)
    bound = job.token_bound
    tokens = "no bound of tokens" if bound is None else f"{bound:,} writer tokens"
    table.add_row("at most", f"{len(job.items):,} rationales, {tokens}")
    add_limits(table, job.work.budget, "rationale")
    table.add_row("config", job.identity)
    console.print(table)
    console.rule(f"{escape(job.items[0].id)}: what the model reads, \u27e6\u2026\u27e7 where it writes")
    console.print(preview, markup=False, highlight=False, soft_wrap=True)


def table(job: SynthesisJob, done: Synthesis) -> Table:
    """Returns a table of what was written."""
    tally = done.tally
    result = plan_table(escape(job.title))
    result.add_row("rationales", f"{tally.rationales:,}, {tally.of_use:,} of use")
    for reason, number in sorted(tally.dropped.items()):
        result.add_row("dropped", f"{number:,}: {IN_WORDS[reason]}")
    verdicts = done.summary["verdicts"]
    result.add_row("verdicts", ", ".join(f"{number:,} {name}" for name, number in verdicts.items() if number))
    if tally.of_use:
        result.add_row("tokens", f"{tally.tokens / tally.of_use:,.0f} each")
    return result


def _report(job: SynthesisJob, done: Synthesis, folder: Path, console: Console) -> int:
    console.print(table(job, done))
    simulated = simulations(job.config, job.engines)
    if simulated:
        console.print(f"{' and '.join(SAID[name] for name in simulated)}: the rationales teach nothing")
    print_path(console, folder / done.file)
    tally = done.tally
    print_stop(console, done.stopped, tally.rationales, len(job.items), "rationales")
    return print_errors(console, tally.errors, tally.rationales, "rationale", tally.failures)


def _count(job: SynthesisJob) -> int:
    return len(job.items)


run_synthesize = JobCommand(compose_synthesis, plan, _count, SynthesisJob.run, _report)
