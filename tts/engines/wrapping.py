"""What engines around another engine have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tts.engines.generating import Completion, Engine, Request


class WrappingEngine(Engine):
    """An engine around another: does all as that does. Subclasses change what they are there for.

    Args:
        engine: The engine inside.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def follows_clock(self) -> bool:
        """Whether the engine can be used in virtual time."""
        return getattr(self._engine, "follows_clock", False)

    @property
    def remote(self) -> bool:
        """Whether the engine only reaches a server when it is started."""
        return getattr(self._engine, "remote", False)

    @property
    def name(self) -> str:
        """The engine's name."""
        return self._engine.name

    @property
    def parameters(self) -> int | None:
        """The engine's number of parameters."""
        return self._engine.parameters

    @property
    def capacity(self) -> int:
        """The engine's capacity."""
        return self._engine.capacity

    async def start(self) -> None:
        """Starts the engine."""
        await self._engine.start()

    def generate(self, request: Request) -> AsyncGenerator[Completion, None]:
        """Yields the engine's completions.

        Raises:
            EngineError: The request failed for good.
        """
        return self._engine.generate(request)

    async def count_tokens(self, text: str) -> int:
        """Returns the engine's count."""
        return await self._engine.count_tokens(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders with the engine's chat template."""
        return self._engine.render(messages, answer=answer)

    async def close(self) -> None:
        """Closes the engine, also for others who use it."""
        await self._engine.close()
