"""Recording and replaying."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts.core.errors import EngineError, UserError
from tts.engines.generating import Completion, Request, Sampling, Token
from tts.engines.logprobs import as_sampled, read_tokens, write_tokens
from tts.engines.replay import Recorder, ReplayEngine
from tts.engines.scripted import ScriptedEngine

SAMPLING = Sampling(stop=("!",), include_stop=True, top_logprobs=20)


async def ask(engine: object, prompt: str, seeds: tuple[int, ...] = (0,)) -> list[Completion]:
    return [c async for c in engine.generate(Request(prompt, SAMPLING, seeds))]  # type: ignore[attr-defined]


def write(path: Path, *rows: object) -> ReplayEngine:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return ReplayEngine(str(path))


def said(text: str, seed: int) -> Completion:
    token = Token(text, -0.5, {text: -0.5, "x": -1.0}, {text: 0.0, "x": -math.inf})
    return Completion(text, "stop", "!" if text.endswith("!") else None, (token,), 3)


async def test_a_replay_is_the_recorded_run_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    recorder = Recorder(ScriptedEngine(lambda prompt, seed: said(f"{prompt}é{seed}!", seed)), str(path))
    await recorder.start()
    first = [await ask(recorder, prompt, (1, 2)) for prompt in ("a", "b\n")]
    replay = ReplayEngine(str(path))
    for _ in range(2):
        await replay.start()
        assert [await ask(replay, "b\n", (1, 2)), await ask(replay, "a", (1, 2))] == first[::-1]
    assert (await ask(replay, "a", (2,)))[0].text == "aé2!"


async def test_what_is_no_unicode_and_ways_of_sampling_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    def answer(prompt: str, seed: int) -> Completion:
        return said(f"{prompt}{len(engine.requests)}", seed)

    engine = ScriptedEngine(answer)
    recorder = Recorder(engine, str(path))
    await recorder.start()
    requests = [Request("é\ud800", replace(SAMPLING, temperature=t), (1,)) for t in (0.5, 1)]
    first = [[c async for c in recorder.generate(request)] for request in requests]
    replay = ReplayEngine(str(path))
    await replay.start()
    assert [[c async for c in replay.generate(request)] for request in requests] == first
    # How it was sampled is no reason to refuse what was recorded.
    assert await ask(replay, "é\ud800", (1,)) == first[1]


async def test_a_recording_is_gone_on_with_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    first = await record(path, "a")
    with path.open("a", encoding="ascii") as file:
        file.write('{"prompt": "torn')
    second = await record(path, "b")
    replay = ReplayEngine(str(path))
    await replay.start()
    assert [await ask(replay, "a", (1,)), await ask(replay, "b", (1,))] == [first, second]


async def record(path: Path, prompt: str) -> list[Completion]:
    recorder = Recorder(ScriptedEngine(lambda prompt, seed: said(f"{prompt}!", seed)), str(path))
    await recorder.start()
    return await ask(recorder, prompt, (1,))


async def test_a_recording_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path}: cannot be written"):
        await Recorder(ScriptedEngine(lambda prompt, seed: "a"), str(tmp_path)).start()


async def test_other_peoples_recordings_are_handed_out_in_order(tmp_path: Path) -> None:
    engine = write(
        tmp_path / "r.jsonl",
        {
            "prompt": "a",
            "completions": [{"text": "1!", "finish_reason": "stop"}, {"text": "2", "finish_reason": "length"}],
        },
        {"prompt": "a", "completions": [{"text": "3"}]},
    )
    await engine.start()
    got = await ask(engine, "a", (7, 8)) + await ask(engine, "a", (9,))
    assert [(c.text, c.finish_reason, c.stop) for c in got] == [
        ("1!", "stop", "!"),
        ("2", "length", None),
        ("3", "stop", None),
    ]
    with pytest.raises(EngineError, match="more often than it was recorded"):
        await ask(engine, "a")


@given(st.text(min_size=1), st.text(min_size=1), st.text())
async def test_a_refusal_shows_where_the_request_first_differs(tmp_path_factory, a: str, b: str, common: str) -> None:
    if a[0] == b[0]:
        return
    engine = write(tmp_path_factory.mktemp("r") / "r.jsonl", {"prompt": common + a, "completions": [{"text": "x"}]})
    await engine.start()
    with pytest.raises(EngineError, match=f"first differs from the nearest one at character {len(common)}:"):
        await ask(engine, common + b)


async def test_another_seed_is_refused(tmp_path: Path) -> None:
    engine = write(tmp_path / "r.jsonl", {"prompt": "a", "completions": [{"text": "1", "seed": 3}]})
    await engine.start()
    with pytest.raises(EngineError, match="not its sample with seed 4"):
        await ask(engine, "a", (4,))


@pytest.mark.parametrize(
    "row",
    [
        *("{", "[1]", '{"prompt": "a"}', '{"prompt": "a", "completions": [{"finish_reason": "stop"}]}', "3"),
        *('{"prompt": 3, "completions": []}', '{"prompt": ["a"], "completions": []}'),
    ],
)
async def test_a_broken_row_is_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"prompt": "a", "completions": []}\n' + row + "\n", "utf-8")
    with pytest.raises(UserError, match=r"r\.jsonl:2"):
        await ReplayEngine(str(path)).start()


def test_a_missing_recording_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^path=null: a recording is needed"):
        ReplayEngine()
    with pytest.raises(UserError, match="no such recording"):
        ReplayEngine(str(tmp_path / "none"))


def test_chat_logprobs_are_read_too() -> None:
    content = [
        {
            "token": "Yes",
            "logprob": -0.1,
            "top_logprobs": [{"token": "Yes", "logprob": -0.1}, {"token": "No", "logprob": -3}],
        }
    ]
    (token,) = read_tokens({"content": content}, Sampling())
    assert (token.text, token.top) == ("Yes", {"Yes": -0.1, "No": -3})


distributions = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(-20, 0), min_size=1, max_size=25)


@given(distributions, st.floats(0.1, 2), st.floats(0.1, 1), st.integers(0, 25))
def test_what_was_sampled_from_is_a_distribution_over_the_likeliest(
    top: dict[str, float], t: float, p: float, k: int
) -> None:
    sampled = as_sampled(top, next(iter(top)), Sampling(temperature=t, top_p=p, top_k=k))
    kept = {token for token, logprob in sampled.items() if logprob > -math.inf}
    assert math.isclose(sum(math.exp(sampled[token]) for token in kept), 1.0)
    assert len(kept) <= (k or len(top))
    assert min(top[token] for token in kept) >= max((top[token] for token in set(top) - kept), default=-math.inf)


@given(distributions)
def test_tokens_survive_writing_and_reading(top: dict[str, float]) -> None:
    chosen = max(top, key=lambda token: top[token])
    token = Token(chosen, top[chosen], top, as_sampled(top, chosen, Sampling(top_k=2, temperature=0.7)))
    assert read_tokens(json.loads(json.dumps(write_tokens([token]))), Sampling()) == (token,)
