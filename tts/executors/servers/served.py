"""Settings of model servers that an executor starts."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from tts.core.settings import Must, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Text, settings


def _splits(command: str) -> bool:
    try:
        return bool(shlex.split(command))
    except ValueError:
        return False


_VLLM = "vllm serve {model} --host {host} --port {port} --tensor-parallel-size {tensor_parallel_size}"

Command = Annotated[
    Text,
    Must(_splits, "it is not a command: a quotation is not closed, or nothing is in it"),
    Must(lambda text: "{port}" in text, "the server must listen where it is told to: {host} and {port} stand for that"),
]


@dataclass(frozen=True)
class Demand:
    """Servers that a job needs.

    Attributes:
        place: Whose engine asks them: `policy`.
        command: The command with its arguments; `{host}` and `{port}` are filled in where it is started.
        replicas: Their number.
        needs: What one of them needs of a machine: names and amounts.
        wait: Seconds until one that was started must answer.
        restarts: Times within an hour that one is started again.
        pause: Seconds before the first of them; twice as long before each further one, up to a minute.
    """

    place: str
    command: tuple[str, ...]
    replicas: int
    needs: tuple[tuple[str, float], ...]
    wait: float
    restarts: int
    pause: float


@settings
class Served:
    """Servers of the model that an engine asks for.

    Args:
        replicas: Their number; 0 for none: the engine then asks those at its `base_url`.
        tensor_parallel_size: GPUs that a server spreads its model over, in vLLM's words.
        command: Starts a server. `{model}` stands for the engine's, `{host}` and `{port}` for where it must listen.
        resources: What a server needs, as for workers; None for a CPU and the GPUs.
        wait: Seconds until a server that was started must answer; large models take minutes to load.
        restarts: Times within an hour that a server that has ended is started again.
        pause: Seconds before the first restart; twice as long before each further one, up to a minute.
    """

    def __init__(
        self,
        replicas: NonNegativeInt = 0,
        tensor_parallel_size: PositiveInt = 1,
        command: Command = _VLLM,
        resources: Mapping[str, NonNegativeFloat] | None = None,
        wait: PositiveFloat = 900.0,
        restarts: NonNegativeInt = 10,
        pause: NonNegativeFloat = 1.0,
    ) -> None:
        self.replicas = replicas
        self._gpus = tensor_parallel_size
        self._command = command
        self._needs = resources or {"CPU": 1.0, "GPU": float(tensor_parallel_size)}
        self._wait, self._restarts, self._pause = wait, restarts, pause

    def demand(self, place: str, model: str) -> Demand:
        """Returns the servers that a job needs whose engine at a place asks for a model."""
        known = {"{model}": model, "{tensor_parallel_size}": str(self._gpus)}
        command = tuple(filled(part, known) for part in shlex.split(self._command))
        needs = tuple(sorted(self._needs.items()))
        return Demand(place, command, self.replicas, needs, self._wait, self._restarts, self._pause)


def filled(text: str, known: Mapping[str, str]) -> str:
    """Returns a text with values in the place of names; other braces stay, since arguments may be JSON."""
    for name, value in known.items():
        text = text.replace(name, value)
    return text
