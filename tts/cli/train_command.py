"""One job of `tts train`: composes, checks, trains a verifier, has it judge held-out solutions, and reports to the user."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tts.cli.failures import print_error
from tts.cli.host import Host
from tts.cli.job_command import plan_table
from tts.cli.progress import ProgressBar
from tts.config.build import Config, config_hash
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.core.json import Summary
from tts.files.writing import write_whole, writing
from tts.judge.job import compose_judge
from tts.judge.tables import tables
from tts.runtime.resources import Resources
from tts.train.job import TrainJob, compose_train


def run_train(host: Host, config: Config, identity: str, folder: Path, console: Console) -> int:
    """Composes, checks and runs one job, reports to the user, and returns the exit status.

    Returns:
        0; 1 if a held-out solution ended with an error; 2 if the user made a mistake.
    """
    try:
        job = compose_train(config, identity)
        console.print(plan(job))
        if config["dry_run"]:
            return 0
        return _run(host, job, folder, console)
    except UserError as error:
        print_error(console, str(error))
        return 2


def plan(job: TrainJob) -> Table:
    """Returns a table of what is trained, on what, and for how long."""
    rows, data = len(job.data.examples), job.data
    result = plan_table()
    result.add_row("method", type(job.method).__name__)
    result.add_row("base", f"{escape(job.base.checkpoint or 'random weights')}, {job.base.parameters:,} parameters")
    result.add_row("data", escape(str(job.config["data"]["path"])))
    result.add_row("rows", f"{rows:,}, {data.tokens:,} tokens, the longest {max(map(len, data.examples)):,}")
    if data.dropped:
        result.add_row("dropped", f"{data.dropped:,}: longer than the context of {job.base.context:,} tokens")
    result.add_row("labels", ", ".join(f"{number:,} {name}" for name, number in data.labels.items()))
    result.add_row("updates", f"{job.steps:,}, {job.passes:.4g} passes")
    result.add_row("devices", f"{job.recipe.devices:,}")
    result.add_row("compute", f"{job.flops:.3g} FLOP (6 x parameters x tokens)")
    result.add_row("config", job.identity)
    return result


def judge_command(job: TrainJob, folder: Path) -> str:
    """Returns the command by which the trained model judges solutions, with the verifier as it was chosen here."""
    hydra = HydraConfig.get() if HydraConfig.initialized() else None
    overrides = [] if hydra is None else list(hydra.overrides.task)
    words = [word for word in overrides if word.lstrip("+~").startswith(("verifier", "engine@verifier", "sandbox"))]
    if hydra is not None and not any(word.startswith("verifier=") for word in words):
        words.insert(0, f"verifier={hydra.runtime.choices['verifier']}")
    task = [
        word.replace("task@evaluate=", "task=").replace("evaluate.", "task.", 1)
        for word in overrides
        if word.lstrip("+").startswith(("task@evaluate=", "evaluate."))
    ]
    words += [f"verifier.engine.model={folder / 'model'}"]
    engine = job.verifier(folder)["engine"]
    if job.method.compares and "reference" in engine:
        words += [f"verifier.engine.reference={engine['reference']}"]
    return shlex.join(["tts", "judge", *words, *(task or ["task=labels", "task.path=HELD_OUT.jsonl"])])


def _run(host: Host, job: TrainJob, folder: Path, console: Console) -> int:
    from tts.train.running import trained

    figures = trained(job, folder)
    summary: Summary = {
        **asdict(figures),
        "model": str(folder / "model"),
        "config_hash": job.identity,
        "seed": job.config["seed"],
    }
    status, summary["f1"] = 0, None
    if job.config.get("evaluate") is not None:
        summary["evaluation"], status = _evaluation(host, job, folder, console)
        summary["f1"] = summary["evaluation"]["f1"]
    with writing(folder):
        write_whole(folder / "summary.json", json.dumps(summary, indent=2) + "\n")
    console.print(judge_command(job, folder), markup=False, highlight=False, soft_wrap=True)
    return status


def _evaluation(host: Host, job: TrainJob, folder: Path, console: Console) -> tuple[Summary, int]:
    """Has the trained model judge the held-out solutions; returns the summary of `tts judge` and the exit status."""
    own, _ = configuration("judge", [])
    config = {
        **own,
        "task": job.config["evaluate"],
        "verifier": job.verifier(folder),
        "sandbox": job.config["sandbox"],
        "seed": job.config["seed"],
    }
    place = folder / "judge"
    place.mkdir(exist_ok=True)

    async def run(resources: Resources) -> Summary:
        judge = compose_judge(config, config_hash(config), resources)
        with ProgressBar(console, len(judge.items)):
            judged = await judge.run(resources, place)
        console.print(tables(judged.summary, judge.title))
        return judged.summary

    summary = host.run("real", run)
    if summary["n_errors"]:
        print_error(console, f"{summary['n_errors']} held-out solutions ended with an error; see {place}")
    return summary, int(bool(summary["n_errors"]))
