"""Checkpoints of local models: their required parts, and their identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts.core.errors import UserError
from tts.core.settings import SettingError, refused
from tts.engines.local import gguf
from tts.engines.local.config_file import check_config
from tts.engines.local.quiet import without_reports
from tts.files import hub
from tts.files.paths import expanded

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WEIGHTS = ("*.safetensors",)
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl")
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
    pickles = sorted(each.name for pattern in _PICKLES for each in path.glob(pattern))
    if pickles and not any(any(path.glob(pattern)) for pattern in _WEIGHTS):
        raise SettingError(
            setting,
            f"{path} holds its weights as pickles ({pickles[0]}), which can execute code when they are loaded; "
            f"write them as safetensors with `python -m tts.engines.local.unpickle {path}`, or take another checkpoint",
        )
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
        UserError: It would have to be downloaded, and the hub cannot be reached; or its config is of no usable model.
    """
    with without_reports(), _found(model, revision) as found:
        yield found


@contextmanager
def _found(model: str, revision: str | None) -> Iterator[tuple[str, dict[str, object]]]:
    # Without this, transformers would ask on the terminal whether to execute a checkpoint's own code.
    safe: dict[str, object] = {"trust_remote_code": False}
    if gguf.is_gguf(model):
        with gguf.fast_reading():
            yield str(Path(model).parent), {"gguf_file": Path(model).name, **safe}
    elif Path(model).is_dir():
        check_config(Path(model) / "config.json", Path(model))
        yield model, safe
    else:
        reason = hub.unreachable()
        if reason is None:
            options: dict[str, object] = {"revision": revision}
            if (config := _config(model, options)) is not None:
                check_config(config, None)
            yield model, {**options, **safe}
        else:
            folder = _downloaded(model, revision, reason)
            check_config(folder / "config.json", folder)
            yield str(folder), safe


def _downloaded(model: str, revision: str | None, reason: str) -> Path:
    """Returns the directory of a model that was downloaded before; with it, nothing asks a hub that cannot be reached."""
    config = _cached(model, revision)
    if not isinstance(config, str):
        raise hub.needed("model", model, reason, "give a directory or a GGUF file")
    return Path(config).parent


def _config(model: str, options: Mapping[str, object]) -> Path | None:
    """Returns the config of a hub's checkpoint, downloaded if necessary; None if there is none."""
    from transformers.utils.hub import cached_file

    missing = ("missing_entries", "gated_repo", "connection_errors")
    found = cached_file(model, "config.json", **options, **{f"_raise_exceptions_for_{each}": False for each in missing})
    return None if found is None else Path(found)


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
    if "trust_remote_code" in str(error):
        return SettingError(
            "model",
            f"'{model}' needs code of its own (auto_map in its config.json), which is never executed here; "
            "take a checkpoint of an architecture that transformers has",
        )
    if "use_safetensors" in str(error):
        return SettingError(
            "model",
            f"'{model}' has no weights as safetensors, and pickles can execute code when they are loaded; "
            "download it and write them as safetensors with `python -m tts.engines.local.unpickle DIRECTORY`",
        )
    lines = [*filter(None, map(str.strip, str(error).splitlines())), type(error).__name__]
    # Some begin with where they were found.
    reason = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    remedy = (
        "the file is broken, incomplete or of a kind that transformers cannot read; download it again or take another one"
        if gguf.is_gguf(model)
        else "give a directory with config.json, weights and tokenizer, or a hub id that can be downloaded"
    )
    return SettingError("model", f"cannot load the {what} of '{model}': {reason} ({remedy})")
