"""Completions as bytes: bit-exact, small, and fast to look up.

Layout: a format number (1 byte), the head (JSON), and the tokens' part if there are tokens, each compressed separately
with zlib. The token alternatives of verdicts take most of the space and are rarely read, so that part is unpacked on
first use. The head has a checksum, so that the look-up detects damage.

The tokens' part: the length of the table (4 bytes), the table (JSON, with the distinct texts), indices of texts (32
bits each), and the log-probabilities. These have 32 bits if that loses nothing, as for models that compute in 32 bits
or fewer, else 64. All numbers are little-endian.

Banks of format 1 hold one compressed stream, the table's fields after the head's; it begins with zlib's own byte.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias, overload

from tts.engines.generating import Completion, Token

Fields: TypeAlias = list[Any]
"""The JSON of a packed completion; unpacking fails if it has another form."""

_LAYOUT, _ONE_STREAM = 2, 0x78
_LEVEL = 1  # a third larger than level 9, in a tenth of the time
_SAME = 0xFFFFFFFF
"""Replaces the number of entries of `Token.sampled` if its texts are those of `Token.top`."""


class PackedTokens(Sequence[Token]):
    """A completion's tokens, unpacked when one of them is first read.

    Args:
        packed: The tokens' part of a packed completion.
        count: Number of tokens.
    """

    def __init__(self, packed: bytes, count: int) -> None:
        self._packed = packed
        self._count = count

    @cached_property
    def _tokens(self) -> tuple[Token, ...]:
        return _tokens(*_cut(zlib.decompress(self._packed)))

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> Token: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Token, ...]: ...
    def __getitem__(self, place: int | slice) -> Token | tuple[Token, ...]:
        return self._tokens[place]

    def __iter__(self) -> Iterator[Token]:
        return iter(self._tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._tokens == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # tokens have none either

    def __repr__(self) -> str:
        return repr(self._tokens)


def pack(completion: Completion) -> bytes:
    """Returns a completion's bytes, without its `index`, which belongs to the request."""
    c = completion
    tokens = b"" if c.tokens is None else zlib.compress(_packed_tokens(c.tokens), _LEVEL)
    count = None if c.tokens is None else len(c.tokens)
    # Few samples have tokens that are not in their text, and only these have the fields.
    unseen = [c.reasoning, c.unseen_tokens] if c.reasoning or c.unseen_tokens else []
    fields = [c.text, c.finish_reason, c.stop, c.completion_tokens, c.prompt_tokens, *unseen]
    head = _json([*fields, count, zlib.crc32(tokens)])
    return bytes([_LAYOUT]) + zlib.compress(head, _LEVEL) + tokens


def unpack(body: bytes, index: int = 0) -> Completion:
    """Returns the completion that `pack` encoded, marked as recorded.

    Args:
        body: The bytes.
        index: The completion's `index`.

    Raises:
        ValueError: The bytes are damaged.
    """
    try:
        (text, finish_reason, stop, sampled, prompt, *unseen), tokens = _LAYOUTS[body[0]](body)
    except (zlib.error, struct.error, TypeError, LookupError, ValueError) as error:
        raise ValueError(f"not a packed completion: {error}") from None
    return Completion(text, finish_reason, stop, tokens, sampled, prompt, index, True, *unseen)


def _unpack(body: bytes) -> tuple[Fields, Sequence[Token] | None]:
    """Returns the head's fields and the tokens."""
    stream = zlib.decompressobj()
    head = stream.decompress(memoryview(body)[1:])
    *fields, count, checksum = json.loads(head.decode("utf-8", "surrogatepass"))
    if not stream.eof or zlib.crc32(stream.unused_data) != checksum:
        raise ValueError("it is truncated, or its checksum is wrong")
    return fields, None if count is None else PackedTokens(stream.unused_data, count)


def _unpack_one_stream(body: bytes) -> tuple[Fields, Sequence[Token] | None]:
    """Unpacks format 1."""
    fields, tail = _cut(zlib.decompress(body))
    return fields[:5], _tokens(fields[5:], tail) if fields[5:] else None


_LAYOUTS = {_LAYOUT: _unpack, _ONE_STREAM: _unpack_one_stream}


def _json(value: object) -> bytes:
    # A model's bytes can become lone surrogates.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _cut(data: bytes) -> tuple[Fields, bytes]:
    """Returns the value of the JSON at the beginning, and the bytes after it."""
    end = 4 + int.from_bytes(data[:4], "little")
    return json.loads(data[4:end].decode("utf-8", "surrogatepass")), data[end:]


def _packed_tokens(tokens: Sequence[Token]) -> bytes:
    places: dict[str, int] = {}
    indices: list[int] = []
    numbers: list[float] = []

    def place(text: str) -> int:
        return places.setdefault(text, len(places))

    for token in tokens:
        top, sampled = list(token.top), list(token.sampled)
        indices += [place(token.text), len(top), *map(place, top)]
        indices += [_SAME] if sampled == top else [len(sampled), *map(place, sampled)]
        numbers += [token.logprob, *token.top.values(), *token.sampled.values()]
    width, packed = packed_numbers(numbers)
    table = _json([len(tokens), list(places), len(indices), width, len(numbers)])
    return struct.pack("<I", len(table)) + table + struct.pack(f"<{len(indices)}I", *indices) + packed


def packed_numbers(numbers: Sequence[float]) -> tuple[str, bytes]:
    """Returns numbers as bytes, and their `struct` format: `f` if that loses nothing, else `d`."""
    try:
        narrow = struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError:
        pass
    else:
        if struct.unpack(f"<{len(numbers)}f", narrow) == tuple(numbers):
            return "f", narrow
    return "d", struct.pack(f"<{len(numbers)}d", *numbers)


def _tokens(table: Fields, columns: bytes) -> tuple[Token, ...]:
    count, names, n_indices, width, n_numbers = table
    indices = struct.unpack_from(f"<{n_indices}I", columns)
    numbers = struct.unpack_from(f"<{n_numbers}{width}", columns, 4 * n_indices)
    tokens = []
    index = number = 0

    def texts() -> tuple[int, ...]:
        nonlocal index
        first, index = index + 1, index + 1 + indices[index]
        return indices[first:index]

    for _ in range(count):
        text, logprob = names[indices[index]], numbers[number]
        index, number = index + 1, number + 1
        top = texts()
        if indices[index] == _SAME:
            sampled, index = top, index + 1
        else:
            sampled = texts()
        middle, end = number + len(top), number + len(top) + len(sampled)
        raw, processed = numbers[number:middle], numbers[middle:end]
        tokens.append(Token(text, logprob, _Alternatives(names, top, raw), _Alternatives(names, sampled, processed)))
        number = end
    return tuple(tokens)


class _Alternatives(Mapping[str, float]):
    """Log-probabilities by text, put together when they are first read: only those of the verdict are.

    Args:
        names: All texts of the completion.
        indices: The places of these texts among them.
        logprobs: Their log-probabilities.
    """

    def __init__(self, names: Sequence[str], indices: Sequence[int], logprobs: Sequence[float]) -> None:
        self._parts = names, indices, logprobs

    @cached_property
    def _all(self) -> dict[str, float]:
        names, indices, logprobs = self._parts
        return dict(zip([names[i] for i in indices], logprobs, strict=True))

    def __getitem__(self, text: str) -> float:
        return self._all[text]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __repr__(self) -> str:
        return repr(self._all)
