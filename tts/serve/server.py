"""The process of a server: one runtime, its endpoints on a socket, and an end in order."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import uvicorn
from annotated_types import Interval
from fastapi import FastAPI

from tts.cli.hiding import without_secrets
from tts.cli.interruption import Interruption
from tts.config.build import Config, build
from tts.core.annotations import fit
from tts.core.errors import UserError
from tts.core.settings import Text
from tts.files.paths import expanded
from tts.runtime.runtime import Runtime
from tts.serve.admission import Admission
from tts.serve.application import application, guarded
from tts.serve.catalogue import Catalogue, Model, read_models
from tts.serve.door import Door
from tts.serve.event_stream import READ_S
from tts.serve.keys import Keys, read_keys
from tts.serve.limits import ServerLimits
from tts.serve.recording import Recording
from tts.serve.service import Service

_BACKLOG = 2048
"""Connections that wait to be taken, as uvicorn's own sockets have."""
_LAST_S = 30.0
"""Seconds for the engines' requests that are in flight when searches are cut; then they are given up."""
_WRITE_S = 8
"""Seconds in which the last answers must have been read; then connections are closed."""


@dataclass(frozen=True)
class Settings:
    """The settings of a server; see conf/serve.yaml.

    Attributes:
        host: The address that it listens on.
        port: The port; 0 for any that is free.
        models: What it serves, by name.
        keys: Who may ask; None for everybody on this machine.
        origins: Origins whose web pages may ask.
        log_texts: Whether the access log holds what was asked.
        limits: What it takes at once, and what callers may ask for.
        record: The directory for what was asked and found; None for none.
        folder: The operator's folder with further options.
    """

    host: str
    port: int
    models: dict[str, Model]
    keys: Keys | None
    origins: Sequence[str]
    log_texts: bool
    limits: ServerLimits
    record: Path | None
    folder: Path | None

    @property
    def hosts(self) -> Sequence[str] | None:
        """The names under which a server without keys is reached, None for any."""
        return None if self.keys is not None else ("localhost", "127.0.0.1", "[::1]", self.host)


def read_settings(config: Config, folder: Path | None = None) -> Settings:
    """Returns the settings that a configuration describes.

    Args:
        config: The configuration `serve`.
        folder: The operator's folder with further options.

    Raises:
        UserError: A setting is wrong, or other machines could ask without a key.
    """
    host = str(fit(config["host"], Text, "host"))
    keys = fit(config["keys"], Text | None, "keys")
    if keys is None and not _loopback(host):
        raise UserError(
            f"host={host}: other machines could ask without a key; set keys=FILE (a key: tts serve key NAME FILE), or "
            "host=127.0.0.1"
        )
    port, origins = config["port"], config["origins"]
    fit(port, Annotated[int, Interval(ge=0, le=65535)], "port")
    fit(origins, tuple[str, ...], "origins")
    record, log_texts = fit(config["record"], Text | None, "record"), config["log_texts"]
    fit(log_texts, bool, "log_texts")
    return Settings(
        host,
        port,
        read_models(config.get("models") or {}, config["common"]),
        None if keys is None else read_keys(expanded(str(keys))),
        origins,
        log_texts,
        build(config["limits"], "limits", role=ServerLimits),
        None if record is None else expanded(str(record)),
        folder,
    )


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def endpoints(settings: Settings, runtime: Runtime, recording: Recording | None = None) -> tuple[FastAPI, Service]:
    """Returns the application of a server, and what it serves with."""
    limits = settings.limits
    service = Service(runtime, Catalogue(settings.models, runtime, limits, settings.folder), limits, recording)
    app = application(service, limits)
    door = partial(Door, keys=settings.keys, limits=limits, metrics=service.metrics, log_texts=settings.log_texts)
    guarded(app, door, settings.hosts, settings.origins)
    return app, service


async def run(settings: Settings, interruption: Interruption) -> None:
    """Serves until a signal comes.

    Args:
        settings: What it serves, and how.
        interruption: Hears signals; who is already served when one comes is answered.

    Raises:
        UserError: A model cannot work, or the address is taken.
    """
    kept = nullcontext() if settings.record is None else Recording(settings.record)
    async with Runtime(config_dir=settings.folder) as runtime:
        with kept as recording, listening(settings.host, settings.port) as listener:
            await _run(settings, runtime, recording, listener, interruption)


def listening(host: str, port: int) -> socket.socket:
    """Returns a socket that listens; who connects before the models are loaded waits.

    The system closes a connection whose other end takes nothing for `READ_S` seconds of what is sent; its search ends then.

    Raises:
        UserError: The address is taken, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise UserError(
            f"host={host} port={port}: nobody can listen there ({error.strerror}); choose another port=, or 0 for any that "
            "is free"
        ) from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; the connections inherit it
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(READ_S * 1e3))
    return listener


async def _run(
    settings: Settings,
    runtime: Runtime,
    recording: Recording | None,
    listener: socket.socket,
    interruption: Interruption,
) -> None:
    app, service = endpoints(settings, runtime, recording)
    with without_secrets(await service.catalogue.check()):
        _log_to_stderr()
        await service.catalogue.start()
        await _serve(app, service, settings, listener, interruption)


def _log_to_stderr() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("tts.serve.access").setLevel(logging.INFO)


async def _serve(
    app: FastAPI, service: Service, settings: Settings, listener: socket.socket, interruption: Interruption
) -> None:
    config = uvicorn.Config(
        app,
        settings.host,
        settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=int(settings.limits.grace + _LAST_S) + _WRITE_S,
    )
    await _Server(config, service.admission, settings.limits.grace, interruption).serve([listener])


class _Server(uvicorn.Server):
    """Ends in order: no further searches; those that run have a while to finish, and are then cut by their budgets.

    Args:
        config: Uvicorn's settings.
        admission: Admits searches.
        grace: Seconds to finish.
        interruption: Hears signals.
    """

    def __init__(self, config: uvicorn.Config, admission: Admission, grace: float, interruption: Interruption) -> None:
        super().__init__(config)
        self._admission, self._grace, self._interruption = admission, grace, interruption

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Hears signals; uvicorn's own would kill the process with them before the runtime is closed."""
        loop = asyncio.get_running_loop()

        def stop() -> None:
            self.should_exit = True

        with self._interruption.ending(lambda: loop.call_soon_threadsafe(stop)):
            yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Says where it listens, once it does."""
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            print(f"serving on http://{host}:{port}/v1", file=sys.stderr, flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends in order."""
        self._admission.close()
        loop = asyncio.get_running_loop()
        cutting = loop.call_later(self._grace, self._admission.cut)
        stopping = loop.call_later(self._grace + _LAST_S, self._admission.stop)
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()
            stopping.cancel()
