"""What stands before every request: keys, rates, sizes, forms, and who may ask from where."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.serve.caller import ASKED, Leaver, Served, serving

pytestmark = pytest.mark.asyncio(loop_scope="package")
BODY = {"model": "policy", "messages": ASKED}
JSON = {"Content-Type": "application/json"}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def test_only_who_has_a_key_may_ask(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tts.serve.access")
    async with serving(keys={"ann": digest("k1"), "bob": digest("k2")}) as server:
        for header in (None, "Bearer k3", "Bearer ", "Basic k1", "k1"):
            headers = {} if header is None else {"Authorization": header}
            for path in ("/v1/models", "/v1/chat/completions", "/metrics"):
                answer = await server.client.get(path, headers=headers)
                assert answer.status_code == 401
                assert answer.json()["error"]["code"] == "invalid_api_key"
        assert (await server.client.get("/healthz")).status_code == 200
        caplog.clear()
        answer = await server.client.post("/v1/chat/completions", json=BODY, headers={"Authorization": "Bearer k2"})
        assert answer.status_code == 200
    [entry] = [json.loads(record.message) for record in caplog.records if record.name == "tts.serve.access"]
    assert (entry["key"], entry["status"], entry["path"]) == ("bob", 200, "/v1/chat/completions")
    assert entry["policy_tokens"] > 0
    assert entry["id"] == answer.headers["x-request-id"]
    assert ASKED[0]["content"] not in str(entry)


async def test_texts_are_logged_only_if_that_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tts.serve.access")
    async with serving("log_texts=true") as server:
        await server.chat(model="policy")
    assert ASKED[0]["content"] in caplog.text


async def test_each_key_has_a_rate_of_its_own() -> None:
    async with serving("limits.requests_per_minute=2", keys={"ann": digest("k1"), "bob": digest("k2")}) as server:
        found = [
            (await server.client.get("/v1/models/none", headers={"Authorization": f"Bearer {key}"})).status_code
            for key in ("k1", "k1", "k1", "k2")
        ]
        assert found == [404, 404, 429, 404]
        refused = await server.client.get("/v1/models", headers={"Authorization": "Bearer k1"})
    assert 1 <= int(refused.headers["Retry-After"]) <= 30


async def test_a_full_queue_is_refused_with_the_time_to_wait() -> None:
    async with serving("limits.in_flight=1", "limits.queue=1") as server:
        server.engine.free.clear()
        running = Leaver(server.app, BODY)
        await server.engine.begun.wait()
        waiting = Leaver(server.app, BODY)
        while server.service.admission.waiting == 0:  # noqa: ASYNC110
            await asyncio.sleep(0)
        answer = await server.client.post("/v1/chat/completions", json=BODY)
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "queue_full"
        assert int(answer.headers["Retry-After"]) >= 1
        assert (await server.client.get("/healthz")).status_code == 200
        server.engine.free.set()
        await running.task
        await waiting.task
        assert (running.status, waiting.status) == (200, 200)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"model": NaN}', b'{"model": "policy"}', b'"text"'],
)
async def test_what_is_no_request_is_refused(server: Served, content: bytes) -> None:
    answer = await server.client.post("/v1/chat/completions", content=content, headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("content", "status"),
    [(b'{"model": "\\ud800", "messages": [{"role": "user", "content": "1"}]}', 404), (b'{"\\udfff": 1}', 400)],
)
async def test_half_of_a_character_is_said_as_well_as_it_can_be(server: Served, content: bytes, status: int) -> None:
    answer = await server.client.post("/v1/chat/completions", content=content, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


async def test_a_body_has_a_size_that_it_may_have() -> None:
    async with serving("limits.body=1000") as server:
        long = {**BODY, "user": "u" * 1000}

        async def in_parts():
            for _ in range(100):
                yield b" " * 20

        assert (await server.client.post("/v1/chat/completions", json=long)).status_code == 413
        answer = await server.client.post("/v1/chat/completions", content=in_parts(), headers=JSON)
        assert answer.status_code == 413
        assert (await server.client.post("/v1/chat/completions", json=BODY)).status_code == 200


async def test_only_json_is_read_since_pages_of_other_origins_can_send_texts(server: Served) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = await server.client.post(
            "/v1/chat/completions", content=json.dumps(BODY).encode(), headers={"Content-Type": kind}
        )
        assert answer.status_code == 415
    assert server.engine.requests == []


async def test_pages_of_other_names_and_origins_are_kept_out(server: Served) -> None:
    assert (await server.client.get("/v1/models", headers={"Host": "evil.example"})).status_code == 400
    answer = await server.client.get("/v1/models", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


async def test_allowed_origins_may_ask() -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    async with serving("origins=['https://good.example']", keys={"ann": digest("k1")}) as server:
        for origin, status in (("https://good.example", 200), ("https://evil.example", 400)):
            answer = await server.client.options("/v1/chat/completions", headers={"Origin": origin, **ask})
            assert answer.status_code == status


async def test_other_paths_and_methods_are_refused_in_the_same_form(server: Served) -> None:
    for answer in (await server.client.get("/v2"), await server.client.get("/v1/chat/completions")):
        assert answer.status_code in (404, 405)
        assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_metrics_count_what_was_done() -> None:
    async with serving() as server:
        answer = await server.chat()
        await server.refused(n=99)
        lines = (await server.client.get("/metrics")).text.splitlines()
    tokens = answer["usage"]["completion_tokens_details"]["policy_tokens"]
    for line in (
        'tts_searches_total{model="best-of-16+genprm",outcome="finished"} 1',
        f'tts_completion_tokens_total{{role="policy"}} {tokens}',
        'tts_verifications_total{role="verifier"} 32',
        'tts_search_seconds_bucket{model="best-of-16+genprm",le="+Inf"} 1',
        'tts_http_requests_total{status="400"} 1',
        "tts_searches_running 0",
    ):
        assert line in lines


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_still_in_flight_when_a_server_stops_is_given_up_and_the_caller_answered(stream: bool) -> None:
    async with serving() as server:
        server.engine.free.clear()
        running = Leaver(server.app, {**BODY, "stream": stream})
        await server.engine.begun.wait()
        server.service.admission.close()
        server.service.admission.stop()
        await running.task
        assert server.engine.working == 0
    read = b"".join(running.read.get_nowait() for _ in range(running.read.qsize()))
    assert running.status == 200
    assert b'"finish_reason":"length"' in read
    assert b'"limits_hit":["request.seconds"]' in read


async def test_a_server_that_ends_takes_no_further_searches_and_cuts_those_that_run() -> None:
    async with serving() as server:
        server.engine.free.clear()
        running = Leaver(server.app, {**BODY, "stream": True})
        await server.engine.begun.wait()
        server.service.admission.close()
        for answer in (
            await server.client.get("/healthz"),
            await server.client.post("/v1/chat/completions", json=BODY),
        ):
            assert answer.status_code == 503
        server.service.admission.cut()
        server.engine.free.set()
        await running.task
    read = b"".join(running.read.get_nowait() for _ in range(running.read.qsize()))
    assert b"boxed" in read
    assert read.endswith(b"[DONE]\n\n")


async def test_a_body_that_does_not_arrive_is_not_waited_for(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tts.serve.door._BODY_S", 0.05)

    async def half():
        yield b"{"
        await asyncio.Event().wait()

    answer = await server.client.post("/v1/chat/completions", content=half(), headers=JSON)
    assert answer.status_code == 408


async def test_an_answer_that_nobody_reads_keeps_a_place_and_no_slot() -> None:
    async with serving("limits.in_flight=1", "limits.queue=1") as server:
        server.engine.free.clear()
        slow = [Leaver(server.app, {**BODY, "stream": stream}) for stream in (True, False)]
        await asyncio.gather(slow[0].read.get(), server.engine.begun.wait())
        for caller in slow:
            caller.reads.clear()
        server.engine.free.set()
        while 'outcome="finished"} 2' not in server.service.metrics.text(0, 0):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert server.service.admission.running == 0
        assert (await server.client.post("/v1/chat/completions", json=BODY)).status_code == 429
        for caller in slow:
            caller.reads.set()
            await caller.task
        assert (await server.client.post("/v1/chat/completions", json=BODY)).status_code == 200
