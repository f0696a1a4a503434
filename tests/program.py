"""Programs in processes of their own, forked from one that has imported what most of them do: a start takes a moment.

Where a new interpreter in the program's directory would find another `tts` or `search`, the program imports it. Tests that
look at the start itself, or that stop a program from outside, start an interpreter.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path

LIBRARIES = (
    *("math_verify", "hydra.main", "hydra._internal.hydra", "rich.console", "rich.table", "networkx", "httpx", "numpy"),
    *("torch", "transformers.models.auto.modeling_auto", "transformers.models.llama.modeling_llama"),
)
PROJECT = (
    *("tts.cli.search_command", "tts.cli.judge_command", "tts.tasks.grading", "tts.engines.transformers"),
    *("policies.simulated", "policies.steps", "verifiers.generative.genprm", "search.best_of_n", "search.majority"),
)
"""What most programs import first. There is one server a process, so that nobody else may set what it imports."""
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload([*LIBRARIES, *PROJECT])


def run(
    *arguments: str, folder: Path, environment: Mapping[str, str] | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Runs `python ARGUMENTS` in a directory.

    Args:
        arguments: `-m MODULE ...` or `-c CODE`.
        folder: The directory.
        environment: Its variables; None for those of this process. Libraries that read theirs as they are imported have
            read those of this process.
        timeout: Seconds.

    Raises:
        subprocess.TimeoutExpired: It takes longer. It is killed.
    """
    environment = dict(os.environ if environment is None else environment)
    with tempfile.TemporaryDirectory() as place:
        files = Path(place, "stdout"), Path(place, "stderr")
        path = _path(environment.get("PYTHONPATH"))
        process = context.Process(target=_program, args=(arguments, str(folder), environment, path, files))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout)
        status = process.exitcode
        assert status is not None
        output, errors = (file.read_text("utf-8") for file in files)
    return subprocess.CompletedProcess(arguments, status, output, errors)


@functools.cache
def _path(given: str | None) -> list[str]:
    """Returns where a new interpreter looks for modules, after the directory that it is started in."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if given is not None:
        environment["PYTHONPATH"] = given
    code = "import json, sys; print(json.dumps(sys.path[1:]))"
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    paths: list[str] = json.loads(found.stdout)
    return paths


def _program(
    arguments: tuple[str, ...], folder: str, environment: dict[str, str], path: list[str], files: tuple[Path, Path]
) -> None:
    gc.freeze()  # what the server has imported is never garbage: nobody need look through it
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files, 1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    kind, what, *rest = arguments
    sys.path[:] = [folder if kind == "-m" else "", *path]
    sys.argv = [kind, *rest]
    _forget_what_is_elsewhere()
    # What the programs start in turn must not come from this server.
    multiprocessing.forkserver._forkserver = multiprocessing.forkserver.ForkServer()
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), sys.modules["__main__"].__dict__)
    finally:
        atexit._run_exitfuncs()


def _forget_what_is_elsewhere() -> None:
    """Has all of the project imported anew, if some of it is not where the server has found it."""
    ours = {name.partition(".")[0] for name in PROJECT}
    for name in ours & sys.modules.keys():
        found = PathFinder.find_spec(name)
        if found is None or found.origin != sys.modules[name].__file__:
            for module in [module for module in sys.modules if module.partition(".")[0] in ours]:
                del sys.modules[module]
            return
