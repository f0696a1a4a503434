"""An engine as a plug-in: it writes down every position that it is asked about."""

from __future__ import annotations

import json
from pathlib import Path

from tts.engines.scoring import ScoreRequest, ScoreRows
from tts.engines.transformers_scoring import TransformersScorer
from tts.engines.transformers_scoring.heads import Head


class CountingScorer(TransformersScorer):
    """Scores as its base does.

    Args:
        model: As of the base, like all that is not named here.
        head: As of the base.
        log: A file, to which a line with the tokens up to a position is added for each.
    """

    def __init__(
        self,
        model: str,
        head: Head,
        log: str,
        dtype: str = "auto",
        device: str = "auto",
        batch_size: int = 64,
        context: int | None = None,
        prefix_cache_mb: int = 512,
        threads: int | None = None,
        revision: str | None = None,
    ) -> None:
        super().__init__(model, head, None, None, dtype, device, batch_size, None, context, prefix_cache_mb, threads)
        self._log = Path(log)

    async def score(self, request: ScoreRequest) -> ScoreRows:
        with self._log.open("a") as file:
            for position in request.positions:
                file.write(json.dumps(request.tokens[: position + 1]) + "\n")
        return await super().score(request)
