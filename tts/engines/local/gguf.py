"""Checkpoints in one GGUF file, llama.cpp's format: weights, tokenizer and chat template together.

transformers reads them and unpacks the weights; here are its arguments for that, a check that costs nothing, and what
makes it several times as fast.
"""

from __future__ import annotations

import gc
import importlib.util
import re
import struct
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tts.core.errors import missing_extra
from tts.core.settings import refused

if TYPE_CHECKING:
    from types import ModuleType

    from transformers import PreTrainedTokenizerBase

SUFFIX = ".gguf"

_PACKAGES = ("gguf", "accelerate")
_VERSIONS = (2, 3)
_PART = re.compile(r"-\d{5}-of-\d{5}$")

_ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<end_of_turn>", "<|end|>", "</s>")
"""Special tokens that end a turn or a text. A file names only one of its own; llama.cpp knows the others by name too."""

_PATCHING = threading.RLock()


def is_gguf(model: str) -> bool:
    """Returns whether a model's name is that of a GGUF file."""
    return model.lower().endswith(SUFFIX)


def check(path: Path, setting: str) -> None:
    """Checks a GGUF file by its first bytes.

    Raises:
        UserError: It is not there, is no whole GGUF file, or the packages that read it are not installed.
    """
    if not path.is_file():
        raise refused(setting, str(path), "there is no such file")
    with path.open("rb") as stream:
        begin = stream.read(8)
    magic, version = struct.unpack("<4sI", begin.ljust(8, b"\0"))
    if magic != b"GGUF":
        raise refused(setting, str(path), "it is no GGUF file: it does not begin with GGUF; download it again")
    if version not in _VERSIONS:
        raise refused(setting, str(path), f"it has version {version} of GGUF, and only 2 and 3 can be read")
    if _PART.search(path.stem):
        raise refused(setting, str(path), "it is one part of a model; join them with llama-gguf-split --merge")
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "gguf")


def weight_options() -> dict[str, object]:
    """Returns further arguments of `from_pretrained` for the weights: unpack them, where transformers could do otherwise."""
    import transformers

    # Since 5.2x transformers can leave weights packed, with kernels that it would download.
    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


def end_tokens(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Returns the ids of the special tokens that end a turn or a text."""
    special = {token.content: i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return {special[name] for name in _ENDS if name in special}


@contextmanager
def fast_reading() -> Iterator[None]:
    """Within it transformers reads GGUF files silently and fast.

    It reads a file's metadata once for the config, the tokenizer and the weights each, with a reader that takes most of
    its time for numpy's memory maps and Python's garbage collector: together half a minute for a vocabulary of 150,000.
    """
    import gguf
    import numpy as np
    from transformers import modeling_gguf_pytorch_utils as unpacking

    class Reader(gguf.GGUFReader):  # type: ignore[misc]
        def __setattr__(self, name: str, value: object) -> None:
            # The same memory as a plain array, whose slices are made in a fraction of the time.
            super().__setattr__(name, value.view(np.ndarray) if isinstance(value, np.memmap) else value)

    def silent(items: Iterable[object], **_: object) -> Iterable[object]:
        return items

    with _PATCHING, ExitStack() as stack:
        stack.enter_context(_replaced(gguf, "GGUFReader", Reader))
        stack.enter_context(_replaced(unpacking, "tqdm", silent))
        stack.enter_context(_without_collection())
        yield


@contextmanager
def _replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pauses the collector, which would search the reader's millions of objects again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
