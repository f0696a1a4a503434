"""Base classes of engines that wrap another engine, of either kind."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from tts.core.errors import UserError
from tts.engines.base import BaseEngine, Identity, asks_server, identified
from tts.engines.generating import Completion, Engine, Request, continues, reports_logprobs, sends_messages
from tts.engines.local_tokenizer import LocalTokenizer
from tts.engines.scoring import ScoreRequest, ScoreRows, ScoringEngine

E = TypeVar("E", bound=BaseEngine)


class WrappingEngine(BaseEngine, Generic[E]):
    """Wraps an engine and delegates everything to it. Subclasses override what they change.

    Args:
        engine: The wrapped engine.

    Attributes:
        inside: The wrapped engine.
    """

    def __init__(self, engine: E) -> None:
        self.inside = engine

    @property
    def follows_clock(self) -> bool:
        """Whether the engine can be used in virtual time."""
        return getattr(self.inside, "follows_clock", False)

    @property
    def remote(self) -> bool:
        """Whether the engine only connects to a server when it is started."""
        return asks_server(self.inside)

    @property
    def continues(self) -> bool:
        """Whether the engine goes on with what a prompt has begun."""
        return continues(self.inside)

    @property
    def reports_logprobs(self) -> bool:
        """Whether the engine reports log-probabilities."""
        return reports_logprobs(self.inside)

    @property
    def knows_proposals(self) -> bool:
        """Whether the engine reports the distribution that it samples from."""
        return getattr(self.inside, "knows_proposals", False)

    @property
    def sends_messages(self) -> bool:
        """Whether the engine sends messages."""
        return sends_messages(self.inside)

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.inside.name

    @property
    def parameters(self) -> int | None:
        """The engine's number of parameters."""
        return self.inside.parameters

    @property
    def capacity(self) -> int:
        """The engine's capacity."""
        return self.inside.capacity

    def identity(self) -> Identity:
        """Returns the engine's identity.

        Raises:
            UserError: The engine does not report one; see `tts.engines.base.identified`.
        """
        if not identified(self.inside):
            raise UserError(f"the engine '{self.name}' ({type(self.inside).__name__}) has no method `identity`")
        return self.inside.identity()

    async def start(self) -> None:
        """Starts the engine."""
        await self.inside.start()

    async def close(self) -> None:
        """Closes the engine, also for its other users."""
        await self.inside.close()


class WrappingGenerator(WrappingEngine[Engine], Engine):
    """Wraps an engine that generates."""

    def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the engine's completions.

        Raises:
            EngineError: The request failed permanently.
        """
        return self.inside.generate(request)

    async def count_tokens(self, text: str) -> int:
        """Returns the engine's count."""
        return await self.inside.count_tokens(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders with the engine's chat template."""
        return self.inside.render(messages, answer=answer)


class WrappingScorer(WrappingEngine[ScoringEngine], ScoringEngine):
    """Wraps an engine that scores."""

    @property
    def tokenizer(self) -> LocalTokenizer:
        """The engine's tokenizer."""
        return self.inside.tokenizer

    async def score(self, request: ScoreRequest) -> ScoreRows:
        """Returns the engine's scores.

        Raises:
            EngineError: The request failed permanently.
        """
        return await self.inside.score(request)
