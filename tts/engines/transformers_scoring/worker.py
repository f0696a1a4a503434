"""The thread that owns the models: takes requests as they arrive, scores them together, returns the results."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from tts.engines.local.thread import QueueThread, closed, failure
from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers_scoring.scorer import Scorer


class Worker(QueueThread[ScoreRequest, ScoreRows]):
    """Scores in its own thread as long as there is work.

    Args:
        scorers: The models; each scores every request, and their values are concatenated.
        threads: torch's threads per operation on a CPU.
    """

    def __init__(self, scorers: Sequence[Scorer], threads: int) -> None:
        super().__init__("tts-scoring")
        self._scorers = scorers
        self._threads = threads
        self.begin()

    def _run(self) -> None:
        torch.set_num_threads(self._threads)
        *others, last = self._scorers
        while True:
            jobs, open_ = self._arrived(wait=True)
            if not open_:
                break
            requests = [job.request for job in jobs]
            try:
                with torch.inference_mode():
                    earlier = [dict(scorer.read(requests)) for scorer in others]
                    for number, rows in last.read(requests):
                        self._put(jobs[number], _side_by_side([*(theirs[number] for theirs in earlier), rows]))
                        self._send()
            except Exception as error:
                for job in jobs:
                    self._put(job, failure(error))
                self._send()
        for job in jobs:
            self._put(job, closed())
        self._send()


def _side_by_side(read: Sequence[ScoreRows]) -> ScoreRows:
    """Concatenates the models' values at each position."""
    return tuple(tuple(value for part in parts for value in part) for parts in zip(*read, strict=True))
