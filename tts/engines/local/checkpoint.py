"""Checkpoints of local models: their required parts, and their identity."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts.core.errors import UserError
from tts.core.settings import SettingError, refused
from tts.engines.local import gguf
from tts.files import hub
from tts.files.paths import expanded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WEIGHTS = ("*.safetensors", "*.bin")
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "tekken.json")


Dtype = Literal["auto", "float64", "float32", "bfloat16", "float16"]
"""The precision of a model's weights; `auto` takes what suits the model and the device (`loading.load_module`)."""


def check_path(model: str, setting: str = "model") -> str:
    """Checks a model's name without loading anything, and returns it with `~` expanded.

    Args:
        model: A directory, a GGUF file or a hub id.
        setting: The setting that names it.

    Raises:
        UserError: It looks like a directory and lacks a part of a checkpoint, or is a file that cannot be read here.
    """
    if model == "???":
        raise SettingError(setting, "no model is named; give a directory with a checkpoint, a GGUF file or a hub id")
    path = expanded(model)
    if gguf.is_gguf(model):
        gguf.check(path, setting)
        return str(path)
    if not (path.exists() or model.startswith(("/", "./", "../", "~"))):
        return model
    if not path.is_dir():
        raise refused(setting, model, f"no checkpoint directory at {path}")
    missing = [
        what
        for what, patterns in (
            ("config.json", ("config.json",)),
            ("weights (*.safetensors)", _WEIGHTS),
            ("a tokenizer (tokenizer.json)", _TOKENIZERS),
        )
        if not any(any(path.glob(pattern)) for pattern in patterns)
    ]
    if missing:
        raise SettingError(
            setting, f"{path} holds no {' and no '.join(missing)}; save model and tokenizer there with save_pretrained"
        )
    return str(path)


def source(model: str, revision: str | None) -> Path | str:
    """Returns what identifies a checkpoint: its directory or file, or the hub id with the commit that was loaded.

    Args:
        model: A directory, a GGUF file or a hub id; already loaded.
        revision: The hub revision.
    """
    if Path(model).exists():
        return Path(model)
    cached = _cached(model, revision)
    # .../snapshots/COMMIT/config.json
    return f"{model}@{Path(cached).parent.name if isinstance(cached, str) else revision}"


@contextmanager
def opened(model: str, revision: str | None) -> Iterator[tuple[str, dict[str, object]]]:
    """Yields the arguments with which transformers' `from_pretrained` finds a checkpoint, while it may read it.

    Args:
        model: A directory, a GGUF file or a hub id.
        revision: The hub revision.

    Raises:
        UserError: It would have to be downloaded, and the hub cannot be reached.
    """
    if gguf.is_gguf(model):
        with gguf.fast_reading():
            yield str(Path(model).parent), {"gguf_file": Path(model).name}
    elif Path(model).is_dir():
        yield model, {}
    else:
        reason = hub.unreachable()
        if reason is None:
            yield model, {"revision": revision}
        else:
            yield str(_downloaded(model, revision, reason)), {}


def _downloaded(model: str, revision: str | None, reason: str) -> Path:
    """Returns the directory of a model that was downloaded before; with it, nothing asks a hub that cannot be reached."""
    config = _cached(model, revision)
    if not isinstance(config, str):
        raise hub.needed("model", model, reason, "give a directory or a GGUF file")
    return Path(config).parent


def _cached(model: str, revision: str | None) -> object:
    from huggingface_hub import try_to_load_from_cache

    try:
        return try_to_load_from_cache(model, "config.json", revision=revision)
    except ValueError:  # it is no hub id
        return None


def load_tokenizer(model: str, revision: str | None) -> PreTrainedTokenizerBase:
    """Loads a checkpoint's tokenizer.

    Raises:
        UserError: It has none, or cannot be loaded.
    """
    from transformers import AutoTokenizer

    try:
        with opened(model, revision) as (place, options):
            return AutoTokenizer.from_pretrained(place, **options)
    except UserError:
        raise
    except Exception as error:
        raise not_found("tokenizer", model, error) from error


def not_found(what: str, model: str, error: Exception) -> SettingError:
    """Returns the error for a part of a checkpoint that cannot be loaded; `what` names the part."""
    reason = next(itertools.chain(filter(None, map(str.strip, str(error).splitlines())), [type(error).__name__]))
    remedy = (
        "the file is broken, incomplete or of a kind that transformers cannot read; download it again or take another one"
        if gguf.is_gguf(model)
        else "give a directory with config.json, weights and tokenizer, or a hub id that can be downloaded"
    )
    return SettingError("model", f"cannot load the {what} of '{model}': {reason} ({remedy})")
