"""The base of engines whose model is in this process."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Generic

from tts.engines.base import BaseEngine, Identity
from tts.engines.generating import Engine
from tts.engines.local.checkpoint import check_path
from tts.engines.local.processor import wait_asleep
from tts.engines.local.thread import Asked, EngineThread, Given, closed
from tts.engines.local_tokenizer import LocalTokenizer


class LocalEngine(BaseEngine, ABC, Generic[Asked, Given]):
    """Loads a checkpoint once, when it is started or first used, and passes requests to the thread that then runs.

    Args:
        model: A directory with a checkpoint and its tokenizer, a GGUF file, or a hub id.
        revision: The hub revision.

    Raises:
        UserError: The directory lacks a part of a checkpoint, or the file cannot be read here.
    """

    def __init__(self, model: str, revision: str | None) -> None:
        wait_asleep()
        self._path = check_path(model)
        self._model, self._revision = model, revision
        self._tokenizer = LocalTokenizer(self._path, revision)
        self._parameters: int | None = None
        self._identity: Identity = {}
        self._worker: EngineThread[Asked, Given] | None = None
        # Held while weights are loaded and freed: there is no room for two models at a time.
        self._loading = threading.Lock()

    @property
    def name(self) -> str:
        """The directory, file or hub id."""
        return self._model

    @property
    def parameters(self) -> int | None:
        """Number of the model's parameters; None before `start` or if unknown."""
        return self._parameters

    @property
    def tokenizer(self) -> LocalTokenizer:
        """The model's tokenizer."""
        return self._tokenizer

    def identity(self) -> Identity:
        """Returns what results depend on; empty before `start`."""
        return self._identity

    async def start(self) -> None:
        """Loads the checkpoint in a thread.

        Raises:
            UserError: It cannot be loaded, or the engine cannot use it or a setting.
        """
        await (await self._loaded()).ready()

    async def close(self) -> None:
        """Ends the thread, failing pending requests, and frees the model; `start` would load it again."""
        await asyncio.to_thread(self._unload)

    async def _results(self, request: Asked, count: int) -> AsyncGenerator[Given, None]:
        """Yields the results of a request, each as it finishes; starts the engine if necessary."""
        worker = await self._loaded()
        async with aclosing(worker.results(request, count)) as results:
            async for result in results:
                yield result

    @abstractmethod
    def _load(self) -> EngineThread[Asked, Given]:
        """Loads the model, sets its parameters and identity, and returns the started thread that it runs in."""

    async def _loaded(self) -> EngineThread[Asked, Given]:
        if self._worker is None:
            await asyncio.to_thread(self._load_once)
        worker = self._worker
        if worker is None:
            raise closed()
        return worker

    def _load_once(self) -> None:
        with self._loading:
            if self._worker is None:
                self._worker = self._load()

    def _unload(self) -> None:
        with self._loading:
            worker, self._worker = self._worker, None
            if worker is not None:
                worker.close()


class LocalGenerator(LocalEngine[Asked, Given], Engine):
    """A local engine that generates."""

    async def count_tokens(self, text: str) -> int:
        """Returns the number of tokens of `text`, without special tokens added."""
        return self._tokenizer.count(text)

    def render(self, messages: list[dict[str, str]], *, answer: bool = True) -> str:
        """Renders a conversation with the tokenizer's chat template, `answer` opening the assistant's turn at the end.

        Raises:
            UserError: There is no template, or it refuses the conversation.
        """
        return self._tokenizer.render(messages, answer=answer)
