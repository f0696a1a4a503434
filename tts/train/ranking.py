"""Training an outcome reward model on pairs of a right and a wrong solution (Bradley and Terry, 1952)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid
from transformers import PreTrainedModel

from tts.core.errors import UserError
from tts.core.settings import settings
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.transformers_scoring.heads import LoadModel
from tts.train.method import Data, Loss, TooLong, fitting
from tts.train.scored import Scored, Scoring, with_reference
from tts.train.sequences import Batch


@dataclass(frozen=True)
class Ranked:
    """Two solutions of a problem.

    Attributes:
        right: The one with the right answer.
        wrong: The other one.
    """

    right: Scored
    wrong: Scored

    def __len__(self) -> int:
        return len(self.right) + len(self.wrong)

    @property
    def longest(self) -> int:
        """The tokens of the longest sequence."""
        return max(self.right.longest, self.wrong.longest)


@settings
class Ranking:
    """Trains the reward of a right solution above that of a wrong one of the same problem.

    The reward is a verifier's last score, in log-odds. Every solution is in a pair, those of the smaller side in several.

    Args:
        scoring: The format and the head.
        too_long: What happens to pairs that do not fit the context.
    """

    def __init__(self, scoring: Scoring, too_long: TooLong = "drop") -> None:
        self._scoring, self._too_long = scoring, too_long
        self.compares = scoring.compares

    def prepare(self, path: Path, tokenizer: LocalTokenizer, context: int) -> Data[Ranked]:
        """As `Method.prepare`; the file is a `labels.jsonl`."""
        sides: defaultdict[str, dict[float, list[tuple[str, Scored]]]] = defaultdict(lambda: {1.0: [], 0.0: []})
        for place, row, example in self._scoring.solutions(path, tokenizer, "outcome"):
            if example.targets[-1:] in ((0.0,), (1.0,)):
                problem = str(row.problem.metadata.get("problem", row.problem.text))
                sides[problem][example.targets[-1]].append((place, example))
        rows = [
            (right[0], Ranked(right[1], wrong[1]))
            for side in sides.values()
            for right, wrong in _pairs(side[1.0], side[0.0])
        ]
        if not rows:
            raise UserError(
                f"{path}: no problem has both a right and a wrong solution (field correct); none can be compared"
            )
        data = fitting(rows, lambda pair: pair.longest, context, self._too_long)
        return replace(data, labels=Counter({"pairs": len(data.examples)}))

    def model(self, load: LoadModel) -> PreTrainedModel:
        """As `Method.model`."""
        return self._scoring.model(load)

    def collate(self, examples: Sequence[Ranked]) -> Batch:
        """Returns a batch, whose items are pairs: the right one's scores come before the wrong one's."""
        batch = self._scoring.collate([solution for pair in examples for solution in (pair.right, pair.wrong)])
        del batch["targets"]
        return {**batch, "labels": torch.ones(len(examples), dtype=torch.long)}

    def loss(self, model: nn.Module, batch: Batch) -> Loss:
        """Returns the pairs' losses; right are those that are ranked right."""
        rewards = torch.stack([logits[-1] for logits in self._scoring.logits(model, batch)]).view(-1, 2)
        margins = rewards[:, 0] - rewards[:, 1]
        return Loss(-logsigmoid(margins).sum(), (margins > 0).sum())

    def referred(self, model: nn.Module, batch: Batch) -> list[Tensor]:
        """Returns for each pair the values of both, one after the other."""
        both = self._scoring.referred(model, batch)
        return [torch.cat(pair) for pair in zip(both[::2], both[1::2], strict=True)]

    def with_reference(self, example: Ranked, reference: Tensor) -> Ranked:
        """As `Method.with_reference`."""
        right, wrong = reference.split_with_sizes([sum(example.right.rows), sum(example.wrong.rows)])
        return Ranked(with_reference(example.right, right), with_reference(example.wrong, wrong))


def _pairs(
    right: Sequence[tuple[str, Scored]], wrong: Sequence[tuple[str, Scored]]
) -> list[tuple[tuple[str, Scored], tuple[str, Scored]]]:
    """Returns as many pairs as the larger side has solutions; none if one side is empty."""
    number = max(len(right), len(wrong)) if right and wrong else 0
    return list(zip(islice(cycle(right), number), islice(cycle(wrong), number), strict=True))
