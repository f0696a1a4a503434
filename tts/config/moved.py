"""Classes that configurations may name by an earlier location.

Users' own YAML files continue to work, and a configuration's hash does not change when a class moves.
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

_FIRST = {now: first for first, now in MOVED.items()}


def present_name(target: str) -> str:
    """Returns the current name of a class that a configuration names."""
    return MOVED.get(target, target)


def first_names(config: object) -> object:
    """Returns a configuration with every class under its first name, from which its hash is computed."""
    if isinstance(config, Mapping):
        return {
            key: _FIRST.get(value, value) if key == "_target_" else first_names(value) for key, value in config.items()
        }
    if isinstance(config, list):
        return [first_names(value) for value in config]
    return config
