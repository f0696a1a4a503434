"""Model servers that an executor starts: commands of this machine, without Ray."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

import tts
from tests.executors.raylets import ancestors
from tts.core.errors import UserError
from tts.executors.servers.load import Load, read_load
from tts.executors.servers.model_server import ModelServer, ServerState
from tts.executors.servers.served import Demand

ANSWERS = """
import http.server, os, pathlib, sys
pathlib.Path(sys.argv[3], str(os.getpid())).touch()
print("loading the model", flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"data": []}')
    def log_message(self, *_): ...
http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""


def demand(*command: str, wait: float = 20.0, restarts: int = 10, pause: float = 0.0) -> Demand:
    return Demand("policy", command, 1, (), wait, restarts, pause)


def answering(folder: Path, **settings: float) -> Demand:
    """A server that leaves a file with its process's id."""
    return demand(sys.executable, "-c", ANSWERS, "{host}", "{port}", str(folder), **settings)  # type: ignore[arg-type]


def processes(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if Path("/proc", path.name).exists()]


async def until(server: ModelServer, **wanted: object) -> ServerState:
    async with asyncio.timeout(20):
        while True:
            state = await server.report()
            if all(getattr(state, name) == value for name, value in wanted.items()):
                return state


async def test_a_server_that_dies_is_started_again_at_its_address_and_ends_with_whoever_started_it(
    tmp_path: Path,
) -> None:
    server = ModelServer(answering(tmp_path), "127.0.0.1")
    url = await server.start()
    (first,) = processes(tmp_path)
    os.kill(first, signal.SIGKILL)
    await until(server, up=False)
    assert await until(server, up=True) == ServerState(url, up=True, restarts=1)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/models")).json() == {"data": []}
    await server.close()
    assert processes(tmp_path) == []


async def test_a_server_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    """As Ray does with all that a worker has started, when its own process on the machine dies."""
    server = ModelServer(answering(tmp_path, restarts=0), "127.0.0.1")
    await server.start()
    (process,) = processes(tmp_path)
    os.kill(next(ancestors(process)), signal.SIGKILL)
    await until(server, up=False)
    for _ in range(400):
        if not processes(tmp_path):
            break
        await asyncio.sleep(0.05)
    assert not processes(tmp_path)
    await server.close()


async def test_one_that_dies_too_often_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    server = ModelServer(answering(tmp_path, restarts=1), "127.0.0.1")
    await server.start()
    for restarts in range(2):
        await until(server, up=True, restarts=restarts)
        os.kill(processes(tmp_path)[0], signal.SIGKILL)
        await until(server, up=False)
    lost = (await until(server, up=False, restarts=1)).lost
    assert lost is not None
    assert lost.endswith("was ended by SIGKILL; it said at last:\n  loading the model")
    await server.close()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("no-such-command", "{port}"), "there is no command 'no-such-command'"),
        (
            (sys.executable, "-c", "print('no GPU'); raise SystemExit(3)"),
            "ended with status 3; it said at last:\n  no GPU",
        ),
        (
            (sys.executable, "-c", "import time; time.sleep(60)"),
            "did not answer at http://127.0.0.1:PORT/v1/models within 0.5 s and said nothing",
        ),
    ],
)
async def test_one_that_never_answers_is_told_at_once(command: tuple[str, ...], said: str) -> None:
    server = ModelServer(demand(*command, wait=0.5 if "sleep" in command[-1] else 20.0), "127.0.0.1")
    with pytest.raises(UserError) as caught:
        await server.start()
    assert str(caught.value).endswith(said.replace("PORT", server.url.split(":")[2].partition("/")[0]))
    await server.close()


def test_the_load_is_read_from_the_metrics_of_vllm_and_sglang() -> None:
    vllm = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 4.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:prefix_cache_queries_total{engine="0",model_name="m"} 1e+02
vllm:prefix_cache_queries_created{engine="0",model_name="m"} 1.7e+09
vllm:prefix_cache_hits_total{engine="0",model_name="m"} 25.0
"""
    assert read_load(vllm) == Load(7, 1, 0.25)
    sglang = 'sglang:num_running_reqs{model_name="m"} 2.0\nsglang:num_queue_reqs 0\nsglang:cache_hit_rate 0.5\n'
    assert read_load(sglang) == Load(2, 0, 0.5)
    ranks = "".join(f'sglang:cache_hit_rate{{dp_rank="{rank}"}} {rate}\n' for rank, rate in enumerate((0.5, 1.0)))
    assert read_load(ranks) == Load(prefix_hits=0.75)
    assert read_load("# nothing") == Load()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["policy.replicas=-1"], "executor.serve.policy.replicas=-1: at least 0 is needed"),
        (["policy.command='serve {model}'"], "{host} and {port} stand for that"),
        (["policy.replicas=1"], "executor.serve.policy.replicas: policy.engine loads its model itself; choose"),
        (
            ["policy.replicas=1", "verifier.replicas=2"],
            "executor.serve.verifier.replicas=2: verifier.engine is the same as policy.engine, whose servers both ask",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_started(overrides: list[str], said: str) -> None:
    pytest.importorskip("ray", reason="the check comes after that for Ray")
    same = ["policy=qwen2.5-math", "verifier=genprm", "engine@verifier.engine=openai", "verifier.engine.model=m"]
    same += ["engine@policy.engine=openai", "policy.engine.model=m"] if len(overrides) == 2 else []
    with pytest.raises(UserError) as caught:
        tts.evaluate(*same, "executor=ray", *(f"executor.serve.{each}" for each in overrides), limit=1)
    assert said in str(caught.value)
