"""A place in an answer's tokens, and what every part of the parser does with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tts.tasks.answers.dependence import may_depend
from tts.tasks.answers.tokens import Kind, Token
from tts.tasks.answers.vocabulary import words

DEEPEST = 60
"""Nested brackets, exponents and the like; deeper is no answer."""
_READ_BY_MATH_VERIFY = words(
    "frac sqrt pm mp le ge ne lt gt approx in cup cap setminus cdot times div sum prod int iint iiint oint lim binom to "
    "infty emptyset pi alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega sin cos tan cot sec csc arcsin "
    "arccos arctan arccot sinh cosh tanh coth ln lg log exp gcd lcm max min det mathbb lfloor rfloor lceil rceil lvert "
    "rvert langle rangle choose overline circ"
)
"""Commands that math-verify does not pass over."""
_MARKS = frozenset([*"+-*/^_(){}[]|!,:=<>&", r"\{", r"\}"])


class RefusedError(ValueError):
    """This is no formula that is understood.

    Args:
        formula: Whether it may still be one that math-verify reads: not where words or an ambiguous notation are in it.
    """

    def __init__(self, formula: bool = False) -> None:
        super().__init__()
        self.formula = formula


class Cursor:
    """Tokens and a place in them.

    Args:
        tokens: All tokens of a formula.
    """

    formula: bool
    """Whether math-verify may try what is refused."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = list(tokens)
        self._place = 0
        self._depth = 0
        readable = all(map(_is_readable, tokens)) and _is_balanced(tokens)
        self.formula = readable and not _is_derivative(tokens) and not may_depend(tokens)

    @property
    def ahead(self) -> Token | None:
        """The token at the place, None at the end."""
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    @property
    def behind(self) -> Token | None:
        """The token before the place, None at the beginning."""
        return self._tokens[self._place - 1] if self._place else None

    def sees(self, *texts: str, kind: Kind = "mark") -> bool:
        """Returns whether the next token is one of these."""
        token = self.ahead
        return token is not None and token.kind == kind and token.text in texts

    def take(self, *texts: str, kind: Kind = "mark") -> bool:
        """Goes past the next token if it is one of these; returns whether it was."""
        found = self.sees(*texts, kind=kind)
        self._place += found
        return found

    def next(self) -> Token:
        """Goes past the next token and returns it."""
        token = self.ahead
        if token is None:
            raise self.refused()
        self._place += 1
        return token

    def expect(self, text: str, kind: Kind = "mark") -> None:
        """Goes past a token that must be there."""
        if not self.take(text, kind=kind):
            raise self.refused()

    def peek(self, count: int) -> list[Token]:
        """Returns the next tokens."""
        return self._tokens[self._place : self._place + count]

    def back(self, *tokens: Token) -> None:
        """Puts tokens in the place of the last one."""
        self._place -= 1
        self._tokens[self._place : self._place + 1] = tokens

    def mark(self) -> tuple[int, list[Token]]:
        """Returns the place, for `reset`."""
        return self._place, list(self._tokens)

    def reset(self, mark: tuple[int, list[Token]]) -> None:
        """Goes back to a place."""
        self._place, self._tokens = mark

    def refused(self) -> RefusedError:
        """Returns the error to raise where the tokens are no formula that is understood."""
        return RefusedError(self.formula)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Counts how deep brackets are nested."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise RefusedError
        yield
        self._depth -= 1


def _is_balanced(tokens: Sequence[Token]) -> bool:
    depth = 0
    for token in tokens:
        depth += {"{": 1, "}": -1}.get(token.text, 0)
        if depth < 0:
            return False
    return depth == 0


def is_differential(token: Token) -> bool:
    """Returns whether two letters are a differential: dx."""
    return token.kind == "word" and len(token.text) == 2 and token.text[0] == "d" and not token.upright


def _is_derivative(tokens: Sequence[Token]) -> bool:
    """Returns whether there are differentials but no integral: math-verify takes dy/dx for 0."""
    return any(map(is_differential, tokens)) and not any("int" in token.text for token in tokens)


def _is_readable(token: Token) -> bool:
    if token.kind == "word":
        return len(token.text) <= 3 and token.text.isascii() and not (token.upright and len(token.text) > 1)
    if token.kind == "number":
        return token.value is not None
    return token.text in (_MARKS if token.kind == "mark" else _READ_BY_MATH_VERIFY)
