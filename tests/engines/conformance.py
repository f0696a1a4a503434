"""What every engine must do: the contract of `tts.engines.generating` as laws.

A test module subclasses `EngineConformance`, gives it a fixture `subject`, and adds its own markers:

    class TestConformance(EngineConformance):
        @pytest.fixture(scope="class")
        @classmethod
        def subject(cls) -> Iterator[Subject]:
            engine = MyEngine(EMBEDDED_POLICY)
            yield Subject(engine, context=2048)
            asyncio.run(engine.close())

Every test runs on an event loop of its own, as the jobs of a sweep do. The laws suit any engine whose model has something
to say about the prompts below; they were written for the embedded policy.
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.engines.subject import (
    HOT,
    PROMPTS,
    RAMBLING,
    RAMBLING_PROMPT,
    Subject,
    bare,
    complete,
    complete_all,
    no_hang,
)
from tts.core.errors import EngineError
from tts.engines.generating import Completion, Request, Sampling


class EngineConformance:
    """The laws."""

    # Samples.

    async def test_every_seed_yields_one_completion(self, subject: Subject) -> None:
        for seeds in ((7,), (3, 1, 2), (5, 5, 0, 5), tuple(range(2**31 - 9, 2**31))):
            landed = [c async for c in subject.engine.generate(Request(PROMPTS[0], HOT, seeds))]
            assert sorted(c.index for c in landed) == list(range(len(seeds)))

    @pytest.mark.parametrize(
        "sampling",
        [
            HOT,
            replace(HOT, temperature=0.8, top_p=0.9),
            replace(HOT, top_k=5, repetition_penalty=1.2),
            replace(HOT, temperature=0.0),
            replace(HOT, stop=("\n\n",), include_stop=True),
        ],
    )
    async def test_a_sample_depends_on_prompt_sampling_and_seed_only(
        self, subject: Subject, sampling: Sampling
    ) -> None:
        engine, seeds = subject.engine, (11, 12, 13, 40, 12)
        alone = [bare((await complete(engine, Request(PROMPTS[0], sampling, (seed,))))[0]) for seed in seeds]
        together = Request(PROMPTS[0], sampling, seeds)
        backwards = Request(PROMPTS[0], sampling, seeds[::-1])
        others = [Request(prompt, replace(HOT, max_tokens=9 + i), (12, i)) for i, prompt in enumerate(PROMPTS * 4)]
        first, *_, last = await complete_all(engine, together, *others, backwards)
        assert [bare(c) for c in first] == alone
        assert [bare(c) for c in last] == alone[::-1]

    async def test_seeds_differ(self, subject: Subject) -> None:
        for seeds in (range(16), range(1000, 17_000, 1000)):
            said = await complete(subject.engine, Request(PROMPTS[0], HOT, tuple(seeds)))
            assert len({c.text for c in said}) > 4

    async def test_prompts_differ(self, subject: Subject) -> None:
        said = await complete_all(subject.engine, *(Request(prompt, HOT, (1,)) for prompt in PROMPTS))
        assert len({c.text for (c,) in said}) == len(PROMPTS)

    @pytest.mark.parametrize("sampling", [Sampling(top_k=1), Sampling(top_p=1e-6), Sampling(temperature=0.0)])
    async def test_what_leaves_one_token_is_greedy(self, subject: Subject, sampling: Sampling) -> None:
        greedy, narrow = Sampling(max_tokens=40, temperature=0.0), replace(sampling, max_tokens=40)
        ((expected,),) = await complete_all(subject.engine, Request(PROMPTS[1], greedy, (0,)))
        said = await complete(subject.engine, Request(PROMPTS[1], narrow, (1, 2, 3)))
        assert {c.text for c in said} == {expected.text}

    # Ends.

    @pytest.mark.parametrize("include", [False, True])
    async def test_a_stop_string_ends_the_text(self, subject: Subject, include: bool) -> None:
        request = Request(PROMPTS[0], HOT, tuple(range(6)))
        whole = await complete(subject.engine, request)
        # Of one character, across tokens, at the beginning, of several lines; and one that is in the prompt only.
        stops = {whole[seed].text[at : at + length] for seed in (0, 1) for at, length in ((0, 2), (9, 1), (14, 7))}
        for stop in sorted(stops | {": ", "\n\nStep"} - {""}):
            if "\ufffd" in stop:
                continue
            sampling = replace(HOT, stop=("never said", stop), include_stop=include)
            for before, cut in zip(
                whole, await complete(subject.engine, replace(request, sampling=sampling)), strict=True
            ):
                at = before.text.find(stop)
                if at < 0:
                    assert bare(cut) == bare(before)
                else:
                    assert (cut.finish_reason, cut.stop) == ("stop", stop)
                    assert cut.text == before.text[:at] + (stop if include else "")
                    assert cut.completion_tokens <= before.completion_tokens

    async def test_a_stop_string_of_the_prompt_does_not_end_the_text(self, subject: Subject) -> None:
        said = await complete(subject.engine, Request(PROMPTS[0], replace(HOT, stop=("A shop starts with",)), (0,)))
        assert said[0].completion_tokens > 1

    async def test_the_first_stop_string_is_the_one_reported(self, subject: Subject) -> None:
        greedy = Sampling(max_tokens=40, temperature=0.0)
        ((whole,),) = await complete_all(subject.engine, Request(PROMPTS[0], greedy))
        early, late = whole.text[6:12], whole.text[20:26]
        for stops in ((early, late), (late, early)):
            ((cut,),) = await complete_all(subject.engine, Request(PROMPTS[0], replace(greedy, stop=stops)))
            assert (cut.stop, cut.text) == (early, whole.text[: whole.text.index(early)])

    async def test_truncation_is_reported(self, subject: Subject) -> None:
        for most in (1, 2, 17):
            said = await complete(subject.engine, Request(PROMPTS[0], Sampling(max_tokens=most), (1, 2)))
            assert [(c.finish_reason, c.stop, c.completion_tokens) for c in said] == [("length", None, most)] * 2

    async def test_the_model_ends_the_text(self, subject: Subject) -> None:
        (said,) = await complete(subject.engine, Request(PROMPTS[0], Sampling(max_tokens=400, temperature=0.0)))
        assert (said.finish_reason, said.stop) == ("stop", None)
        # The end-of-text token counts and is not in the text.
        assert said.completion_tokens == await subject.engine.count_tokens(said.text) + 1

    async def test_the_context_cuts_the_text(self, subject: Subject) -> None:
        prompt = RAMBLING_PROMPT
        while await subject.engine.count_tokens(prompt + RAMBLING_PROMPT) < subject.context - 4:
            prompt += RAMBLING_PROMPT
        room = subject.context - await subject.engine.count_tokens(prompt)
        said = await complete(subject.engine, Request(prompt, replace(RAMBLING, max_tokens=100_000), tuple(range(20))))
        cut = [c for c in said if c.finish_reason == "length"]
        assert cut
        assert {c.completion_tokens for c in cut} == {room}

    async def test_a_prompt_beyond_the_context_is_an_error(self, subject: Subject) -> None:
        prompt = PROMPTS[0]
        while await subject.engine.count_tokens(prompt) <= subject.context:
            prompt += prompt
        async with no_hang():
            with pytest.raises(EngineError, match=rf"(?i)context.*\b{subject.context}\b"):
                await complete(subject.engine, Request(prompt, HOT, (1, 2)))
            assert len(await complete(subject.engine, Request(PROMPTS[0], HOT, (1, 2)))) == 2

    # Texts and tokens.

    async def test_a_greedy_text_goes_on_from_each_of_its_prefixes(self, subject: Subject) -> None:
        engine, greedy = subject.engine, Sampling(max_tokens=48, temperature=0.0)
        ((whole,),) = await complete_all(engine, Request(PROMPTS[1], greedy))
        compared = 0
        for most in range(5, 45, 4):
            ((head,),) = await complete_all(engine, Request(PROMPTS[1], replace(greedy, max_tokens=most)))
            assert whole.text.startswith(head.text)
            prefix = PROMPTS[1] + head.text
            # Where the text would be split into other tokens than were sampled, the model sees something else.
            if await engine.count_tokens(prefix) == head.prompt_tokens + most:
                ((rest,),) = await complete_all(engine, Request(prefix, replace(greedy, max_tokens=48 - most)))
                assert head.text + rest.text == whole.text
                compared += 1
        assert compared > 4

    async def test_tokens_are_counted(self, subject: Subject) -> None:
        for completions, prompt in zip(
            await complete_all(subject.engine, *(Request(prompt, HOT, (1, 2)) for prompt in PROMPTS)),
            PROMPTS,
            strict=True,
        ):
            assert {c.prompt_tokens for c in completions} == {await subject.engine.count_tokens(prompt)}
            assert all(1 <= c.completion_tokens <= HOT.max_tokens for c in completions)

    @pytest.mark.parametrize("alternatives", [1, 5, 20])
    async def test_tokens_come_with_their_log_probabilities(self, subject: Subject, alternatives: int) -> None:
        if not subject.logprobs:
            pytest.skip("this engine reports no tokens")
        sampling = replace(HOT, top_logprobs=alternatives, max_tokens=120)
        for completion in await complete(subject.engine, Request(PROMPTS[0], sampling, (1, 2, 3))):
            assert completion.tokens is not None
            assert len(completion.tokens) == completion.completion_tokens
            assert "".join(token.text for token in completion.tokens) == completion.text
            for token in completion.tokens:
                assert token.logprob <= 0
                assert max(token.top.values()) <= 0
                assert sum(map(math.exp, token.top.values())) < 1 + 1e-6
                assert any(math.isclose(lp, token.logprob, abs_tol=1e-9) for lp in token.top.values())
                # Bytes that are no whole character look alike, and special tokens may have no text of their own.
                if (
                    token.text
                    and "" not in token.top
                    and not any("\ufffd" in text for text in [*token.top, token.text])
                ):
                    assert token.top[token.text] == token.logprob
                    extra = sum(lp >= token.logprob for lp in token.top.values()) > alternatives
                    assert len(token.top) == alternatives + extra
                assert token.sampled.keys() == token.top.keys()

    async def test_log_probabilities_are_the_models_own(self, subject: Subject) -> None:
        if not subject.logprobs:
            pytest.skip("this engine reports no tokens")
        one = Sampling(max_tokens=1, top_logprobs=10)
        samplings = [one, replace(one, temperature=0.0), replace(one, temperature=1.7), replace(one, top_k=3)]
        tops = []
        for (completion,) in await complete_all(subject.engine, *(Request(PROMPTS[0], s) for s in samplings)):
            ((token,),) = [completion.tokens or ()]
            tops.append(sorted(token.top.values(), reverse=True)[:10])
        for top in tops[1:]:
            assert top == pytest.approx(tops[0], abs=subject.tolerance)

    async def test_what_was_sampled_from_is_reported(self, subject: Subject) -> None:
        if not subject.logprobs:
            pytest.skip("this engine reports no tokens")
        greedy = Sampling(max_tokens=12, temperature=0.0, top_logprobs=5)
        narrow = replace(greedy, temperature=0.7, top_k=3)
        (cold,), (warm,) = await complete_all(
            subject.engine, Request(PROMPTS[0], greedy), Request(PROMPTS[0], narrow, (3,))
        )
        for token in cold.tokens or ():
            assert sorted(token.sampled.values()) == [-math.inf] * (len(token.top) - 1) + [0.0]
        for token in warm.tokens or ():
            kept = {text: lp for text, lp in token.sampled.items() if lp > -math.inf}
            assert sum(map(math.exp, kept.values())) == pytest.approx(1.0, abs=subject.tolerance)
            assert len(kept) <= 3
            for a in kept:
                for b in kept:
                    expected = (token.top[a] - token.top[b]) / 0.7
                    assert kept[a] - kept[b] == pytest.approx(expected, abs=10 * subject.tolerance)

    async def test_tokens_stay_where_a_stop_string_cuts_the_text(self, subject: Subject) -> None:
        if not subject.logprobs:
            pytest.skip("this engine reports no tokens")
        for include in (False, True):
            sampling = replace(HOT, stop=("\n\n", "."), include_stop=include, top_logprobs=1)
            for completion in await complete(subject.engine, Request(PROMPTS[0], sampling, (1, 2))):
                joined = "".join(token.text for token in completion.tokens or ())
                assert joined.startswith(completion.text) or (
                    not subject.tokens_of_stop and completion.text.startswith(joined)
                )
                assert completion.stop is None or completion.stop in joined or not subject.tokens_of_stop

    # Many requests, cancelled ones, and the end.

    async def test_many_requests_at_once(self, subject: Subject) -> None:
        requests = [Request(PROMPTS[i % 3], replace(HOT, max_tokens=4 + i % 7), (i, i + 1)) for i in range(64)]
        counts = [await subject.engine.count_tokens(prompt) for prompt in PROMPTS]
        async with no_hang():
            landed = await complete_all(subject.engine, *requests)
        for i, completions in enumerate(landed):
            assert [c.index for c in completions] == [0, 1]
            assert {c.prompt_tokens for c in completions} == {counts[i % 3]}

    async def test_it_can_hold_its_capacity(self, subject: Subject) -> None:
        assert subject.engine.capacity >= 1
        seeds = tuple(range(min(subject.engine.capacity + 3, 200)))
        async with no_hang():
            assert len(await complete(subject.engine, Request(PROMPTS[0], replace(HOT, max_tokens=3), seeds))) == len(
                seeds
            )

    async def test_closing_the_iterator_frees_the_engine(self, subject: Subject) -> None:
        # Hundreds of thousands of tokens, minutes of work on a CPU, were they not dropped.
        many = Request(RAMBLING_PROMPT, RAMBLING, tuple(range(200)))
        async with no_hang():
            for _ in range(3):
                stream = subject.engine.generate(many)
                assert isinstance(await anext(stream), Completion)
                await stream.aclose()
                waiting = asyncio.ensure_future(complete(subject.engine, many))
                await asyncio.sleep(0.05)
                waiting.cancel()
                with suppress(asyncio.CancelledError):
                    await waiting
            assert len(await complete(subject.engine, Request(PROMPTS[1], HOT, (1, 2, 3)))) == 3

    async def test_closing_the_engine_ends_what_runs_and_it_starts_again(self, subject: Subject) -> None:
        request = Request(PROMPTS[0], HOT, (1, 2))
        before = [bare(c) for c in await complete(subject.engine, request)]
        long = [
            asyncio.ensure_future(complete(subject.engine, Request(RAMBLING_PROMPT, RAMBLING, seeds)))
            for seeds in (tuple(range(64)), tuple(range(64, 128)), (1, 2, 3) * 20)
        ]
        await asyncio.sleep(0.2)
        async with no_hang():
            await subject.engine.close()
            ends: list[Any] = await asyncio.gather(*long, return_exceptions=True)
        assert [type(end) for end in ends] == [EngineError] * len(long)
        await subject.engine.close()
        await asyncio.gather(subject.engine.start(), subject.engine.start())
        assert [bare(c) for c in await complete(subject.engine, request)] == before
