"""Checks, before any compute, that the parts of a labelling run fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tts.config.build import Config
from tts.core import Problem
from tts.core.errors import UserError
from tts.core.grader import Grader
from tts.core.policy import Policy
from tts.core.settings import inside
from tts.core.verifier import Verifier
from tts.label.completions import Completions
from tts.label.rules import Rule
from tts.label.sampling import Sampling


def check_engine(verifier: Config | None) -> None:
    """Raises UserError if a verifier's model has no engine, which this command chooses for none."""
    engine = None if verifier is None else verifier.get("engine")
    if isinstance(engine, Mapping) and "_target_" not in engine:
        raise UserError(
            "verifier.engine: nothing says how its model runs; add engine@verifier.engine=transformers, openai, chat or vllm"
        )


def check_fit(rule: Rule, completions: Completions, completer: Policy, verifier: Verifier | None) -> None:
    """Raises UserError if a rule lacks what it reads, or the completer cannot complete prefixes."""
    name = type(rule).__name__
    if "counts" in rule.reads and not completions.most:
        raise UserError(f"rule ({name}) reads counts of completions, and completions=none samples none; choose fixed")
    if "scores" in rule.reads and verifier is None:
        raise UserError(f"rule ({name}) reads a verifier's scores; choose one: verifier=genprm, verifier=critic, ...")
    if rule.needs_all and not completions.all_steps:
        raise UserError(
            f"rule ({name}) needs the counts of every step, and completions ({type(completions).__name__}) counts only "
            "some; choose rule=hard, or completions=fixed"
        )
    if completions.most and "steps" in completer.traits.lacks:
        because = completer.traits.because
        raise UserError(
            f"completer ({type(completer).__name__}) does not continue a partial solution"
            f"{f', since {because}' if because else ''}; choose another one, policy@completer=..., or completions=none"
        )
    if verifier is None:
        return
    judge = type(verifier).__name__
    if "steps" in verifier.traits.lacks:
        raise UserError(f"verifier ({judge}) rewards whole solutions; choose one that judges every step")


def check_problems(
    problems: Sequence[Problem], policy: Policy, grader: Grader, sampling: Sampling, completions: Completions
) -> None:
    """Raises UserError if there are no problems, or a problem lacks the answer or the solutions that labels need."""
    if not problems:
        raise UserError("task: it has no problems")
    if completions.most or sampling.balances:
        without = [problem.id for problem in problems if problem.answer is None]
        if without:
            raise UserError(
                f"task: {len(without):,} of {len(problems):,} problems have no reference answer, the first is "
                f"'{without[0]}': nothing says which solutions are right; leave them out, or label by a verifier alone: "
                "completions=none sampling.keep=null rule=judge verifier=..."
            )
    answer = next((problem.answer for problem in problems if problem.answer is not None), None)
    if answer is not None:
        with inside("grading"):
            grader.check(answer)
    holds = policy.traits.holds
    if holds is not None and not any(map(holds, problems)):
        raise UserError("policy: its file holds solutions of none of the task's problems; the ids must be the same")
