"""What configurations looked like earlier.

Users' own YAML files continue to work when a class moves, and a configuration keeps its hash when a class moves or gets a
setting: the runs that were finished before are still known to be finished.
"""

from __future__ import annotations

from collections.abc import Mapping

MOVED = {
    "verifiers.genprm.GenPRM": "verifiers.generative.genprm.GenPRM",
    "verifiers.discriminative.backend.TransformersReader": "tts.engines.transformers_scoring.TransformersScorer",
    "verifiers.discriminative.backend.VLLMReader": "tts.engines.vllm.scoring.VLLMScorer",
    "verifiers.discriminative.backend.heads.Layers": "tts.engines.transformers_scoring.heads.Layers",
    "verifiers.discriminative.backend.heads.EnsembleLayers": "tts.engines.transformers_scoring.heads.EnsembleLayers",
    "verifiers.discriminative.backend.heads.Vocabulary": "tts.engines.transformers_scoring.heads.Vocabulary",
    "tts.tasks.grading.Grader": "tts.tasks.grading.MathGrader",
    "tts.bootstrap.Bootstrap": "tts.statistics.bootstrap.Bootstrap",
}
"""From a class's first public name to its current one."""

ADDED: Mapping[str, Mapping[str, object]] = {
    "policies.chat.ChatPolicy": {"top_logprobs": 0},
    "search.beam.Beam": {"finished_leave": False, "compute": None},
    "search.dvts.DVTS": {"finished_leave": False, "compute": None},
    "search.ab_mcts.ABMCTS": {"compute": None},
    "search.adaptive_consistency.AdaptiveConsistency": {"compute": None},
    "search.best_of_n.BestOfN": {"compute": None},
    "search.critique_refine.CritiqueRefine": {"compute": None},
    "search.majority.Majority": {"compute": None},
    "search.mcts.MCTS": {"compute": None},
    "search.particle_filter.ParticleFilter": {"compute": None},
    "search.particle_gibbs.ParticleGibbs": {"compute": None},
    "search.rebase.Rebase": {"compute": None},
    "search.resample.Resample": {"compute": None},
    "search.self_refine.SelfRefine": {"compute": None},
    "search.tree_of_thought.TreeOfThought": {"compute": None},
    "tts.engines.openai.OpenAIEngine": {"dialect": "auto"},
    "tts.judge.threshold.Threshold": {"of": "scores"},
    "tts.tasks.labelled.LabelledTask": {"repeated_ids": "refuse"},
}
"""From a class's current name to the settings that it got later, each with the value under which nothing is different."""

CHANGED: Mapping[str, Mapping[str, tuple[object, object]]] = {
    "tts.engines.transformers.TransformersEngine": {"threads": (None, 1)},
}
"""From a class's current name to settings with another default now, which changes rounding at most: now and first."""

_FIRST = {now: first for first, now in MOVED.items()}


def present_name(target: str) -> str:
    """Returns the current name of a class that a configuration names."""
    return MOVED.get(target, target)


def first_form(config: object) -> object:
    """Returns a configuration as an earlier version wrote it, from which its hash is computed."""
    if isinstance(config, Mapping):
        target = str(config.get("_target_"))
        added, changed = ADDED.get(target, {}), CHANGED.get(target, {})
        kept = {name: value for name, value in config.items() if name not in added or value != added[name]}
        first = {"_target_": (target, _FIRST.get(target, target)), **changed}
        return {
            str(name): first[name][1] if name in first and value == first[name][0] else first_form(value)
            for name, value in kept.items()
        }
    if isinstance(config, list):
        return [first_form(value) for value in config]
    return config
