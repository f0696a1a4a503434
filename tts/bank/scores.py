"""Scores in a bank: an entry per position, keyed by everything that its values depend on.

The key covers the tokens up to the position and its candidates, and nothing after it: solutions with a common prefix
share the prefix's scores, across requests.
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
"""A model's values at one position."""


def score_keys(request: ScoreRequest, digest: hashlib.blake2b) -> list[bytes]:
    """Returns a key for each position of a request.

    Args:
        request: The request.
        digest: A digest that produces the model's keys; it is modified.
    """
    keys, begun = [], 0
    for position, candidates in zip(request.positions, request.candidates or repeat(()), strict=False):
        digest.update(_words(request.tokens[begun : position + 1]))
        begun = position + 1
        whole = digest.copy()
        # The number at the end marks where the tokens end and the candidates begin.
        whole.update(_words((*candidates, len(candidates))))
        keys.append(whole.digest())
    return keys


def pack_row(row: Row) -> bytes:
    """Returns a position's values as bytes: bit-exact, with a checksum."""
    width, numbers = packed_numbers(row)
    body = width.encode() + numbers
    return body + zlib.crc32(body).to_bytes(4, "little")


def unpack_row(packed: bytes) -> Row:
    """Returns the values that `pack_row` encoded.

    Raises:
        ValueError: They are damaged.
    """
    body, width = packed[:-4], packed[:1].decode("ascii", "replace")
    if width not in ("f", "d") or zlib.crc32(body) != int.from_bytes(packed[-4:], "little"):
        raise ValueError("not packed scores: they are truncated, or their checksum is wrong")
    return struct.unpack(f"<{(len(body) - 1) // struct.calcsize(f'<{width}')}{width}", body[1:])


def _words(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}q", *numbers)
