"""A verifier over labelled solutions: composed, checked, run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tts.config.build import Config, build
from tts.core.errors import ProblemError, UserError
from tts.core.json import JsonObject
from tts.core.settings import inside
from tts.core.task import Task
from tts.core.verifier import Verifier
from tts.engines.metered import MeteredEngine
from tts.judge.judged import Judged
from tts.judge.record import Resume, verdicts_hash
from tts.judge.runner import Judge
from tts.judge.threshold import Threshold
from tts.judge.work import JudgeWork, compose_judge_work
from tts.runtime.choices import Choices
from tts.runtime.parts import check_groups
from tts.runtime.resources import Resources
from tts.runtime.simulations import simulations
from tts.statistics.bootstrap import Bootstrap
from tts.tasks.labelled import LabelledSolution, LabelledSource, labelled_source

_GROUPS = ("task", "verifier", "sandbox", "budget", "threshold", "bootstrap")


@dataclass(frozen=True)
class JudgeJob:
    """The objects of one run.

    Attributes:
        config: The resolved configuration.
        identity: Its hash.
        task: The source of the solutions.
        items: The solutions.
        work: What judges them.
        bootstrap: Computes confidence intervals.
        has_objects: Whether the verifier or engines are objects of the caller.
    """

    config: Config
    identity: str
    task: LabelledSource
    items: Sequence[LabelledSolution]
    work: JudgeWork
    bootstrap: Bootstrap
    has_objects: bool

    @property
    def verifier(self) -> Verifier:
        """The verifier."""
        return self.work.verifier

    @property
    def threshold(self) -> Threshold:
        """The minimum score of a right step."""
        return self.work.threshold

    @property
    def engines(self) -> Mapping[str, MeteredEngine]:
        """The engines by owner."""
        return self.work.engines

    @property
    def title(self) -> str:
        """A one-line description."""
        name = type(self.verifier).__name__
        return f"{self.task.name}: {name}, K = {self.verifier.votes}, {self.threshold.rule} threshold"

    def previews(self) -> list[tuple[str, str]]:
        """Returns for the first solution of each subset its name and the verifier's model input.

        Raises:
            UserError: The verifier cannot render it as its model expects.
        """
        shown = []
        for item in reversed({item.subset: item for item in reversed(self.items)}.values()):
            try:
                text = self.verifier.preview(item.problem, item.solution)
            except ProblemError as error:
                raise UserError(f"solution {item.problem.id}: {error}") from None
            if text is not None:
                shown.append((item.problem.id, text))
        return shown

    async def run(self, resources: Resources, folder: Path) -> Judge:
        """Judges all solutions without a record; writes `results.jsonl` and `summary.json`.

        Models are loaded and the sandbox is started only if something is left to judge.

        Returns:
            The ended run.

        Raises:
            UserError: The folder holds another run's results, or a model, a server or the sandbox is not available.
            RunError: Something that all solutions need is gone.
        """
        extra: JsonObject = {
            "config_hash": self.identity,
            "seed": self.config["seed"],
            "simulated": list(simulations(self.config, self.engines)),
        }
        copy = None if self.has_objects else partial(compose_judge_work, self.config)
        resume = Resume(self.items, verdicts_hash(self.config, self.threshold.stops))
        try:
            async with resources.executor(self.config).at_work(self.work, copy, self.config) as work:
                judge = Judge(work, self.items, self.threshold, self.bootstrap, folder, self.work.budget)
                await judge.run(self.items, resume, extra)
                return judge
        finally:
            await resources.flush()


def compose_judge(config: Config, identity: str, resources: Resources, own: Choices | None = None) -> JudgeJob:
    """Creates and checks everything that `config` names; loads no weights and starts nothing.

    Args:
        config: The resolved configuration.
        identity: Its hash.
        resources: Creates engines, sandbox and bank.
        own: Objects that replace the configuration's: a verifier, engines.

    Raises:
        UserError: The configuration cannot work.
    """
    own = own or Choices()
    check_groups(config, [group for group in _GROUPS if not (group == "verifier" and own.verifier)])
    if own.verifier is not None:
        config = {**config, "verifier": None}
    task = labelled_source(build(config["task"], "task", role=Task))
    resources.executor(config)
    work = compose_judge_work(config, resources, own)
    with inside("task"):
        task.check()
    job = JudgeJob(
        config=config,
        identity=identity,
        task=task,
        items=list(task.solutions()),
        work=work,
        bootstrap=build(config["bootstrap"], "bootstrap", role=Bootstrap),
        has_objects=bool(own.verifier or own.engines),
    )
    subsets: dict[str, list[Judged]] = {}
    for item in job.items:
        subsets.setdefault(item.subset, []).append(Judged(item.labels, item.complete, ()))
    with inside("threshold"):
        work.threshold.check(subsets)
    work.check()
    return job
