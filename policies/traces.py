r"""Recorded traces as a policy: stopping rules are replayed over them, without a model.

A store is a JSON array, or JSON Lines, of problems in the form of AutoTTS (zhengkid/AutoTTS at 3cd98d1, arXiv 2605.08083):
`{"question", "gold_answer", "probe_freq", "each_branch": [[probes, tokens, answer], ...]}`. A trace was asked for its
current answer every `probe_freq` tokens (`probes`), has `tokens` tokens in all and ends with `answer`; `ERR` stands for
none. Other fields are ignored.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from random import Random

from policies.base import BasePolicy
from tts.budget import POLICY, Usage, admit, charge
from tts.core import FinishReason, Problem, Solution
from tts.core.errors import UserError
from tts.core.policy import GREEDY
from tts.core.settings import refused, settings
from tts.core.traits import PolicyTraits
from tts.files.paths import expanded
from tts.files.rows import read_rows

_NONE = "ERR"
_EXPECTED = '{"question": ..., "gold_answer": ..., "probe_freq": 500, "each_branch": [[["7", "ERR"], 1203, "9"], ...]}'


@dataclass(frozen=True)
class Trace:
    """A recorded trace.

    Attributes:
        answers: Its answer after each interval, and at its end.
        tokens: All of its tokens.
        interval: Tokens between two probes.
    """

    answers: tuple[str, ...]
    tokens: int
    interval: int

    def spent(self, steps: int) -> int:
        """Returns the tokens up to a step; to the end of the trace for the last."""
        return self.tokens if steps >= len(self.answers) else min(self.tokens, steps * self.interval)


@settings
class TracesPolicy(BasePolicy):
    r"""Returns the traces of a store as solutions, in an order that the run's seed shuffles.

    A solution's steps are the intervals between probes: each holds the answer that the trace gave there (`\boxed{7}`), and
    costs the tokens of its interval. The seed shuffles every problem's traces as AutoTTS does, so that the same seed gives
    the same figures.

    Args:
        path: The store.
        errors_vote: Whether a trace without an answer answers `ERR`, which has a vote of its own, as in AutoTTS's figures;
            otherwise it has no answer.
        seed: The run's seed.
    """

    def __init__(self, path: str | None = None, errors_vote: bool = False, seed: int = 0) -> None:
        if path is None:
            raise refused("path", path, "the store of recorded traces is needed")
        self._path = expanded(path)
        self._errors_vote = errors_vote
        self._seed = seed
        self._traces: dict[str, tuple[Trace, ...]] = {}

    @property
    def traits(self) -> PolicyTraits:  # type: ignore[override]  # it says how many traces the store has
        """Revises nothing, and has only its traces."""
        return PolicyTraits(
            lacks=("revisions",), attachments=True, holds=lambda problem: len(self._traces.get(problem.question, ()))
        )

    def check(self) -> None:
        """Reads the store.

        Raises:
            UserError: It is missing, or a row is invalid; the message names its place.
        """
        found: dict[str, tuple[Trace, ...]] = {}
        for place, row in read_rows(self._path):
            try:
                question, traces = _read(row)
            except (LookupError, TypeError, ValueError) as error:
                said = f"no {error}" if isinstance(error, LookupError) else str(error)
                raise UserError(f"{place}: not a problem with its traces ({said}); expected {_EXPECTED}") from None
            if question in found:
                raise UserError(f"{place}: the same question as an earlier one: put all its traces in one row")
            Random(self._seed).shuffle(traces)
            found[question] = tuple(traces)
        self._traces = found

    def token_bound(self, n: int, steps: int | None = None) -> int | None:
        """Returns the largest recorded cost: nothing is generated."""
        return n * max((trace.tokens for traces in self._traces.values() for trace in traces), default=0)

    async def solutions(
        self, problem: Problem, prefix: Solution, n: int, first: int = 0
    ) -> AsyncGenerator[Solution, None]:
        """Yields traces `first` to `first + n - 1`, or the rest of one that was begun.

        Raises:
            UserError: The store has fewer traces.
            LimitReached: A budget limit is exhausted.
        """
        for number, done in self._places(problem, prefix, n, first):
            await admit(POLICY)
            ends = len(self._traces[problem.question][number].answers)
            yield self._solution(problem, number, done, ends, first if done else number)

    async def steps(self, problem: Problem, prefix: Solution, n: int, first: int = 0) -> AsyncGenerator[Solution, None]:
        """Yields the same, one interval further.

        A trace that was begun has one continuation, whatever the index of a single sample; of several samples it is the
        first. There is no greedy one: what a trace says after another text was not recorded.
        """
        for number, done in self._places(problem, prefix, n, first):
            await admit(POLICY)
            yield self._solution(problem, number, done, done + 1, first if done else number)

    def _places(self, problem: Problem, prefix: Solution, n: int, first: int) -> list[tuple[int, int]]:
        """Returns the number of each trace to go on with, and how many of its steps are there."""
        if prefix.steps:
            # A search that numbers its traces asks for one sample at a time, with its own number.
            only = first == 0 or (n == 1 and first != GREEDY)
            return [(int(prefix.text.split()[1]), len(prefix.steps))] if only else []
        held = len(self._traces.get(problem.question, ()))
        if not 0 <= first <= first + n <= held:
            raise UserError(
                f"{self._path}: holds {held} traces of problem {problem.id}, but {first + n} are needed; sample fewer"
            )
        return [(number, 0) for number in range(first, first + n)]

    def _solution(self, problem: Problem, number: int, done: int, to: int, index: int) -> Solution:
        """Returns a trace up to step `to`, and charges what follows step `done`."""
        trace = self._traces[problem.question][number]
        charge(POLICY, Usage(completion_tokens=trace.spent(to) - trace.spent(done)))
        steps = tuple(self._step(number, trace, place) for place in range(to))
        ends: FinishReason = "stop" if to == len(trace.answers) else "step"
        return Solution("\n\n".join(steps), steps, ends, index, trace.spent(to))

    def _step(self, number: int, trace: Trace, place: int) -> str:
        answer = trace.answers[place]
        said = f"\\boxed{{{answer}}}" if answer != _NONE or self._errors_vote else "no answer"
        return f"trace {number} after {trace.spent(place + 1)} tokens: {said}"


def _read(row: object) -> tuple[str, list[Trace]]:
    """Returns a problem's question and its traces.

    Raises:
        LookupError, TypeError, ValueError: It is not a row of a store.
    """
    if not isinstance(row, Mapping):
        raise TypeError("it is no object")
    question, interval, branches = row["question"], row["probe_freq"], row["each_branch"]
    if not isinstance(interval, int) or interval < 1:
        raise TypeError(f"'probe_freq' is {interval!r:.40}, and must be a number of tokens")
    return str(question), [_trace(branch, interval, number) for number, branch in enumerate(branches)]


def _trace(branch: object, interval: int, number: int) -> Trace:
    if not isinstance(branch, list) or len(branch) != 3 or not isinstance(branch[0], list):
        raise TypeError(f"trace {number} is not a list of probes, tokens and answer")
    probes, tokens, answer = branch
    if not isinstance(tokens, int) or isinstance(tokens, bool) or tokens < 0:
        raise TypeError(f"trace {number}: {tokens!r:.40} is not a number of tokens")
    return Trace((*map(_answer, probes), _answer(answer)), tokens, interval)


def _answer(value: object) -> str:
    return _NONE if value is None or not str(value).strip() else str(value).strip()
