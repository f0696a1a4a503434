"""One job of `tts search`: composes, checks and runs a search over a task, and reports to the user."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.failures import print_error
from tts.cli.job_command import JobCommand, add_limits, plan_table, print_path
from tts.config.build import Config
from tts.evaluation.job import SearchJob, compose_job
from tts.evaluation.runner import Outcome
from tts.evaluation.summary import first_errors, table
from tts.runtime.capabilities import ranks_by_wholes
from tts.runtime.parts import node_at, parts_of
from tts.runtime.resources import Resources
from tts.runtime.simulations import SAID


def plan(job: SearchJob) -> Table:
    """Returns a table of what the run would do, with upper bounds."""
    search, problems, n = job.search, job.task.count(), job.search.strategy.samples
    result = plan_table()
    number = "unknown number of" if problems is None else problems
    result.add_row("task", f"{escape(job.task.name)}, {number} problems")
    for whole in ("policy", "verifier", *search.parts):
        for place, part in parts_of(node_at(search.config, whole), whole):
            if "_target_" in part:
                on = f" on {escape(search.engines[place].name)}" if place in search.engines else ""
                result.add_row(place, _class_name(part) + on)
    result.add_row("search", f"{type(search.strategy).__name__}, {n} samples a problem")
    if search.reads_answers:
        result.add_row("", "for analysis only: the verifier reads the reference answers")
    if search.simulated:
        result.add_row("", f"for analysis only: {' and '.join(SAID[name] for name in search.simulated)}")
    bounds = {role: search.strategy.token_bound(policy) for role, policy in search.policies.items()}
    if problems is not None and bounds["policy"] is not None:
        tokens = [f"{problems * bound:,} {role} tokens" for role, bound in bounds.items() if bound is not None]
        result.add_row("at most", ", ".join([f"{problems * n:,} samples", *tokens]))
    for role, verifier in search.verifiers.items():
        step = verifier.token_bound(1)
        each = "no bound of" if step is None else f"{step:,}"
        result.add_row("", f"{verifier.votes} votes a step, {each} {role} tokens a step of a sample")
    add_limits(result, search.budget)
    result.add_row("config", search.identity)
    return result


def _class_name(config: Config) -> str:
    return str(config["_target_"]).rsplit(".", 1)[-1]


def _report(job: SearchJob, outcome: Outcome, folder: Path, console: Console) -> int:
    """Reports the outcome of the run, and returns its exit status."""
    search, tally = job.search, outcome.tally
    console.print(table(tally, outcome.summary, escape(job.title)))
    if search.reads_answers:
        console.print("the verifier read the reference answers: the figures are upper bounds, not results")
    if search.simulated:
        console.print(f"{' and '.join(SAID[name] for name in search.simulated)}: the figures are no results")
    print_path(console, folder)
    status = 0
    if outcome.stopped:
        total = job.task.count()
        of = "" if total is None else f" of {total:,}"
        console.print(f"the limit {outcome.stopped} ended the run after {tally.n_problems:,}{of} problems")
    if tally.n_errors:
        print_error(console, f"{tally.n_errors} of {tally.n_problems} problems ended with an error")
        for line in first_errors(tally):
            console.print("  " + line, markup=False, highlight=False, soft_wrap=True)
        status = 1
    if search.policy.splits and search.strategy.verifies and tally.solutions and not tally.stepped:
        print_error(
            console,
            f"policy.steps={search.config['policy'].get('steps')!r} never cut a solution: all {tally.solutions} of them "
            "were judged as one step; choose the format that the model writes (blank_line, heading, numbered, or a text)",
        )
        status = 1
    return status


def _notice(job: SearchJob) -> str | None:
    search = job.search
    if not ranks_by_wholes(search.strategy, search.verifier):
        return None
    return (
        f"verifier ({type(search.verifier).__name__}) gives one reward for a whole solution: "
        f"search ({type(search.strategy).__name__}) ranks prefixes of solutions by it"
    )


async def _run(job: SearchJob, resources: Resources, folder: Path) -> Outcome:
    return await job.run(resources, folder, bool(job.search.config.get("resume")))


def _plan(job: SearchJob, console: Console) -> None:
    console.print(plan(job))


def _count(job: SearchJob) -> int | None:
    return job.task.count()


run_search = JobCommand(compose_job, _plan, _count, _run, _report, _notice)
