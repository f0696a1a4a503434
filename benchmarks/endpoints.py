r"""Three servers as one engine, of which one is killed and restarted in the run: what is lost, and how many prefixes hit.

`python -m benchmarks.endpoints [--problems 48] [--n 8]`

Prints one line for each case: one server, three servers, and three of which one is killed (SIGKILL) at a third of the run
and restarted at two thirds; for each the failed problems, the share of prompt tokens that the servers' prefix caches held,
and that share relative to the first line. A server is a simulated GPU in real time (`benchmarks.simserver`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import tts
from benchmarks.simserver import ROOT


class Served:
    """A simulated server that can be killed and started again at the same port."""

    def __init__(self) -> None:
        self._port = 0
        self._ended = [0, 0]
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "-m", "benchmarks.simserver", "--port", str(self._port)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        self._port = int(self.url.split(":")[2].partition("/")[0])

    def prompt_tokens(self) -> tuple[int, int]:
        """Returns the prompt tokens so far and how many of them were cached, before and after a restart."""
        with urllib.request.urlopen(self.url.removesuffix("/v1") + "/stats") as answer:
            stats = json.load(answer)
        return stats["prompt_tokens"] + self._ended[0], stats["cached_prompt_tokens"] + self._ended[1]

    def kill(self) -> None:
        """Kills the process."""
        self._ended = list(self.prompt_tokens())
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def restart(self) -> None:
        """Starts it again at the same port."""
        self._start()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


@contextmanager
def serving(count: int) -> Iterator[list[Served]]:
    """Runs servers."""
    with ExitStack() as stack:
        servers = []
        for _ in range(count):
            servers.append(Served())
            stack.callback(servers[-1].close)
        yield servers


async def run(servers: list[Served], problems: int, n: int, dies: bool) -> tuple[int, float]:
    """Returns the number of failed problems and the share of cached prompt tokens."""
    urls = "[" + ",".join(f"'{server.url}'" for server in servers) + "]"
    trouble = [(problems / 3, servers[-1].kill), (2 * problems / 3, servers[-1].restart)] if dies else []
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "run" / "results.jsonl"
        overrides = [
            f"task.limit={problems}",
            "sandbox=none",
            "policy=qwen2.5-math",
            "engine@policy.engine=openai",
            f"policy.engine.base_url={urls}",
            "policy.engine.model=simulated-policy",
            "policy.engine.dialect=completions",
            "verifier=random",
            "search=beam",
            f"search.n={n}",
            "in_flight.problems=16",
        ]
        running = asyncio.create_task(tts.aevaluate(*overrides, folder=results.parent))
        while not running.done():
            ended = results.read_text().count("\n") if results.is_file() else 0
            if trouble and ended >= trouble[0][0]:
                await asyncio.to_thread(trouble.pop(0)[1])
            await asyncio.sleep(0.02)
        evaluation = await running
    totals = [server.prompt_tokens() for server in servers]
    return int(evaluation.summary["n_errors"]), sum(t[1] for t in totals) / sum(t[0] for t in totals)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=48)
    parser.add_argument("--n", type=int, default=8)
    arguments = parser.parse_args()
    print(f"{'servers':32}{'failed':>8}{'cached':>8}{'relative':>10}")
    first = None
    for name, count, dies in (("one", 1, False), ("three", 3, False), ("three, one killed and restarted", 3, True)):
        with serving(count) as servers:
            failed, cached = asyncio.run(run(servers, arguments.problems, arguments.n, dies))
        first = first or cached
        print(f"{name:32}{failed:8}{cached:8.3f}{cached / first:10.3f}")


if __name__ == "__main__":
    main()
