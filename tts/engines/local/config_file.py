"""A checkpoint's `config.json`, checked before anything is allocated or loaded: somebody else wrote it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from tts.core.json import Json, JsonObject
from tts.core.setting_error import SettingError, shown

_LARGEST = 16 << 20
"""Bytes of a file that is read. Large ones name a hundred thousand classes."""
_MOST = {
    "hidden_size": 2**20,
    "n_embd": 2**20,
    "d_model": 2**20,
    "num_hidden_layers": 4096,
    "n_layer": 4096,
    "vocab_size": 2**26,
    "intermediate_size": 2**24,
    "moe_intermediate_size": 2**24,
    "num_attention_heads": 2**14,
    "n_head": 2**14,
    "num_key_value_heads": 2**14,
    "head_dim": 2**16,
    "num_experts": 2**16,
    "num_local_experts": 2**16,
    "n_routed_experts": 2**16,
    "max_position_embeddings": 2**32,
    "n_positions": 2**32,
    "num_labels": 2**20,  # transformers makes a name for each
}
"""Figures of models, and ten or more times what the largest known model has."""
_PARAMETERS_PER_BYTE = 16
"""Beyond what any rounding or sharing of weights reaches."""
_SMALL = 2**28
"""Parameters that any machine holds."""


def check_config(path: Path, folder: Path | None) -> None:
    """Checks a checkpoint's config.

    Args:
        path: The file.
        folder: Where the weights are; None if they are not downloaded yet.

    Raises:
        SettingError: It does not read, or describes a model that nobody has or whose weights these are not.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device might never end
            raise _error(path, "it is no file")
        if (size := path.stat().st_size) > _LARGEST:
            raise _error(path, f"it has {size:,} bytes, and a config has no more than {_LARGEST:,}")
        held = json.loads(path.read_bytes())
    except FileNotFoundError:  # a hub's checkpoint of another kind, which transformers may know
        return
    except (OSError, ValueError, RecursionError) as error:
        raise _error(path, f"it cannot be read as JSON ({str(error)[:100]})") from None
    if not isinstance(held, dict):
        raise _error(path, f"a JSON object is needed, and it holds {shown(held)}")
    for part in _parts(held):
        _check_figures(part, path)
        if folder is not None:
            check_size(part, folder)


def check_size(held: Mapping[str, Json], folder: Path) -> None:
    """Checks that weights are enough for a model of these figures: those that lack would be made up, in memory.

    A folder without any is that of a tokenizer; a model is not loaded from it.

    The number of parameters is estimated from below: one matrix for the vocabulary, and in every layer two for attention and
    two for what follows.

    Args:
        held: The figures of a config.
        folder: Where the weights are.

    Raises:
        SettingError: They are not.
    """

    def figure(*names: str) -> int:
        return next((value for name in names if isinstance(value := held.get(name), int)), 0)

    width = figure("hidden_size", "n_embd", "d_model")
    heads = figure("num_attention_heads", "n_head") * figure("head_dim") or width
    inner = figure("moe_intermediate_size") * max(1, figure("num_experts", "num_local_experts", "n_routed_experts"))
    layer = 2 * width * (heads + (inner or figure("intermediate_size")))
    parameters = width * figure("vocab_size") + figure("num_hidden_layers", "n_layer") * layer
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if weights and parameters > max(_SMALL, _PARAMETERS_PER_BYTE * weights):
        raise _error(
            folder / "config.json",
            f"its figures ({_named(held)}) are those of a model of {parameters:,} parameters, and the weights there have "
            f"{weights:,} bytes",
        )


def _check_figures(held: JsonObject, path: Path) -> None:
    for name, most in _MOST.items():
        value = held.get(name)
        # Some models have one figure a layer.
        for each in value if isinstance(value, list) else [value]:
            if each is not None and (type(each) is not int or not 0 <= each <= most):
                raise _error(path, f"{name} is {shown(each)}, and must be a whole number up to {most:,}")


def _parts(held: JsonObject) -> Iterator[JsonObject]:
    """Yields the config and those of its parts, such as `text_config`."""
    yield held
    for name, value in held.items():
        if name.endswith("_config") and isinstance(value, dict):
            yield from _parts(value)


def _named(held: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} {held[name]:,}" for name in _MOST if isinstance(held.get(name), int))


def _error(path: Path, problem: str) -> SettingError:
    return SettingError("model", f"{path}: {problem}; this is no usable checkpoint, save or download it again")
