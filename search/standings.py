"""The games of a tournament, and the pairings of its next round."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Protocol

from tts.core.traits import Ratings

Pair = tuple[int, int]

_LEAST = 0.1
"""The weight of a game without a margin, so that it counts as half a win."""


class Standings:
    """The games of players 0 to n - 1.

    Args:
        n: Number of players.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._met: Counter[Pair] = Counter()
        self._margins: dict[Pair, list[float]] = defaultdict(list)  # of games with ratings
        self._played = [0] * n
        self._won, self._weight = [0.0] * n, [0.0] * n

    def record(self, pair: Pair, ratings: Ratings) -> None:
        """Counts a game; without usable ratings of both it has no winner, and only counts as played."""
        first, second = pair
        margin = 0.0 if None in ratings else (ratings[0] or 0.0) - (ratings[1] or 0.0)
        self._met[min(pair), max(pair)] += 1
        if None not in ratings:
            self._margins[min(pair), max(pair)].append(margin if first < second else -margin)
        weight = 0.0 if None in ratings else max(abs(margin), _LEAST)
        for player, lead in ((first, margin), (second, -margin)):
            self._played[player] += 1
            self._won[player] += weight * (lead > 0) + weight / 2 * (lead == 0)
            self._weight[player] += weight

    def played(self, player: int) -> int:
        """Returns a player's number of games."""
        return self._played[player]

    def meetings(self, pair: Pair) -> int:
        """Returns the number of games of two players."""
        return self._met[min(pair), max(pair)]

    def rated(self, pair: Pair) -> bool:
        """Whether a game of two players had usable ratings of both."""
        return (min(pair), max(pair)) in self._margins

    def margin(self, pair: Pair) -> float:
        """Returns the sum of the first player's leads over the second."""
        total = sum(self._margins.get((min(pair), max(pair)), ()))
        return total if pair[0] < pair[1] else -total

    def share(self, player: int) -> float:
        """Returns the share of its games that a player won, weighted by their margins; 1/2 without a game."""
        return self._won[player] / self._weight[player] if self._weight[player] else 0.5


class Pairing(Protocol):
    """Who plays whom."""

    def least(self, n: int) -> int:
        """Returns the minimum number of games of n players."""

    def pairs(self, table: Standings, left: int, games: int) -> list[Pair]:
        """Returns the games of the next round, at most `left`; none if the tournament is over.

        Args:
            table: The games so far.
            left: Number of games left.
            games: Number of games of the whole tournament.
        """

    def worths(self, table: Standings) -> list[float]:
        """Returns each player's final worth in [0, 1]."""


class Swiss:
    """Players of equal strength meet: sorted by their share, neighbours that met least often.

    With an odd number the one with most games pauses.
    """

    def least(self, n: int) -> int:
        """Returns the games in which each plays at least once."""
        return -(-n // 2)

    def pairs(self, table: Standings, left: int, games: int) -> list[Pair]:
        """Returns a round in which each plays once."""
        free = sorted(range(table.n), key=lambda player: (-table.share(player), player))
        if len(free) % 2 and table.n > 2:
            free.remove(max(free, key=lambda player: (table.played(player), player)))
        found = []
        while len(free) > 1:
            first = free.pop(0)
            second = min(free, key=lambda other: (table.meetings((first, other)), free.index(other)))
            free.remove(second)
            found.append((first, second))
        # Those with fewest games go first where not all can play.
        return sorted(found, key=lambda pair: table.played(pair[0]) + table.played(pair[1]))[:left]

    def worths(self, table: Standings) -> list[float]:
        """Returns the shares."""
        return [table.share(player) for player in range(table.n)]


class Knockout:
    """Whoever loses a pair's games is out; all pairs play the same number of games. Equally good ones: the first stays.

    Without usable ratings of a pair the first stays, but has survived nothing by it; a round without any (the budget is used
    up) ends the tournament.
    """

    def least(self, n: int) -> int:
        """Returns one game for each player but the winner."""
        return n - 1

    def pairs(self, table: Standings, left: int, games: int) -> list[Pair]:
        """Returns a round, with each pair's games."""
        alive, _ = self._rounds(table)
        each = games // max(1, table.n - 1)
        return [pair for pair in in_pairs(alive) for _ in range(each)][:left]

    def worths(self, table: Standings) -> list[float]:
        """Returns the share of the rounds that each survived."""
        _, survived = self._rounds(table)
        most = max(survived.values(), default=0)
        return [survived[player] / most if most else 0.5 for player in range(table.n)]

    def _rounds(self, table: Standings) -> tuple[list[int], Mapping[int, int]]:
        """Returns who is left, and how many rounds each survived."""
        alive, survived = list(range(table.n)), dict.fromkeys(range(table.n), 0)
        while len(alive) > 1 and all(table.meetings(pair) for pair in in_pairs(alive)):
            pairs = in_pairs(alive)
            unrated = {a for a, b in pairs if not table.rated((a, b))}
            if len(unrated) == len(pairs):
                return [], survived
            alive = [b if table.margin((a, b)) < 0 else a for a, b in pairs] + alive[len(alive) & ~1 :]
            for player in alive:
                survived[player] += player not in unrated
        return alive, survived


def in_pairs(players: list[int]) -> list[Pair]:
    """Returns the first with the second, the third with the fourth, and so on; an odd last one pauses."""
    return list(zip(players[::2], players[1::2], strict=False))


PAIRINGS: Mapping[str, Pairing] = {"swiss": Swiss(), "knockout": Knockout()}
