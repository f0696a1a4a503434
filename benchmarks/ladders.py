"""What `python -m benchmarks.strategies` runs: settings of every strategy, and the controls they are compared with."""

from __future__ import annotations

LIKELIHOOD = (
    "verifier.codec.chat=deepseek-r1 verifier.engine.model=${package:policies.embedded}/checkpoint "
    "verifier.engine.reference=${package:policies.embedded}/draft"
)

FORCE = r""" "search.force='The answer is \\boxed{'" """

RULES = ("weighted_vote", "cluster_mean", "pessimistic:0.5", "pessimistic:0.1", "borda:0.5", "borda:2", "top:0.25")

LADDERS: dict[str, list[str]] = {
    "best_of_n": [f"search.n={n}" for n in (1, 2, 4, 8, 16)],
    "majority": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "adaptive_consistency": [f"search.n={n}" for n in (4, 8, 16, 32)],
    "beam": [f"search.n={n} search.width={width}" for n, width in ((2, 1), (4, 1), (8, 2), (16, 4))],
    "dvts": [f"search.n={n} search.width={width}" for n, width in ((2, 2), (4, 4), (8, 4), (16, 4))],
    "tree_of_thought": [f"search.n={n} search.width=2" for n in (4, 8, 16, 32)],
    "rebase": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "mcts": [f"search.simulations={n}" for n in (1, 2, 4, 8, 16, 32)],
    "ab_mcts": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "particle_filter": [f"search.n={n}" for n in (2, 4, 8, 16)],
    "particle_gibbs": [f"search.n={n} search.iterations={times}" for n, times in ((2, 2), (4, 2), (4, 4), (8, 3))],
    "critique_refine": [f"search.n={n} search.turns={turns}" for n, turns in ((1, 1), (1, 3), (2, 3), (4, 3), (8, 3))],
    "resample": [f"search.n={n} search.turns={turns}" for n, turns in ((1, 1), (1, 3), (2, 3), (4, 3), (8, 3))],
    "self_refine": [f"search.n={n} search.turns=1" for n in (1, 2, 4)],
    "tournament": [f"search.n=8 search.comparisons={games} search.both_orders=false" for games in (8, 16, 32, 64)],
    "best_of_n votes": [f"search.n=8 verifier.votes={votes}" for votes in (1, 2, 4, 8, 16)],
    "aggregate": [f"search.n={n} search.rounds=[{n}] search.k=2" for n in (2, 4, 8)],
    "genselect": [f"search.n={n} search.rounds=[1] search.k={n}" for n in (2, 4, 8)],
    "gensynthesis": [f"search.n={n}" for n in (2, 4, 8)],
    "rank_verify": [f"search.n={n} search.tail=2 search.threshold=0.9" for n in (2, 4, 8, 16)],
    "verify_refine": [f"search.n={n} search.passes={p} search.failures=4" for n, p in ((1, 1), (1, 2), (2, 3), (4, 3))],
    "chunk_reset": [f"search.n={n} search.tries={tries}" for n, tries in ((1, 2), (1, 4), (2, 4), (4, 4))],
    "speculative": [f"search.n={n} search.draft.engine.dtype=float32" for n in (1, 2, 4)],
    "esc": [f"search.n={n} search.window={window}" for n, window in ((4, 2), (8, 3), (16, 4), (32, 5))],
    "parallel_probe": [f"search.n={n} {FORCE}" for n in (2, 4, 8, 16)],
    "budget_forcing": [f"search.n=4 search.waits={waits}" for waits in (0, 1, 2)],
    "power_sampling": [
        f"search.n={n} search.moves={moves} policy.top_logprobs=1 policy.temperature=0.25"
        for n, moves in ((1, 0), (1, 5), (1, 10), (4, 5))
    ],
    "best_of_n confidence": [
        f"search.n={n} search.selection=weighted_vote verifier=confidence verifier.measure=mean policy.top_logprobs=20"
        for n in (2, 4, 8, 16)
    ],
    "best_of_n likelihood": [
        f"search.n={n} search.selection=weighted_vote verifier=likelihood {LIKELIHOOD}" for n in (2, 4, 8, 16)
    ],
    "deepconf": [
        f"search.n={n} verifier=confidence verifier.measure=lowest verifier.window=16 policy.top_logprobs=20"
        for n in (8, 16, 32)
    ],
    **{f"best_of_n {rule}": [f"search.n={n} search.selection={rule}" for n in (4, 16)] for rule in RULES},
}
"""Settings of each strategy, cheapest first; the first word of a name is the strategy."""

CONTROLS = (
    *((f"best_of_n {rule}", "best_of_n", "total") for rule in RULES),
    ("tournament", "best_of_n votes", "verifier"),
    ("aggregate", "majority", "total"),
    ("genselect", "majority", "total"),
    ("gensynthesis", "majority", "total"),
    ("rank_verify", "best_of_n", "verifier"),
    ("speculative", "best_of_n", "writing"),
    ("speculative", "best_of_n", "decoding"),
    ("verify_refine", "critique_refine", "total"),
    ("verify_refine", "resample", "total"),
    ("chunk_reset", "best_of_n", "total"),
    ("chunk_reset", "beam", "total"),
    ("best_of_n confidence", "majority", "total"),
    ("best_of_n likelihood", "majority", "total"),
    ("deepconf", "majority", "total"),
    ("deepconf", "best_of_n confidence", "total"),
    ("esc", "majority", "total"),
    ("esc", "adaptive_consistency", "total"),
    ("parallel_probe", "majority", "total"),
    ("budget_forcing", "majority", "total"),
    ("power_sampling", "majority", "total"),
)
"""A strategy, its control, and the cost at which they are compared."""
