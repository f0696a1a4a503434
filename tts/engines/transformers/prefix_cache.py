"""Keys and values of earlier sequences, for prompts that begin with the same tokens."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from tts.engines.transformers.kv import KeyValues


@dataclass(eq=False)
class _Node:
    tokens: list[int]
    tensors: list[Tensor]
    parent: _Node | None
    children: dict[int, _Node] = field(default_factory=dict)

    def bytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    """Returns the length of the longest common prefix."""
    length = min(len(a), len(b))
    if a[:length] == b[:length]:
        return length
    return next(i for i in range(length) if a[i] != b[i])


class PrefixCache:
    """A radix tree over token ids whose edges hold the keys and values of their tokens (as in SGLang, arXiv:2312.07104).

    It returns keys and values of exactly the given tokens. When full, it evicts the least recently used leaves.

    Args:
        capacity: Maximum bytes of keys and values; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0
        self._root = _Node([], [], None)
        # A path is touched from its leaf to its root, so that every node is younger than its children and the oldest
        # node is always a leaf.
        self._ages: OrderedDict[_Node, None] = OrderedDict()

    def match(self, tokens: list[int]) -> list[list[Tensor]]:
        """Returns the keys and values of the longest known prefix of `tokens`, in consecutive pieces.

        Each piece has one tensor `[heads, tokens of the piece, dim]` for each layer's keys and values.
        """
        path, _, inside = self._walk(tokens)
        self._touch(path[-1])
        pieces = [node.tensors for node in path[1:]]
        if inside < len(path[-1].tokens):
            pieces[-1] = [tensor[:, :inside] for tensor in pieces[-1]]
        return pieces

    def insert(self, tokens: list[int], sequence: KeyValues) -> None:
        """Stores the keys and values of `tokens`, copying those that it does not hold yet.

        Nothing is stored if it does not, or no longer, hold the tokens before the given ones.

        Args:
            tokens: The sequence.
            sequence: For each layer the keys and values of all or the last tokens, each `[heads, tokens given, dim]`.
        """
        if not self.capacity:
            return
        path, matched, inside = self._walk(tokens)
        node, missing = path[-1], matched - len(tokens)
        if missing + sequence[0].shape[1] < 0:
            return
        if matched < len(tokens):
            if inside < len(node.tokens):
                node = self._split(node, inside)
            # Separate contiguous copies, so that evicting a node frees its bytes.
            leaf = _Node(tokens[matched:], [tensor[:, missing:].clone() for tensor in sequence], node)
            node.children[tokens[matched]] = leaf
            self.size += leaf.bytes()
            node = leaf
        self._touch(node)
        self._evict()

    def _walk(self, tokens: list[int]) -> tuple[list[_Node], int, int]:
        """Returns the path along `tokens`, how many match, and how many of these lie in the path's last node."""
        path, matched, inside = [self._root], 0, 0
        while inside == len(path[-1].tokens) and matched < len(tokens):
            child = path[-1].children.get(tokens[matched])
            if child is None:
                break
            inside = _common(child.tokens, tokens[matched : matched + len(child.tokens)])
            matched += inside
            path.append(child)
        return path, matched, inside

    def _split(self, node: _Node, length: int) -> _Node:
        """Splits a node after `length` tokens and returns the upper one."""
        assert node.parent is not None
        upper = _Node(node.tokens[:length], [tensor[:, :length].clone() for tensor in node.tensors], node.parent)
        node.parent.children[upper.tokens[0]] = upper
        node.tokens = node.tokens[length:]
        node.tensors = [tensor[:, length:].clone() for tensor in node.tensors]
        node.parent = upper
        upper.children[node.tokens[0]] = node
        return upper

    def _touch(self, node: _Node) -> None:
        current: _Node | None = node
        while current is not None and current is not self._root:
            self._ages[current] = None
            self._ages.move_to_end(current)
            current = current.parent

    def _evict(self) -> None:
        while self.size > self.capacity:
            leaf, _ = self._ages.popitem(last=False)
            assert leaf.parent is not None
            del leaf.parent.children[leaf.tokens[0]]
            self.size -= leaf.bytes()
