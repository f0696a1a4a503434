"""The summary of a run: `summary.json`, computed only from the records, and the table at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from rich.table import Table

from tts.budget import GRADER, POLICY, ROLES, VERIFIER, Scope
from tts.core.json import JsonObject, Summary
from tts.evaluation.paper_rules import RULES, outcomes
from tts.evaluation.record import Record
from tts.statistics.metrics import wilson_interval

_SHOWN = 3  # number of errors kept for display
_DOUBTS = {
    "failures": "comparisons of answers failed or took too long: counted as different",
    "unsure": "comparisons of answers that were not understood: counted as different",
}


@dataclass
class Tally:
    """Counts over records, updated one by one, so that memory does not grow with the number of problems."""

    n_problems: int = 0
    n_errors: int = 0
    graded: int = 0
    correct: int = 0
    majority: int = 0
    oracle: int = 0
    sampled: int = 0
    share: Fraction = Fraction()
    stepped: int = 0
    votes: int = 0
    no_verdict: int = 0
    solutions: int = 0
    limited: int = 0
    ruled: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    errors: list[tuple[str, str]] = field(default_factory=list)

    @property
    def headline(self) -> str:
        """The accuracy so far."""
        return f"accuracy {self.correct / self.graded:.3f}" if self.graded else "no reference answers"

    def add(self, record: Record) -> None:
        """Counts one record."""
        self.n_problems += 1
        self.limited += bool(record["limits_hit"])
        if record["error"] is not None:
            self.n_errors += 1
            if len(self.errors) < _SHOWN:
                self.errors.append((record["id"], record["error"]))
            return
        solutions = record["solutions"]
        self.solutions += len(solutions)
        self.stepped += sum(len(solution["steps"]) > 1 for solution in solutions)
        votes = [score for solution in solutions for vote in solution.get("votes", ()) for score in vote]
        self.votes += len(votes)
        self.no_verdict += votes.count(None)
        correct, majority = record["correct"], record["majority_correct"]
        if correct is None or majority is None:
            return
        right = [solution["correct"] for solution in solutions]
        self.graded += 1
        self.correct += correct
        self.majority += majority
        self.oracle += any(right)
        if right:
            self.sampled += 1
            self.share += Fraction(sum(right), len(right))  # exact, so that the order of the problems does not matter
        by_rule = outcomes(record)
        self.ruled += by_rule is not None
        self.by_rule.update(by_rule or {})


def summarize(tally: Tally, meter: Scope, extra: JsonObject) -> Summary:
    """Returns the contents of `summary.json`.

    Rates are fractions of the problems that ended without an error and have a reference answer; None if there are none.
    Roles besides policy and verifier are included with all that they spent.
    """
    policy, verifier = meter.usage[POLICY], meter.usage[VERIFIER]
    further = {role: usage for role, usage in sorted(meter.usage.items()) if role not in ROLES}
    searching = [usage for role, usage in meter.usage.items() if role != GRADER]
    return {
        "n_problems": tally.n_problems,
        "n_errors": tally.n_errors,
        "accuracy": _rate(tally.correct, tally.graded),
        "pass_at_1": _rate(float(tally.share), tally.sampled),
        "majority": _rate(tally.majority, tally.graded),
        "oracle": _rate(tally.oracle, tally.graded),
        **_rules(tally),
        "policy": {
            # Recorded solutions use no engine; steps and revisions are samples but not candidates.
            "samples": max(policy.samples, tally.solutions),
            "prompt_tokens": policy.prompt_tokens,
            "completion_tokens": policy.completion_tokens,
            "flops": policy.flops,
        },
        "verifier": {
            "verifications": verifier.verifications,
            "prompt_tokens": verifier.prompt_tokens,
            "completion_tokens": verifier.completion_tokens,
            "flops": verifier.flops,
            "votes": tally.votes,
            "no_verdict": tally.no_verdict,
        },
        **{role: usage.nonzero() for role, usage in further.items()},
        "generated": {"policy_tokens": policy.generated_tokens, "verifier_tokens": verifier.generated_tokens},
        "code_executions": sum(usage.code_executions for usage in searching),
        "dollars": sum(usage.dollars for usage in searching),
        "wall_s": round(meter.wall_s, 3),
        "limits_hit": sorted(meter.hit),
        "n_limited": tally.limited,
        **extra,
    }


Row = tuple[str, str, str]
"""A name, its figure, and a comment."""


def rows(tally: Tally, summary: Summary) -> list[Row]:
    """Returns the rows shown at the end: the results, and their cost."""
    n = tally.solutions // max(1, tally.n_problems - tally.n_errors)
    unguided = (
        (f"majority of {n}", summary["majority"], tally.majority),
        # Samples of one problem are not independent, so an interval over all of them would be wrong.
        ("one sample (pass@1)", summary["pass_at_1"], None),
    )
    rates = (
        (f"this search{_marks(summary)}", summary["accuracy"], tally.correct),
        *(() if summary.get("guided") else unguided),
        (f"any of {n} (oracle)", summary["oracle"], tally.oracle),
    )
    made: list[Row] = []
    for name, rate, successes in rates if tally.graded else ():
        low, high = (0.0, 0.0) if successes is None else wilson_interval(successes, tally.graded)
        shown = "none" if rate is None else f"{rate:.3f}"  # the budget allowed no sample at all
        made.append((name, shown, "" if successes is None else f"[{low:.3f}, {high:.3f}]"))
    policy, verifier = summary["policy"], summary["verifier"]
    made.append(("policy", f"{policy['samples']:,}", f"samples, {policy['completion_tokens']:,} tokens"))
    if verifier["verifications"]:
        made += [
            ("verifier", f"{verifier['verifications']:,}", f"verifications, {verifier['completion_tokens']:,} tokens"),
            ("", f"{summary['code_executions']:,}", "code executions"),
            ("", f"{verifier['no_verdict']:,}", f"of {verifier['votes']:,} votes without a verdict"),
        ]
    if summary["dollars"]:
        made.append(("cost", f"{summary['dollars']:,.2f}", "dollars"))
    if tally.limited:
        made.append(("limits", f"{tally.limited:,}", f"problems cut short by {', '.join(summary['limits_hit'])}"))
    doubts = summary.get("grading", {})
    made += [("grading", f"{doubts[name]:,}", said) for name, said in _DOUBTS.items() if doubts.get(name)]
    virtual = "time" in summary.get("simulated", ())
    return [*made, ("wall", f"{summary['wall_s']:.1f}", "s of virtual time" if virtual else "s")]


def _marks(summary: Summary) -> str:
    """Returns why a run's figures are no results, empty where they are. Short: rows are to fit on 80 columns."""
    marks = ["TOLD THE ANSWERS"] * bool(summary.get("reads_answers")) + ["SIMULATED"] * bool(summary.get("simulated"))
    return f" ({', '.join(marks)})" if marks else ""


def table(tally: Tally, summary: Summary, title: str) -> Table:
    """Returns the rows as a table for the terminal."""
    result = Table(title=title, title_justify="left", show_edge=False, pad_edge=False, box=None, header_style="bold")
    for name, justify in (("", "left"), ("", "right"), ("", "left")):
        result.add_column(name, justify=justify)  # type: ignore[arg-type]
    for number, row in enumerate(made := rows(tally, summary)):
        result.add_row(*row, end_section=number + 1 < len(made) and made[number + 1][0] == "policy")
    return result


def _rules(tally: Tally) -> dict[str, object]:
    """Returns the accuracy of each of the six rules and their mean; None if they do not apply to every problem."""
    if not tally.graded or tally.ruled < tally.graded:
        return {"rules": None, "rules_mean": None}
    rates = {name: tally.by_rule[name] / tally.graded for name in RULES}
    return {"rules": rates, "rules_mean": tally.by_rule.total() / (tally.graded * len(RULES))}


def _rate(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def first_errors(tally: Tally) -> list[str]:
    """Returns the first few errors as lines."""
    lines = [f"problem {key}: {message}" for key, message in tally.errors]
    more = tally.n_errors - len(lines)
    return lines + ([f"... and {more} more, see results.jsonl"] if more else [])
