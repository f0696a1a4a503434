"""Data of report.html that is decoded only when viewed: lines of JSON in compressed blocks."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

_BLOCK = 1 << 19  # bytes; decoding one takes a browser a few milliseconds
_LEVEL = 3  # higher levels take several times as long for a fifth less size


class Chunks:
    """Collects lines into blocks.

    Args:
        name: The name of the blocks' elements.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._blocks: list[list[bytes]] = [[]]
        self._size = 0

    def add(self, line: bytes) -> tuple[int, int]:
        """Adds a line and returns its place: the block, and the line in it."""
        if self._size and self._size + len(line) > _BLOCK:
            self._blocks.append([])
            self._size = 0
        # Line breaks outside strings are insignificant in JSON; inside strings there are none.
        self._blocks[-1].append(line.replace(b"\n", b" ").replace(b"\r", b" "))
        self._size += len(line)
        return len(self._blocks) - 1, len(self._blocks[-1]) - 1

    def elements(self) -> Iterator[bytes]:
        """Yields the script elements that hold the blocks; browsers do not run them, and base64 cannot close them."""
        with ThreadPoolExecutor() as threads:  # zlib releases the GIL
            for number, block in enumerate(threads.map(_packed, self._blocks)):
                yield b'<script type="application/zlib;base64" id="%s-%d">%s</script>\n' % (
                    self._name.encode(),
                    number,
                    block,
                )


def _packed(lines: Iterable[bytes]) -> bytes:
    return base64.b64encode(zlib.compress(b"\n".join(lines), _LEVEL))
