from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engines.conftest import tokenizer
from tests.engines.subject import complete
from tests.engines.test_sampler import expected_scores
from tests.engines.transformers_runs import LONG, Checkpoints, forward_passes, plain, rounded, run
from tts.core.errors import EngineError
from tts.engines.generating import Completion, Request, Sampling
from tts.engines.transformers import TransformersEngine

pytestmark = pytest.mark.integration


KINDS = ("llama", "qwen2", "gemma3")


@pytest.fixture(scope="module")
def engines(checkpoint: Checkpoints) -> Iterator[Callable[..., TransformersEngine]]:
    """Returns started engines, one for each way to set one up."""
    made: dict[Any, TransformersEngine] = {}

    def get(kind: str, **settings: Any) -> TransformersEngine:
        key = kind, *sorted(settings.items())
        if key not in made:
            made[key] = TransformersEngine(str(checkpoint(kind)), device="cpu", **settings)
            asyncio.run(made[key].start())
        return made[key]

    yield get
    for engine in made.values():
        asyncio.run(engine.close())


texts = st.sampled_from([LONG, LONG[:20], LONG[:5], "Yes", "No, it is not. 数学", LONG[:20] + " and"])
samplings = st.builds(
    Sampling,
    max_tokens=st.sampled_from([1, 2, 7, 30]),
    temperature=st.sampled_from([0.0, 0.7, 1.0]),
    top_p=st.sampled_from([0.8, 1.0]),
    top_k=st.sampled_from([0, 10]),
    repetition_penalty=st.sampled_from([1.0, 1.2]),
    stop=st.sampled_from([(), ("e",), ("is ", "\n")]),
    include_stop=st.booleans(),
    top_logprobs=st.sampled_from([0, 2]),
)
requests = st.builds(
    Request, prompt=texts, sampling=samplings, seeds=st.lists(st.integers(0, 99), min_size=1, max_size=4).map(tuple)
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_completion_depends_on_its_own_request_only(kind: str, engines: Any, data: st.DataObject) -> None:
    wanted = data.draw(st.lists(requests, min_size=1, max_size=6))
    delays = data.draw(st.lists(st.integers(0, 8), min_size=len(wanted), max_size=len(wanted)))
    batch_size = data.draw(st.sampled_from([2, 5, 64]))
    cache = data.draw(st.sampled_from([0, 1]))
    engine = engines(kind, batch_size=batch_size, prefix_cache_mb=cache)
    alone = engines(kind, batch_size=1, prefix_cache_mb=0)

    async def later(request: Request, delay: int) -> list[Completion]:
        await asyncio.sleep(delay * 1e-3)
        return await complete(engine, request)

    async def main() -> list[list[Completion]]:
        return await asyncio.gather(*map(later, wanted, delays))

    for request, got in zip(wanted, asyncio.run(main()), strict=True):
        for index, (seed, completion) in enumerate(zip(request.seeds, got, strict=True)):
            ((expected,),) = run(alone, replace(request, seeds=(seed,)))
            assert plain(completion) == rounded(replace(expected, index=index))


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_those_of_the_plain_model(kind: str, engines: Any, checkpoint: Checkpoints) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reference = AutoModelForCausalLM.from_pretrained(checkpoint(kind)).eval()
    tokens = AutoTokenizer.from_pretrained(checkpoint(kind))
    size, prompt = len(tokens), LONG
    samplings = [
        Sampling(max_tokens=3, top_logprobs=size),
        Sampling(max_tokens=12, top_logprobs=3, temperature=0.6, top_k=20, top_p=0.8, repetition_penalty=1.3),
        Sampling(max_tokens=12, top_logprobs=3, temperature=0),
    ]
    # A short neighbour makes the rows of the batch unequal; the first request fills the prefix cache.
    engine = engines(kind, batch_size=8, prefix_cache_mb=1)
    run(engine, Request(prompt[: len(prompt) // 2], Sampling(max_tokens=3)))
    results = run(engine, *(Request(prompt, s, (1, 2)) for s in samplings), Request("No", Sampling(max_tokens=9)))
    for sampling, completions in zip(samplings, results, strict=False):
        for completion in completions:
            prompt_ids = tokens(prompt, add_special_tokens=False)["input_ids"]
            ids = list(prompt_ids)
            assert completion.tokens is not None
            for token in completion.tokens:
                with torch.inference_mode():
                    logits = reference(input_ids=torch.tensor([ids])).logits[0, -1]
                raw = logits.log_softmax(-1)
                processed = expected_scores(logits, sampling, ids)
                chosen = int((raw - token.logprob).abs().argmin())
                assert raw[chosen].item() == pytest.approx(token.logprob, abs=1e-9)
                assert processed[chosen] > -math.inf
                shown = {*raw.topk(min(sampling.top_logprobs, len(raw))).indices.tolist(), chosen}
                order = sorted(shown, key=raw.tolist().__getitem__)
                names = [tokens.decode([i]) for i in order]
                top = dict(zip(names, raw[order].tolist(), strict=True))
                sampled = dict(zip(names, processed[order].tolist(), strict=True))
                assert dict(token.top) == pytest.approx(top, abs=1e-9)
                assert dict(token.sampled) == pytest.approx(sampled, abs=1e-9)
                ids.append(chosen)
            assert completion.text == tokens.decode(ids[len(prompt_ids) :]).removesuffix("<eos>")


@pytest.mark.parametrize("kind", KINDS)
def test_many_samples_that_share_their_prompt_are_what_each_is_alone(kind: str, engines: Any) -> None:
    sampling = Sampling(max_tokens=20, top_logprobs=2)
    # Two groups beside each other, rows that share nothing, and rows that end early.
    wanted = [
        Request(LONG, sampling, tuple(range(24))),
        Request(LONG[:30], replace(sampling, stop=("e", "1")), tuple(range(16))),
        Request("Yes", sampling, (1, 2)),
    ]
    alone = engines(kind, batch_size=1, prefix_cache_mb=0)
    results = run(engines(kind, batch_size=64, prefix_cache_mb=1), *wanted)
    for request, got in zip(wanted, results, strict=True):
        for index in (0, 1, len(request.seeds) - 1):
            ((expected,),) = run(alone, replace(request, seeds=(request.seeds[index],)))
            assert plain(got[index]) == rounded(replace(expected, index=index))
    # A prompt that goes on from a sequence which was kept in two parts.
    following = Request(LONG + results[0][0].text, sampling, (5,))
    ((completion,),), ((expected,),) = (
        run(e, following) for e in (engines(kind, batch_size=64, prefix_cache_mb=1), alone)
    )
    assert plain(completion) == rounded(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_text_is_that_of_generate(kind: str, engines: Any, checkpoint: Checkpoints) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    reference = AutoModelForCausalLM.from_pretrained(checkpoint(kind))
    tokens = AutoTokenizer.from_pretrained(checkpoint(kind))
    prompts = [LONG, "Yes", LONG[:30], "No, it"]
    greedy = Sampling(max_tokens=40, temperature=0)
    results = run(engines(kind, batch_size=3), *(Request(prompt, greedy) for prompt in prompts))
    for prompt, (completion,) in zip(prompts, results, strict=True):
        ids = torch.tensor([tokens(prompt, add_special_tokens=False)["input_ids"]])
        out = reference.generate(ids, do_sample=False, max_new_tokens=40)[0, ids.shape[1] :]
        assert completion.text == tokens.decode(out).removesuffix("<eos>")
        assert completion.completion_tokens == len(out)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), begin=st.integers(0, 30), length=st.integers(1, 6), include=st.booleans())
def test_a_stop_string_cuts_the_text_at_its_first_occurrence(
    seed: int, begin: int, length: int, include: bool, engines: Any
) -> None:
    engine = engines("llama", batch_size=64)
    sampling = Sampling(max_tokens=40)
    ((whole,),) = run(engine, Request(LONG, sampling, (seed,)))
    stop = whole.text[begin : begin + length] or "never there"
    stopping = replace(sampling, stop=("also never", stop), include_stop=include, top_logprobs=1)
    ((cut,),) = run(engine, Request(LONG, stopping, (seed,)))
    at = whole.text.find(stop)
    assert cut.tokens is not None
    assert "".join(token.text for token in cut.tokens).startswith(cut.text)
    assert len(cut.tokens) == cut.completion_tokens <= whole.completion_tokens
    if at < 0:
        assert (cut.text, cut.finish_reason, cut.stop) == (whole.text, whole.finish_reason, None)
    elif "\ufffd" not in stop:
        assert (cut.finish_reason, cut.stop) == ("stop", stop)
        assert cut.text == whole.text[: at + len(stop) if include else at]


def test_end_tokens_end_the_text_and_are_not_in_it(checkpoint: Checkpoints, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    shutil.copytree(checkpoint("llama"), tmp_path, dirs_exist_ok=True)
    ends = list(range(0, len(tokenizer()), 3))
    GenerationConfig(eos_token_id=ends).save_pretrained(tmp_path)
    tokens = tokenizer()
    engine = TransformersEngine(str(tmp_path), device="cpu")
    ((*completions,),) = run(engine, Request("Yes", Sampling(max_tokens=30, top_logprobs=1), tuple(range(20))))
    for completion in completions:
        assert completion.tokens is not None
        assert completion.finish_reason == "stop"
        assert completion.completion_tokens == len(completion.tokens)
        assert completion.tokens[-1].text == ""
        written = tokens(completion.text, add_special_tokens=False)["input_ids"]
        assert "\ufffd" in completion.text or len(written) <= completion.completion_tokens - 1
    asyncio.run(engine.close())


def test_the_context_bounds_prompt_and_completion(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu", context=40)
    length = asyncio.run(engine.count_tokens(LONG))
    ((completion,),) = run(engine, Request(LONG, Sampling(max_tokens=1000), (3,)))
    assert completion.finish_reason == "length"
    assert completion.completion_tokens == 40 - length
    with pytest.raises(EngineError, match="context of 40"):
        run(engine, Request(LONG * 3))
    with pytest.raises(EngineError, match="empty"):
        run(engine, Request(""))
    asyncio.run(engine.close())


def test_equal_prompts_share_one_prefill_and_chains_reuse_theirs(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu", batch_size=4)
    asyncio.run(engine.start())
    length = asyncio.run(engine.count_tokens(LONG))
    with forward_passes(engine) as shapes:
        run(engine, *(Request(LONG, Sampling(max_tokens=5), seeds) for seeds in ((1, 2, 3), (4, 5, 6), (7,))))
    # The second pass over the prompt, when rows are free again, would be one of its last token.
    assert [shape for shape in shapes if shape[1] > 1] == [(1, length)]
    tokens = tokenizer()

    def canonical(text: str, completion: Completion) -> bool:
        """Whether the text with its completion has the tokens that were sampled."""
        return len(tokens(text + completion.text)["input_ids"]) == len(tokens(text)["input_ids"]) + 2

    text = LONG
    with forward_passes(engine) as shapes:
        for _ in range(4):
            ((*completions,),) = run(engine, Request(text, Sampling(max_tokens=2, top_k=50), tuple(range(60))))
            text += next(c.text for c in completions if canonical(text, c)) + " 12"
    # A new prompt brings what was forced and the last sampled token, which no step has fed yet.
    assert max(tokens for _, tokens in shapes) <= 1 + len(tokens(" 12", add_special_tokens=False)["input_ids"])
    asyncio.run(engine.close())


async def test_closing_the_iterator_frees_its_rows(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu", batch_size=2)
    await engine.start()
    long = engine.generate(Request("Yes", Sampling(max_tokens=240, repetition_penalty=1.01), (1, 2, 3, 4)))
    first = asyncio.ensure_future(anext(aiter(long)))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with forward_passes(engine) as shapes:
        await complete(engine, Request("No", Sampling(max_tokens=10)))
    assert len(shapes) < 20
    await engine.close()


async def test_a_failing_forward_pass_fails_its_requests_only(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu", prefix_cache_mb=0)
    expected = await complete(engine, Request(LONG, Sampling(max_tokens=6), (1, 2)))
    assert engine._worker is not None
    for at in (0, 3):
        calls = 0

        def fail(*_: Any, at: int = at) -> None:
            nonlocal calls
            calls += 1
            if calls == at + 1:
                raise RuntimeError("out of memory")

        hook = engine._worker._model.module.register_forward_pre_hook(fail)
        with pytest.raises(EngineError, match="out of memory"):
            await complete(engine, Request(LONG, Sampling(max_tokens=6), (1, 2)))
        assert await complete(engine, Request(LONG, Sampling(max_tokens=6), (1, 2))) == expected
        hook.remove()
    await engine.close()


async def test_closing_fails_what_is_pending(checkpoint: Checkpoints) -> None:
    engine = TransformersEngine(str(checkpoint("llama")), device="cpu", batch_size=1)
    await engine.start()
    pending = [
        asyncio.ensure_future(complete(engine, Request(text, Sampling(max_tokens=200), tuple(range(50)))))
        for text in ("Yes", "No")
    ]
    await asyncio.sleep(0.01)
    await engine.close()
    results = await asyncio.gather(*pending, return_exceptions=True)
    assert all(isinstance(result, EngineError) for result in results)
    # Starting again is possible.
    assert len(await complete(engine, Request("Yes", Sampling(max_tokens=2)))) == 1
    await engine.close()
