"""Label rules that read a verifier's scores: alone, or together with counts of completions."""

from __future__ import annotations

from typing import Literal

from tts.core.settings import PositiveProbability, settings
from tts.label.evidence import Evidence
from tts.label.rules import Labelled, Reads, Rule


@settings
class ByJudge:
    """A step is right if a verifier's score is at least `least`: LLM-as-a-judge, or any verifier.

    A verifier that knows the truth of every step (`verifier=arithmetic_truth`) makes it the labels of an oracle. Steps
    without a score are unlabelled, as are those after the one at which the verifier stopped; a solution without any score
    has no labels.

    Args:
        least: Lowest score of a right step.
    """

    reads: frozenset[Reads] = frozenset({"scores"})
    needs_all = False

    def __init__(self, least: PositiveProbability = 0.5) -> None:
        self._least = least

    def label(self, evidence: Evidence) -> Labelled | str:
        """Returns the labels, or why the solution has none."""
        missing = (None,) * (evidence.steps - len(evidence.scores))
        scores = (*evidence.scores, *missing)
        if all(score is None for score in scores):
            return "no_score"
        return Labelled(tuple(None if score is None else score >= self._least for score in scores), scores)


@settings
class Consensus:
    """Keeps what a rule and a verifier agree on.

    Sources: Qwen's PRMs (arXiv 2501.07301) keep a solution if Monte Carlo labels and an LLM judge agree on where the first
    error is (`keep=first_error`); GenPRM (arXiv 2504.00891) drops a solution if any step's label disagrees (`keep=all`).
    `keep=steps` keeps the solution and leaves the steps unlabelled on which they disagree. A step that one of them does not
    label is no disagreement, and has the other's label.

    Args:
        of: The rule.
        least: Lowest score of a right step.
        keep: What must agree.
    """

    reads: frozenset[Reads] = frozenset({"counts", "scores"})

    def __init__(
        self,
        of: Rule,
        least: PositiveProbability = 0.5,
        keep: Literal["first_error", "all", "steps"] = "first_error",
    ) -> None:
        self._of, self._judge, self._keep = of, ByJudge(least), keep
        self.needs_all = of.needs_all

    def label(self, evidence: Evidence) -> Labelled | str:
        """Returns the labels, or why the solution has none."""
        counted, judged = self._of.label(evidence), self._judge.label(evidence)
        if isinstance(counted, str) or isinstance(judged, str):
            return counted if isinstance(counted, str) else str(judged)
        pairs = list(zip(counted.labels, judged.labels, strict=True))
        differ = [None not in pair and pair[0] != pair[1] for pair in pairs]
        if self._keep == "all" and any(differ):
            return "disagreement"
        if self._keep == "first_error":
            return counted if counted.first_error == judged.first_error else "disagreement"
        agreed = tuple(
            None if odd else own if own is not None else other for odd, (own, other) in zip(differ, pairs, strict=True)
        )
        return Labelled(agreed, counted.values)
