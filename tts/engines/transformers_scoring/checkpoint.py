"""Single tensors of a checkpoint, for heads that transformers does not know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tts.core.settings import SettingError

if TYPE_CHECKING:
    from torch import Tensor

_INDEX = "model.safetensors.index.json"
_WHOLE = "model.safetensors"
_BACKBONE = ("model.", "transformer.", "lm_head.")


class Checkpoint:
    """The weights of a checkpoint by name.

    Args:
        model: A directory or a hub id.
        revision: The hub revision.
    """

    def __init__(self, model: str, revision: str | None) -> None:
        self.model = model
        self._revision = revision

    def tensors(self, prefix: str, file: str | None = None) -> dict[str, Tensor]:
        """Returns the tensors whose names begin with `prefix`, without it.

        Args:
            prefix: The prefix, such as `score.0.`.
            file: A separate file of the checkpoint that holds them; None for the model's own weights.

        Raises:
            UserError: There are none; lists the existing ones.
        """
        names = {name: place for name, place in self._names(file).items() if name.startswith(prefix)}
        if not names:
            held = sorted(name for name in self._names(file) if file is not None or not name.startswith(_BACKBONE))
            inside = "" if file is None else f" in {file}"
            raise SettingError(
                "head",
                f"'{self.model}' has no weights called '{prefix}*'{inside}; besides its layers it has "
                f"{', '.join(held[:12]) or 'none'}; name the right ones, or choose the verifier that this checkpoint is of",
            )
        found: dict[str, Tensor] = {}
        for place in sorted(set(names.values())):
            wanted = {name: name.removeprefix(prefix) for name, its in names.items() if its == place}
            found.update(_load(self._path(place), wanted))
        return found

    def _names(self, file: str | None) -> Mapping[str, str]:
        """Returns the file that each tensor is in."""
        if file is not None:
            return dict.fromkeys(_keys(self._path(file)), file)
        if path := self._find(_INDEX):
            weight_map: dict[str, str] = json.loads(path.read_text())["weight_map"]
            return weight_map
        if path := self._find(_WHOLE):
            return dict.fromkeys(_keys(path), _WHOLE)
        raise SettingError("model", f"'{self.model}' holds neither {_INDEX} nor {_WHOLE}")

    def _path(self, file: str) -> Path:
        path = self._find(file)
        if path is None:
            raise SettingError("head", f"'{self.model}' has no file {file}")
        return path

    def _find(self, file: str) -> Path | None:
        from transformers.utils.hub import cached_file

        found = cached_file(
            self.model,
            file,
            revision=self._revision,
            _raise_exceptions_for_missing_entries=False,
            _raise_exceptions_for_gated_repo=False,
            _raise_exceptions_for_connection_errors=False,
        )
        return None if found is None else Path(found)


def _keys(path: Path) -> Iterator[str]:
    from safetensors import safe_open

    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as held:
            yield from held.keys()
    else:
        yield from _pickled(path)


def _load(path: Path, wanted: Mapping[str, str]) -> Iterator[tuple[str, Tensor]]:
    """Yields the wanted tensors by their new names."""
    from safetensors import safe_open

    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as held:
            for name, new in wanted.items():
                yield new, held.get_tensor(name)
    else:
        state = _pickled(path)
        for name, new in wanted.items():
            yield new, state[name]


def _pickled(path: Path) -> Mapping[str, Tensor]:
    """Reads a head's file that the settings name; of all that pickles can do, torch does only what makes tensors."""
    import torch

    state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
