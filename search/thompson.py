"""Posteriors of scores, and Thompson sampling's descent of a tree by them."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise

from tts.core.errors import ProblemError
from tts.core.tree import ROOT


def beta(observed: Sequence[float], rng: random.Random) -> float:
    """Draws from Beta(1/2 + sum of r, 1/2 + sum of (1 - r)): Jeffreys' prior, rewards r in [0, 1].

    Raises:
        ProblemError: A reward is not in [0, 1].
    """
    wrong = [reward for reward in observed if not 0 <= reward <= 1]
    if wrong:
        raise ProblemError(f"a score of {wrong[0]} is not in [0, 1]: set search.posterior=gaussian for such a verifier")
    won = math.fsum(observed)
    return rng.betavariate(0.5 + won, 0.5 + len(observed) - won)


def gaussian(observed: Sequence[float], rng: random.Random) -> float:
    """Draws a mean from the posterior under a normal-inverse-chi-squared prior: m = 0, kappa = 1, nu = 1, tau^2 = 0.1."""
    n, m, kappa, nu, tau2 = len(observed), 0.0, 1.0, 1.0, 0.1
    mean = math.fsum(observed) / n if n else 0.0
    spread = math.fsum((reward - mean) ** 2 for reward in observed)
    # Murphy, Probabilistic Machine Learning: Advanced Topics, 3.4.3.3.
    scale = nu * tau2 + spread + n * kappa * (m - mean) ** 2 / (kappa + n)
    variance = scale / (2 * rng.gammavariate((nu + n) / 2, 1.0))
    return rng.gauss((kappa * m + n * mean) / (kappa + n), math.sqrt(variance / (kappa + n)))


POSTERIORS: dict[str, Callable[[Sequence[float], random.Random], float]] = {"beta": beta, "gaussian": gaussian}


class Beliefs:
    """The scores that AB-MCTS-A has observed for every node's GEN and CONT and for the node itself.

    Args:
        posterior: A key of `POSTERIORS`.
        rng: The source of random numbers.
    """

    def __init__(self, posterior: str, rng: random.Random) -> None:
        self._posterior, self._rng = POSTERIORS[posterior], rng
        self._wider, self._deeper, self._itself = (defaultdict[int, list[float]](list) for _ in range(3))
        self._children: dict[int, list[int]] = defaultdict(list)

    def descend(self) -> list[int]:
        """Returns the path from the root to the node that gets a new child."""
        path = [ROOT]
        while children := self._children[path[-1]]:
            if self._draw(self._wider, path[-1]) >= self._draw(self._deeper, path[-1]):
                break
            drawn = [self._draw(self._itself, child) for child in children]
            path.append(children[drawn.index(max(drawn))])
        return path

    def observe(self, path: Sequence[int], node: int, score: float | None) -> None:
        """Adds a child to the path's last node; the whole path observes its score, unless that is None."""
        self._children[path[-1]].append(node)
        if score is not None:
            self._wider[path[-1]].append(score)
            self._itself[node].append(score)
            for parent, child in pairwise(path):
                self._deeper[parent].append(score)
                self._itself[child].append(score)

    def _draw(self, seen: dict[int, list[float]], node: int) -> float:
        return self._posterior(seen[node], self._rng)
