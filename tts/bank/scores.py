"""Scores in a bank: an entry for each position, under all that decides what a model says there.

That is the tokens up to the position and what is asked about it, and nothing behind it: solutions that begin alike share
what was said of their beginning, whichever request it belonged to.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from itertools import repeat

from tts.bank.codec import packed_numbers
from tts.engines.scoring import ScoreRequest

Row = tuple[float, ...]
"""What a model says at one position."""


def score_keys(request: ScoreRequest, digest: hashlib.blake2b) -> list[bytes]:
    """Returns a key for each position of a request.

    Args:
        request: The request.
        digest: Makes keys of the model; it is used up.
    """
    keys, begun = [], 0
    for position, candidates in zip(request.positions, request.candidates or repeat(()), strict=False):
        digest.update(_words(request.tokens[begun : position + 1]))
        begun = position + 1
        whole = digest.copy()
        # The number at the end tells where the tokens end and the candidates begin.
        whole.update(_words((*candidates, len(candidates))))
        keys.append(whole.digest())
    return keys


def pack_row(row: Row) -> bytes:
    """Returns the bytes of what was said at a position: exact to the last bit, with a checksum."""
    width, numbers = packed_numbers(row)
    body = width.encode() + numbers
    return body + zlib.crc32(body).to_bytes(4, "little")


def unpack_row(packed: bytes) -> Row:
    """Returns what `pack_row` made the bytes of.

    Raises:
        ValueError: They are damaged.
    """
    body, width = packed[:-4], packed[:1].decode("ascii", "replace")
    if width not in ("f", "d") or zlib.crc32(body) != int.from_bytes(packed[-4:], "little"):
        raise ValueError("not packed scores: they are cut off, or their checksum is wrong")
    return struct.unpack(f"<{(len(body) - 1) // struct.calcsize(f'<{width}')}{width}", body[1:])


def _words(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)
