"""Streams: what a search does while it does it, then its answer; and what remains of one whose reader leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from starlette.types import Message

from tests.serve.caller import ASKED, QUESTION, Answer, Leaver, Served, events, serving
from tts.serve.event_stream import EventStream

pytestmark = pytest.mark.asyncio(loop_scope="package")
BODY = {"model": "best-of-16+genprm", "messages": ASKED, "stream": True}


async def streamed(server: Served, path: str = "/v1/chat/completions", **body: object) -> list[Answer]:
    answer = await server.client.post(path, json={**BODY, **body})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events(answer.text)


def content(chunks: list[Answer], field: str = "content") -> str:
    return "".join(chunk["choices"][0]["delta"].get(field) or "" for chunk in chunks if chunk["choices"])


async def test_a_stream_has_the_answer_of_a_whole_one(server: Served) -> None:
    whole = await server.chat()
    first, *_, last = chunks = await streamed(server)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert content(chunks) == whole["choices"][0]["message"]["content"]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["stop"]
    assert all(len(chunk["choices"]) == 1 for chunk in chunks)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["tts"]["answer"] == whole["tts"]["answer"]
    assert not any("usage" in chunk for chunk in chunks)
    assert {chunk["id"] for chunk in chunks} == {first["id"]}


async def test_it_ends_with_its_usage_if_it_is_asked_for(server: Served) -> None:
    whole = await server.chat()
    *others, last = await streamed(server, stream_options={"include_usage": True})
    assert last["usage"] == whole["usage"]
    assert last["choices"] == []
    assert {other["usage"] for other in others} == {None}
    assert others[-1]["tts"]["answer"] == whole["tts"]["answer"]


async def test_several_answers_are_told_apart_by_their_index(server: Served) -> None:
    whole = await server.chat(n=3)
    chunks = await streamed(server, n=3, tts={"reasoning": "none"})
    for index, choice in enumerate(whole["choices"]):
        mine = [chunk for chunk in chunks if chunk["choices"] and chunk["choices"][0]["index"] == index]
        assert content(mine) == choice["message"]["content"]
        assert mine[0]["choices"][0]["delta"]["role"] == "assistant"


async def test_reasoning_has_as_much_as_is_asked_for(server: Served) -> None:
    told = {
        detail: content(await streamed(server, tts={"reasoning": detail, "n": 2}), "reasoning_content")
        for detail in ("none", "summary", "full")
    }
    assert told["none"] == ""
    assert sorted(line.split(":")[0] for line in told["summary"].splitlines()[:-1]) == [
        *("[1] judged", "[1] sampled", "[2] judged", "[2] sampled"),
    ]
    assert told["summary"].splitlines()[-1] in ("[1] chosen", "[2] chosen")
    assert "7 * 8 = " not in told["summary"]
    assert told["full"].count("7 * 8 = ") >= 2
    assert (await server.chat(tts={"reasoning": "summary", "n": 2}))["choices"][0]["message"]["reasoning_content"]


async def test_full_reasoning_has_the_events_for_programs(server: Served) -> None:
    chunks = await streamed(server, tts={"reasoning": "full", "n": 3})
    told = [chunk["tts"]["event"] for chunk in chunks if "event" in chunk.get("tts", {})]
    sampled = {event["node"] for event in told if event["kind"] == "sampled"}
    judged = {event["node"] for event in told if event["kind"] == "judged"}
    assert sampled == judged == {1, 2, 3}
    assert told[-1]["kind"] == "chosen"
    assert told[-1]["node"] in sampled


async def test_what_a_search_could_go_on_with_and_did_not_is_dropped(server: Served) -> None:
    chunks = await streamed(server, model="beam-8+genprm", tts={"reasoning": "full"})
    *told, chosen = [chunk["tts"]["event"] for chunk in chunks if "event" in chunk.get("tts", {})]
    sampled = [event for event in told if event["kind"] == "sampled"]
    parents = {event["parent"] for event in sampled}
    dropped = [event["node"] for event in sampled if not event["finished"] and event["node"] not in parents]
    assert dropped
    assert chosen["dropped"] == dropped
    said = content(chunks, "reasoning_content").splitlines()
    assert [line for line in said if line.endswith("dropped")] == [f"[{node}] dropped" for node in dropped]


async def test_a_completion_streams_its_text_and_has_no_place_for_reasoning(server: Served) -> None:
    asked = {"model": BODY["model"], "prompt": QUESTION, "stream": True}
    whole = await server.client.post("/v1/completions", json={**asked, "stream": False})
    chunks = events((await server.client.post("/v1/completions", json=asked)).text)
    texts = [chunk["choices"][0]["text"] for chunk in chunks if chunk["choices"]]
    assert "".join(texts) == whole.json()["choices"][0]["text"]
    refused = await server.client.post("/v1/completions", json={**asked, "tts": {"reasoning": "full"}})
    assert refused.status_code == 400


async def test_the_first_bytes_come_at_once_and_then_signs_of_life() -> None:
    async with serving("limits.heartbeat=0.01") as server:
        server.engine.free.clear()
        caller = Leaver(server.app, BODY)
        assert b'"role":"assistant"' in await caller.read.get()
        assert [await caller.read.get() for _ in range(3)] == [b": searching\n\n"] * 3
        server.engine.free.set()
        await caller.task


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_who_leaves_stops_his_search_and_frees_its_place(server: Served, stream: bool) -> None:
    server.engine.free.clear()
    caller = Leaver(server.app, {**BODY, "stream": stream})
    await server.engine.begun.wait()
    assert (server.engine.working, server.service.admission.running) == (1, 1)
    await caller.leave()
    assert (server.engine.working, server.service.admission.running) == (0, 0)
    assert 'tts_searches_total{model="best-of-16+genprm",outcome="left"}' in server.service.metrics.text(0, 0)


async def test_one_who_leaves_does_not_stop_another_with_the_same_question(server: Served) -> None:
    server.engine.free.clear()
    leaving, staying = Leaver(server.app, BODY), Leaver(server.app, BODY)
    await server.engine.begun.wait()
    await asyncio.sleep(0.01)
    await leaving.leave()
    server.engine.free.set()
    await staying.task
    read = b"".join(staying.read.get_nowait() for _ in range(staying.read.qsize()))
    assert content(events(read.decode()))


async def test_one_who_does_not_read_is_left_after_a_while(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.serve.event_stream.READ_S", 0.05)
    server.engine.free.clear()
    caller = Leaver(server.app, BODY)
    await server.engine.begun.wait()
    caller.reads.clear()
    server.engine.free.set()
    await caller.task
    assert (server.engine.working, server.service.admission.running) == (0, 0)
    assert b"[DONE]" not in b"".join(caller.read.get_nowait() for _ in range(caller.read.qsize()))


async def test_one_who_reads_slowly_is_left_when_the_time_of_the_stream_is_up() -> None:
    closed, sent = asyncio.Event(), list[Message]()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b": searching\n\n"
        finally:
            closed.set()

    async def slow(message: Message) -> None:
        await asyncio.sleep(0.01)
        sent.append(message)

    await EventStream(endless(), 0.05)({"type": "http"}, asyncio.Queue[Message]().get, slow)
    assert closed.is_set()
    assert len(sent) > 1
    assert all(message.get("more_body", True) for message in sent)  # unfinished, so that the connection is closed


async def test_two_hundred_callers_at_once_each_get_their_own_answer(server: Served) -> None:
    asked = [server.chat(model="policy", n=1 + number % 5, seed=number % 7) for number in range(200)]
    answers = await asyncio.gather(*asked)
    alone = {(n, seed): await server.chat(model="policy", n=n, seed=seed) for n in range(1, 6) for seed in range(7)}
    for number, answer in enumerate(answers):
        assert answer["choices"] == alone[1 + number % 5, number % 7]["choices"]


async def test_a_failure_in_the_middle_is_an_event(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.engine, "_answer", lambda prompt, seed: 1 / 0)
    answered = await server.client.post("/v1/chat/completions", json=BODY)
    *_, error, _done = answered.text.split("\n\n")[:-1]
    assert '"type":"server_error"' in error


async def test_what_is_refused_is_refused_before_the_stream(server: Served) -> None:
    assert "tts.n=99" in await server.refused(stream=True, tts={"n": 99})
