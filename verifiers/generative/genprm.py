"""GenPRM: a generative process reward model that reasons, writes code, reads its output and answers Yes or No.

Source: arXiv 2504.00891, `GenPRM._single_inference` of RyanLiu112/GenPRM at cc80f47. Differences from the official code:
judgements run concurrently; an unreadable verdict is None instead of 0.5; the loop always ends after the fallback; an
analysis that ends early is closed before code is requested; code cut off by the length limit is not run.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal, cast

from tts.budget import Judgements
from tts.core import Message, Problem, Solution, Verdict, Vote
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    OneOf,
    PositiveFloat,
    PositiveInt,
    PositiveProbability,
    settings,
)
from tts.core.traits import VerifierTraits
from tts.engines.chat_format import ChatName, render
from tts.engines.generating import Completion, Engine, Sampling
from tts.engines.seeded import SeededSampler
from tts.sandbox.base import Chain, Sandbox
from verifiers.generative import genprm_format as wire
from verifiers.generative.turns import require_continuation
from verifiers.stepwise import FALLING, judged_steps, until_first_error
from verifiers.voting import VotingVerifier

_log = logging.getLogger(__name__)

_THRESHOLD = 0.5


@dataclass(frozen=True)
class Judgement:
    """One vote on one step.

    Attributes:
        text: The assistant's whole turn, including code and its output; the history of the chain's next step.
        score: Probability of Yes, None if there is no verdict.
        code: The pieces of code that ran to their end or to an exception; replaying them restores the chain's namespace.
    """

    text: str
    score: float | None
    code: tuple[str, ...] = ()


JudgedChain = tuple[Judgement, ...]

State = tuple[JudgedChain, JudgedChain]
"""Of a vote: its chain, and the history that its next judgement reads: the chain's own judgements or the first chain's."""


@settings
class GenPRM(VotingVerifier):
    """Judges steps with a released GenPRM, or any model trained on its format.

    Every vote is a separate chain through the solution's steps: it reads its own earlier judgements (eq. 7) and keeps its
    own variables. Steps with the same history, such as the common first steps of two candidates, are judged once.

    Args:
        engine: The model.
        sandbox: Where its code runs; one that executes nothing disables `execute`.
        votes: K, the number of chains; the score of a step is the mean over them.
        chat: Chat format; `deepseek-r1` for the released models.
        first_turn: Form of the first user turn, a key of `genprm_format.FIRST_TURN`.
        assistant_tag: Whether the assistant's turn is opened before the judgement, as in training and in the later official
            code; the code that produced the published numbers omits it.
        analyze: Whether the model reasons in words first.
        verify: Whether it writes code.
        execute: Whether that code is run; otherwise the model invents the output.
        readout: How a verdict becomes a number, see `genprm_format.read_verdict`.
        history: `own`: each chain reads its own judgements. `shared`: all votes on a step read the first chain's.
        stop_at_first_error: Whether to leave the steps after the first one with a score below 0.5 unjudged.
        temperature: Sampling temperature.
        top_p: Nucleus sampling threshold.
        top_k: 0 disables it.
        repetition_penalty: 1 disables it.
        max_tokens: Bound of the analysis, and of the whole turn with code and its output.
        code_rounds: Maximum number of completions after the analysis before a verdict is forced.
        fallback_tokens: Bound of the forced verdict.
        seed: The run's seed.
    """

    def __init__(
        self,
        engine: Engine,
        sandbox: Sandbox,
        votes: PositiveInt = 1,
        chat: ChatName = "deepseek-r1",
        first_turn: Annotated[str, OneOf(wire.FIRST_TURN)] = "question",
        assistant_tag: bool = False,
        analyze: bool = True,
        verify: bool = True,
        execute: bool = True,
        readout: wire.Readout = "soft",
        history: Literal["own", "shared"] = "own",
        stop_at_first_error: bool = False,
        temperature: NonNegativeFloat = 0.6,
        top_p: PositiveProbability = 0.95,
        top_k: NonNegativeInt = 20,
        repetition_penalty: PositiveFloat = 1.0,
        max_tokens: PositiveInt = 2048,
        code_rounds: PositiveInt = 3,
        fallback_tokens: PositiveInt = 20,
        seed: int = 0,
    ) -> None:
        super().__init__(votes, "min")
        self._client = SeededSampler(engine, seed)
        self._sandbox = sandbox
        self._chat, self._first_turn, self._assistant_tag = chat, first_turn, assistant_tag
        self._analyze, self._writes_code, self._execute = analyze, verify, verify and execute and sandbox.executes
        self._readout: wire.Readout = readout
        self._shared_history, self._stop_at_first_error = history == "shared", stop_at_first_error
        self.traits = VerifierTraits(
            aggregators=FALLING if stop_at_first_error else None, runs_code=self._execute, compare=self.compare
        )
        self._sampling = partial(
            Sampling,
            temperature=temperature,
            top_p=top_p,
            top_k=top_k,
            repetition_penalty=repetition_penalty,
            include_stop=True,
        )
        self._max_tokens, self._code_rounds, self._fallback_tokens = max_tokens, code_rounds, fallback_tokens
        self._judgements: Judgements[Judgement] = Judgements()
        self._warned = False

    @property
    def engine(self) -> Engine:
        """The model."""
        return self._client.engine

    def check(self) -> None:
        """Raises UserError if the model lacks the requested chat template, or does not continue a begun turn."""
        self._prompt(Problem("", ""), [""], ())
        require_continuation(self._client.engine, "GenPRM writes a judgement in several parts")

    def token_bound(self, steps: int) -> int | None:
        """Returns K times the bound of a turn and its forced verdict, times the number of steps."""
        return self.votes * steps * (self._max_tokens + self._fallback_tokens)

    def preview(self, problem: Problem, solution: Solution) -> str:
        """Returns the prompt of the first request, with a mark where the completion begins."""
        opening = wire.VERIFY_START if self._writes_code else wire.OUTPUT_START
        if self._analyze:
            opening = wire.ANALYZE_START.format(1)
        return self._prompt(problem, solution.steps[:1], ()) + opening + "⟦…⟧"

    async def verify(self, problem: Problem, solution: Solution, prior: Verdict | None = None) -> Verdict:
        """Judges every step after those that `prior` judged."""
        if self._stop_at_first_error:
            return await until_first_error(super().verify, problem, solution, prior, _THRESHOLD)
        return await super().verify(problem, solution, prior)

    async def vote(self, problem: Problem, solution: Solution, number: int, prior: Verdict | None = None) -> Verdict:
        """Judges every step after those that `prior` judged, with chain `number`."""
        steps = judged_steps(solution)
        chain, history = ((), ()) if prior is None else cast(State, prior.state)
        reads_first = self._shared_history and number > 0
        for end in range(len(chain) + 1, len(steps) + 1):
            chain = (*chain, await self._judgement(problem, steps[:end], history, number))
            history = await self._extend(problem, steps[:end], history, 0) if reads_first else chain
        single = Vote(tuple(j.score for j in chain), tuple(j.text for j in chain))
        return Verdict(single.scores, (single,), self.aggregator, (chain, history))

    async def _extend(self, problem: Problem, steps: Sequence[str], chain: JudgedChain, vote: int) -> JudgedChain:
        """Judges the steps that `chain` has not judged yet, one after the other."""
        for end in range(len(chain) + 1, len(steps) + 1):
            chain = (*chain, await self._judgement(problem, steps[:end], chain, vote))
        return chain

    async def _judgement(self, problem: Problem, steps: Sequence[str], history: JudgedChain, vote: int) -> Judgement:
        """Judges the last of `steps`; requests with the same history share one judgement."""
        # All that the prompt shows besides the problem; rendering it takes longer than finding a known judgement.
        key = vote, tuple(steps), tuple(judgement.text for judgement in history)
        return await self._judgements.get(problem, key, partial(self._judge, problem, steps, history, vote))

    def conversation(self, problem: Problem, steps: Sequence[str], judgements: Sequence[str]) -> list[Message]:
        """Returns a conversation about steps, with the judgements of the first of them as the assistant's turns."""
        direct = not self._analyze and not self._writes_code
        return wire.conversation(self._first_turn, problem.text, steps, judgements, direct=direct)

    def _prompt(self, problem: Problem, steps: Sequence[str], history: JudgedChain) -> str:
        """Renders the conversation up to the beginning of the judgement of the last step."""
        messages = self.conversation(problem, steps, [judgement.text for judgement in history])
        return render(self._chat, messages, self._client.engine, answer=self._assistant_tag)

    async def _judge(self, problem: Problem, steps: Sequence[str], history: JudgedChain, vote: int) -> Judgement:
        """Runs the state machine for one vote on the last of `steps`, after restoring the chain's namespace."""
        prompt = self._prompt(problem, steps, history)
        analysis = await self._write_analysis(prompt, len(steps), vote) if self._analyze else ""
        if not self._execute:
            return await self._conclude(prompt, analysis, vote, None)
        namespace = self._sandbox.chain(tuple(piece for judgement in history for piece in judgement.code))
        try:
            return await self._conclude(prompt, analysis, vote, namespace)
        finally:
            await namespace.close()

    async def _write_analysis(self, prompt: str, number: int, vote: int) -> str:
        start = wire.ANALYZE_START.format(number)
        completion = await self._complete(prompt + start, self._max_tokens, (wire.ANALYZE_STOP,), vote)
        # Closed whatever ended it: without this the code stage does not run (users had to patch the official code).
        return start + completion.text.split(wire.ANALYZE_CLOSE)[0] + wire.ANALYZE_STOP

    async def _conclude(self, prompt: str, analysis: str, vote: int, namespace: Chain | None) -> Judgement:
        """Lets the model write code, feeds it the output, and reads its verdict."""
        text = analysis + (wire.VERIFY_START if self._writes_code else wire.OUTPUT_START)
        stops = (wire.OUTPUT_STOP,) if namespace is None else (wire.CODE_STOP, wire.OUTPUT_STOP)
        ran: list[str] = []
        for _ in range(self._code_rounds if self._writes_code else 1):
            left = self._max_tokens - await self._client.engine.count_tokens(text)
            if left <= 0:
                break
            start = len(text)
            completion = await self._complete(prompt + text, left, stops, vote)
            text += completion.text
            score = self._read(text, start, completion)
            if text.endswith(wire.OUTPUT_STOP) or (completion.stop is None and score is not None):
                return Judgement(text, score, tuple(ran))
            if completion.finish_reason == "length":
                break
            if namespace is None:
                text += wire.CODE_OUTPUT_START
            else:
                text += wire.CODE_OUTPUT.format(await self._run(text, namespace, ran))
        return await self._force_verdict(prompt, analysis, text, vote, tuple(ran))

    async def _force_verdict(self, prompt: str, analysis: str, text: str, vote: int, ran: tuple[str, ...]) -> Judgement:
        """Asks only for the verdict; after an analysis, the verification is discarded."""
        if analysis:
            text = analysis
        elif self._writes_code:
            text += wire.VERIFY_STOP
        else:
            text = ""
        text += wire.OUTPUT_START
        completion = await self._complete(prompt + text, self._fallback_tokens, (wire.OUTPUT_STOP,), vote)
        start, text = len(text), text + completion.text
        return Judgement(text, self._read(text, start, completion), ran)

    async def _run(self, text: str, namespace: Chain, ran: list[str]) -> str:
        """Runs the last python block of `text`, appends it to `ran` if it ended, and returns the output to show."""
        code = wire.last_code(text)
        if code is None:
            return wire.execution_result(None)
        execution = await namespace.run(code)
        if not execution.timed_out:
            ran.append(code)
        return wire.execution_result(execution)

    def _read(self, text: str, start: int, completion: Completion) -> float | None:
        if completion.tokens is None and self._readout != "hard" and not self._warned:
            self._warned = True
            _log.warning(
                "the engine '%s' reports no token probabilities: verdicts are read as plain Yes = 1, No = 0 "
                "(readout=hard)",
                self._client.engine.name,
            )
        return wire.read_verdict(text, start, completion.tokens, self._readout)

    async def _complete(self, prompt: str, max_tokens: int, stop: tuple[str, ...], vote: int) -> Completion:
        # Only a completion that may end the output part can hold a verdict; the official code requests 20.
        top_logprobs = 20 if wire.OUTPUT_STOP in stop and self._readout != "hard" else 0
        sampling = self._sampling(max_tokens=max_tokens, stop=stop, top_logprobs=top_logprobs)
        return await self._client.complete(prompt, sampling, vote)
