"""How good step labels are, and what they cost: `python -m benchmarks.labels [--policy checking_student]`.

Solutions of arithmetic problems, whose steps have a known truth: of the embedded policy, whose errors are never repaired,
or of a simulated student who checks his sums and repairs some. Every rule reads the same counts (K completions of each
prefix). Below: adaptive completions beside all K, on the same samples. Last: how busy labelling
keeps a simulated GPU, in virtual time; 1 is a batch that is always full, prefill left out.

Counting takes most of the time: about four minutes for 25 problems and a seed on two busy cores.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tts.concurrency.virtual_clock import VirtualLoop
from tts.config.compose import configuration
from tts.core.json import Summary
from tts.label.compare import Agreement, agreement
from tts.label.job import compose_label
from tts.runtime.runtime import Runtime
from tts.tasks.label_file import read_labels
from tts.tasks.step_labels import Labels

RULES: Mapping[str, Sequence[str]] = {
    "hard": ["rule=hard"],
    "qwen": ["rule=qwen"],
    "rpe 0.5": ["rule=rpe", "rule.eps=0.5"],
    "rpe 0.8": ["rule=rpe"],
    "rpe 1": ["rule=rpe", "rule.eps=1.0"],
    "difference 0.3": ["rule=difference", "rule.delta=0.3"],
    "difference 0.1": ["rule=difference"],
    "soft 0.5": ["rule=soft"],
}
TRUTH = ("rule=judge", "completions=none")
POLICIES: Mapping[str, tuple[Sequence[str], str]] = {
    "embedded": ((), "arithmetic_truth"),
    "checking_student": (("policy=checking_student", "policy@completer=checking_student"), "checking_truth"),
}
"""What chooses each policy, and the verifier that knows the truth of its steps."""
MAX_SEQUENCES = 64
SIMULATED = (
    *("engine@policy.engine=simulated", "policy=simulated", "engine@completer.engine=simulated"),
    *("policy@completer=simulated", "clock=virtual", "task.limit=32"),
    *(f"{role}.engine.max_sequences={MAX_SEQUENCES}" for role in ("policy", "completer")),
)
PLANS = {
    "fixed, K = 8": ("completions=fixed",),
    "adaptive": ("completions=adaptive",),
    "bisection": ("completions=bisection", "rule=qwen"),
}


async def labelled(folder: Path, *overrides: str) -> Summary:
    """Runs `tts label OVERRIDES` in a folder and returns its summary."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    async with Runtime() as runtime:
        job = compose_label(*configuration("label", ["sandbox=none", *overrides]), runtime.resources)
        return (await job.run(runtime.resources, folder)).summary


async def of_seed(
    policy: str, seed: int, problems: int, k: int, sparing: Sequence[str], base: Path
) -> dict[str, tuple[Agreement, float, float]]:
    """Returns for each rule its agreement with the truth, and adaptive completions' share of equal labels and of K."""
    chosen, truthful = POLICIES[policy]
    bank = base / f"{seed}.sqlite"
    common = (*chosen, f"seed={seed}", f"task.seed={seed}", f"task.limit={problems}", f"bank.path={bank}")
    await labelled(base / f"truth{seed}", *common, *TRUTH, f"verifier={truthful}")
    truth = read_labels(base / f"truth{seed}/labels.jsonl")
    found = {}
    for name, rule in RULES.items():
        full = await labelled(base / f"full{seed}", *common, "completions=fixed", f"completions.k={k}", *rule)
        labels = read_labels(base / f"full{seed}/labels.jsonl")
        few = base / f"adaptive{seed}-{name}"
        adaptive = ("completions=adaptive", f"completions.prediction.most={k}", *sparing)
        less = await labelled(few, *common, *adaptive, *rule)
        same = equal(labels, read_labels(few / "labels.jsonl"))
        found[name] = agreement(truth, labels), same, less["completions"] / full["completions"]
    return found


def equal(labels: Mapping[str, Labels], others: Mapping[str, Labels]) -> float:
    """Returns the share of steps with the same label."""
    pairs = [pair for name in labels for pair in zip(labels[name], others[name], strict=True)]
    return sum(one == other for one, other in pairs) / len(pairs)


def busy(base: Path) -> None:
    """Prints how close labelling comes to a GPU whose batch is always full."""
    print(f"\n{'plan':<14} completions   work s   wall s  share")
    for name, plan in PLANS.items():
        with asyncio.Runner(loop_factory=VirtualLoop) as loop:
            summary = loop.run(labelled(base / name, *SIMULATED, *plan))
        engine = configuration("label", SIMULATED)[0]["policy"]["engine"]
        tokens = summary["policy"]["completion_tokens"] + summary["completer"]["completion_tokens"]
        work = tokens * (engine["tick_base"] / MAX_SEQUENCES + engine["tick_per_sequence"])
        wall = summary["wall_s"]
        print(f"{name:<14} {summary['completions']:>11,} {work:8.1f} {wall:8.1f}  {work / wall:.3f}")


def main(policy: str, seeds: int, problems: int, k: int, sparing: Sequence[str]) -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        runs = [asyncio.run(of_seed(policy, seed, problems, k, sparing, base)) for seed in range(seeds)]
        print(f"policy={policy}, {seeds} seeds, {problems} problems each, K = {k}")
        print("mean over seeds, in brackets lowest and highest")
        print(
            f"{'rule':<15} {'precision':<20} {'recall':<20} {'first-error F1':<20} {'adaptive: same':<20} completions"
        )
        for name in RULES:
            each = [run[name] for run in runs]
            columns = [
                [found.precision or 0.0 for found, *_ in each],
                [found.recall or 0.0 for found, *_ in each],
                [found.f1 for found, *_ in each],
                [same for _, same, _ in each],
                [share for *_, share in each],
            ]
            shown = [f"{statistics.mean(one):.3f} [{min(one):.3f}, {max(one):.3f}]" for one in columns]
            print(f"{name:<15} " + " ".join(f"{text:<20}" for text in shown), flush=True)
        busy(base)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", choices=POLICIES, default="embedded")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=25)
    parser.add_argument("--k", type=int, default=32, help="completions of each prefix")
    parser.add_argument("overrides", nargs="*", help="of adaptive completions: completions.prediction.error=0.03, ...")
    given = parser.parse_args()
    main(given.policy, given.seeds, given.problems, given.k, given.overrides)
