"""The text prefixes whose keys and values a GPU holds, in blocks, as in vLLM's automatic prefix caching."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence


def block_keys(text: str, characters: int, known: Sequence[int] = ()) -> list[int]:
    """Returns the keys of a text's full blocks; a key stands for its block and all text before it.

    Args:
        text: The text.
        characters: Length of a block.
        known: The keys of a prefix of the text, which are not recomputed.
    """
    keys = list(known)
    key = keys[-1] if keys else 0
    for start in range(len(keys) * characters, len(text) - characters + 1, characters):
        key = hash((key, text[start : start + characters]))
        keys.append(key)
    return keys


class PrefixCache:
    """Holds the most recently used blocks.

    Args:
        tokens: How many tokens it can hold; 0 switches it off.
        block: Tokens per block; at least 1.
    """

    def __init__(self, tokens: int, block: int) -> None:
        self._most = tokens // block
        self._block = block
        # In order of last use.
        self._held: OrderedDict[int, None] = OrderedDict()

    def match(self, blocks: Sequence[int]) -> int:
        """Returns how many tokens at the beginning of a text are held."""
        # A block was used no later than those before it, so if it is held, they are too.
        return bisect_left(blocks, True, key=lambda key: key not in self._held) * self._block

    def store(self, blocks: Sequence[int]) -> None:
        """Stores a text's blocks, evicting the least recently used."""
        held, move_to_end = self._held, self._held.move_to_end
        # The first block last: it is useful without the later ones, but not the other way round.
        for key in reversed(blocks):
            held[key] = None
            move_to_end(key)
        while len(held) > self._most:
            held.popitem(last=False)
