"""Writes the pickled weights of a checkpoint's directory as safetensors, once, so that they can be loaded without pickle.

    python -m tts.engines.local.unpickle DIRECTORY

Of all that a pickle can do, torch's reader (`weights_only`) does only what makes tensors. The pickles stay where they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tts.core.arguments import Parser
from tts.core.errors import UserError
from tts.core.plain import plain

_INDEX = "pytorch_model.bin.index.json"


def main(arguments: list[str] | None = None) -> int:
    """Converts the files of the directory that is named; returns the exit status."""
    parser = Parser(description="Write pickled weights (pytorch_model*.bin) as safetensors.")
    parser.add_argument("directory", type=Path)
    try:
        convert(parser.parse_args(arguments).directory)
    except UserError as error:
        print(plain(str(error)), file=sys.stderr)
        return 2
    return 0


def convert(folder: Path) -> None:
    """Writes `model*.safetensors` beside `pytorch_model*.bin`, and their index.

    Raises:
        UserError: There are none, or one holds more than tensors.
    """
    import torch
    from safetensors.torch import save_file

    places: dict[str, str] = {}
    for path in sorted(folder.glob("pytorch_model*.bin")):
        name = path.name.replace("pytorch_model", "model", 1).removesuffix(".bin") + ".safetensors"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            # Tensors that share memory are written each: safetensors know no sharing.
            save_file(
                {key: value.clone().contiguous() for key, value in state.items()}, folder / name, {"format": "pt"}
            )
        except Exception as error:  # whatever a file leads to that holds something else
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise UserError(f"{path} cannot be converted: {reason}") from None
        places |= dict.fromkeys(state, name)
    if not places:
        raise UserError(f"{folder} holds no pytorch_model*.bin")
    if (folder / _INDEX).is_file():
        index = {"metadata": {}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
