r"""What workers on a Ray cluster cost and bring, on this machine: `executor=ray` against this process.

`python -m benchmarks.ray_executor [throughput] [overhead] [kills]`   (all by default; make test-ray makes the environment)

throughput: problems a second with 1 and with 4 workers, 2 problems in flight each, on an engine that takes 50 ms a step of
tokens (`benchmarks.simserver`, policy.engine.tick_base=0.05). overhead: CPU time of the command's own process a record, for
problems that take no time. kills: 500 problems on 3 workers and 2 model servers that the run has started (executor.serve),
of which 20 are killed (SIGKILL) at random; the results against those of one process with a server that nobody kills.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tts
from benchmarks.simserver import serving
from tts.core.json import Summary

_TIMES = re.compile(rb'"wall_s": [\d.e-]+')


def on_ray(workers: int) -> list[str]:
    """Returns the overrides for so many workers; they wait most of the time, and share the cores."""
    return ["executor=ray", f"executor.workers={workers}", "executor.resources.CPU=0.1"]


def served(replicas: int, overrides: Sequence[str]) -> list[str]:
    """Returns the overrides for so many servers of the policy's model, which Ray starts."""
    command = f"{sys.executable} -m benchmarks.simserver --host {{host}} --port {{port}} {' '.join(overrides)}"
    settings = {
        "replicas": replicas,
        "command": f"'{command}'",
        "resources.CPU": 0.1,
        "resources.GPU": 0,
        "restarts": 100,
    }
    return [f"executor.serve.policy.{name}={value}" for name, value in settings.items()]


def search(folder: Path, overrides: Sequence[str]) -> tuple[Summary, float]:
    """Runs a search over a task; returns its summary and the CPU seconds of this process."""
    started = time.process_time()
    evaluation = tts.evaluate(*overrides, folder=folder)
    return evaluation.summary, time.process_time() - started


def throughput(folder: Path, problems: int = 48) -> None:
    """Prints problems a second by the number of workers."""
    rates = {}
    with serving("policy.engine.tick_base=0.05", "policy.engine.tick_per_sequence=0") as url:
        engine = ["policy=qwen2.5-math", "engine@policy.engine=openai", f"policy.engine.base_url={url}"]
        model = ["policy.engine.model=simulated-policy", "policy.engine.dialect=completions", "policy.max_tokens=100"]
        for workers in (1, 4):
            run = [*engine, *model, "search=majority", "search.n=2", "sandbox=none", f"task.limit={problems}"]
            summary, _ = search(folder / f"{workers}", [*run, "in_flight.problems=2", *on_ray(workers)])
            assert not summary["n_errors"], summary
            rates[workers] = problems / summary["wall_s"]
            print(f"{workers} workers: {rates[workers]:.2f} problems/s", flush=True)
    print(f"throughput of 4 workers / 1 worker: {rates[4] / rates[1]:.2f}")


def recorded(folder: Path, problems: int, solutions: int) -> list[str]:
    """Writes recorded solutions, which take no time to sample; returns the overrides to search among them."""
    path = folder / "samples.jsonl"
    texts = [{"text": f"It is so.\n\nAnd so it is \\boxed{{{number % 3}}}."} for number in range(solutions)]
    with path.open("w") as file:
        for number in range(problems):
            row = {"id": f"p{number}", "question": f"What is {number} modulo 3?", "answer": str(number % 3)}
            file.write(json.dumps({**row, "solutions": texts}) + "\n")
    task = ["task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}"]
    return [*task, "search=majority", f"search.n={solutions}", "sandbox=none"]


def overhead(folder: Path, problems: int = 2000) -> None:
    """Prints the CPU time of this process a record, with and without workers."""
    overrides = recorded(folder, problems, 8)
    search(folder / "warm", [*overrides, "task.limit=20", *on_ray(2)])
    # What a run costs however many problems it has is taken off: the cluster is started, the task is read.
    for name, more in (("here", ()), ("2 workers", on_ray(2))):
        spent = {}
        for count in (problems // 4, problems):
            _, spent[count] = search(folder / f"{name} {count}", [*overrides, f"task.limit={count}", *more])
        each = (spent[problems] - spent[problems // 4]) / (problems - problems // 4)
        print(f"{name}: {1e3 * each:.2f} ms of CPU in the command's process a record", flush=True)


@contextmanager
def killing(kills: int, seed: int, results: Path, of: int) -> Iterator[list[int]]:
    """Kills a random worker or server at random moments of a run; yields the processes that were killed."""
    moments = random.Random(seed)
    at = sorted(moments.sample(range(10, of - 10), kills))
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while len(killed) < kills and not ended.wait(0.005):
            done = results.read_bytes().count(b"\n") if results.exists() else 0
            if done >= at[len(killed)] and (alive := workers() + servers()):
                killed.append(moments.choice(sorted(alive)))
                os.kill(killed[-1], signal.SIGKILL)
                while killed[-1] in workers() + servers():
                    time.sleep(0.01)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def workers() -> list[int]:
    """Returns the processes below this one that are workers."""
    return _below(lambda command: command.startswith(b"ray::WorkerActor"))


def servers() -> list[int]:
    """Returns the processes below this one that are model servers which Ray has started."""
    # Not those that keep them, whose command lines end in the same.
    return _below(lambda command: command.split(b"\0")[1:3] == [b"-m", b"benchmarks.simserver"])


def _below(wanted: Callable[[bytes], bool]) -> list[int]:
    """Returns the processes below this one whose command line is one that is wanted."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command, parents = (place / "cmdline").read_bytes(), _ancestors(int(place.name))
        except OSError:
            continue
        if wanted(command) and os.getpid() in parents:
            found.append(int(place.name))
    return found


def _ancestors(process: int) -> list[int]:
    found = []
    while process > 1:
        process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(process)
    return found


def kills(folder: Path, problems: int = 500, count: int = 20) -> None:
    """Prints what is different after kills, and what they cost."""
    engine = ["policy=qwen2.5-math", "engine@policy.engine=openai", "policy.engine.model=simulated-policy"]
    task = [f"task.size={problems}", "search=best_of_n", "search.n=4", "verifier=calculator", "sandbox=none"]
    run = [*engine, *task, "policy.engine.dialect=completions", f"task.limit={problems}", "in_flight.problems=8"]
    server = ["policy.engine.tick_base=0.002", f"task.size={problems}"]
    with serving(*server) as url:
        search(folder / "calm", [*run, f"policy.engine.base_url={url}"])
    with killing(count, 0, folder / "killed" / "results.jsonl", problems) as killed:
        summary, _ = search(folder / "killed", [*run, *on_ray(3), *served(2, server)])
    calm, after = (_TIMES.sub(b"", (folder / name / "results.jsonl").read_bytes()) for name in ("calm", "killed"))
    told = summary["executor"]
    restarts = sum(each["restarts"] for each in told["servers"])
    print(
        f"{len(killed)} kills in {problems} problems: results {'identical' if calm == after else 'DIFFERENT'}, "
        f"{summary['n_errors']} errors, {told['workers_lost']} workers lost, {restarts} servers started again, "
        f"{told['repeated']} problems begun again (at most {told['workers_lost']} x 8)"
    )


def main() -> None:
    """Prints the figures."""
    figures = {"throughput": throughput, "overhead": overhead, "kills": kills}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=[*figures, []], default=list(figures))
    for name in parser.parse_args().figures:
        with tempfile.TemporaryDirectory() as folder:
            figures[name](Path(folder))


if __name__ == "__main__":
    main()
