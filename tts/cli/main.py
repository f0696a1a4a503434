"""The command `tts`: its subcommands, each a module with a `main(arguments)` that returns the exit status."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from tts.cli.hiding import without_secrets
from tts.cli.interruption import once
from tts.cli.output import lasting_output
from tts.config.packages import order
from tts.core.errors import UserError
from tts.core.plain import plain
from tts.core.secrets import Secrets
from tts.core.well_formed import well_formed

COMMANDS = {
    "search": ("tts.__main__", "solves the problems of a task: samples, judges, chooses"),
    "judge": ("tts.judge.__main__", "measures a verifier on solutions whose steps are labelled"),
    "judge curve": ("tts.judge.curve.__main__", "the table of a sweep of judge"),
    "label": ("tts.label.__main__", "labels the steps of a policy's solutions, to train on"),
    "label compare": ("tts.label.compare", "grades labels against others of the same solutions"),
    "synthesize": ("tts.synthesize.__main__", "has labelled solutions verified in words, to train on"),
    "filter": ("tts.filter.__main__", "keeps what agrees with the labels, as training data"),
    "export": ("tts.export.__main__", "writes training data as other programs read it"),
    "train": ("tts.train.__main__", "trains the model of a verifier on labels or conversations"),
    "recipe": ("tts.recipe.__main__", "runs all stages from problems to a trained verifier"),
    "recipe iterate": ("tts.recipe.iterate", "the same in rounds, each with the verifier of the one before"),
    "plan": ("tts.planning.__main__", "says by simulation how many GPUs a run needs"),
    "serve": ("tts.serve.__main__", "answers OpenAI's clients: each search is a model"),
    "serve key": ("tts.serve.keys", "makes an API key for serve"),
    "report": ("tts.report.__main__", "compares finished runs: tables and a page"),
    "trace": ("tts.trace.__main__", "shows how a search made its choice"),
    "probe": ("tts.cli.probe_command", "shows what a server can do, and what its gaps mean"),
    "bank": ("tts.bank.__main__", "manages stored samples: list, size, export, prune"),
    "completion": ("tts.cli.completion", "prints a shell's completion script for this command"),
}
"""The module of each command, and a description."""

_HELP = """\
Test-time-scaling search: a policy proposes solutions, a verifier judges their
steps, a strategy spends the budget.

usage: tts COMMAND ...

{commands}

tts COMMAND --help shows more; tts --version shows the version. To begin:

    tts search                                tiny models, on the CPU, a minute
    tts search search.n=64 verifier.votes=8   more samples, more votes
    tts search -m search.n=1,4,16             a sweep
    tts report multirun/tts                   its results"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    with lasting_output() as lost:
        try:
            with once():
                status = _run(list(sys.argv[1:] if arguments is None else arguments))
        except KeyboardInterrupt:  # before or after the part that ends in order
            status = 128 + signal.SIGINT
        except UserError as error:
            print(plain(f"error: {error}"), file=sys.stderr)
            status = 2
        except SystemExit as ends:  # an argument parser, which has printed
            status = ends.code if isinstance(ends.code, int) else int(ends.code is not None)
    for message in lost:
        print(f"error: {message}", file=sys.stderr)
    return status or bool(lost)


def _run(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help", "help"):
        print(_HELP.format(commands="\n".join(f"    {name:14} {text}" for name, (_, text) in COMMANDS.items())))
        return 0
    if given[0] == "--version":
        print(f"tts {_version()}")
        return 0
    name = next((name for words in (2, 1) if (name := " ".join(given[:words])) in COMMANDS), None)
    if name is None:
        raise UserError(_unknown(given[0]))
    _check_names(given)
    order()
    with without_secrets(Secrets()):
        status: int = import_module(COMMANDS[name][0]).main(given[len(name.split()) :])
    return status


def _check_names(given: Sequence[str]) -> None:
    """Raises UserError if the system cannot name the working directory or an argument as text."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        raise UserError("the working directory is gone; change to one that exists (cd)") from None
    for what in (here, *given):
        if not what.isascii() and sys.getfilesystemencoding() != "utf-8":
            raise UserError(f"{what}: this locale has no such characters; set LC_ALL=C.UTF-8 (or PYTHONUTF8=1)")
        if well_formed(what) != what:
            raise UserError(f"{os.fsencode(what)!r}: not UTF-8; give the file or directory another name")


def _version() -> str:
    from importlib import metadata  # slower to import than everything else

    try:
        return metadata.version("tts-search")
    except metadata.PackageNotFoundError:  # run from the sources, not installed
        return "(not installed)"


def _unknown(word: str) -> str:
    if "=" in word:
        return f"tts {word}: settings come after a command, as in tts search {word}"
    near = difflib.get_close_matches(word, COMMANDS, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
    return f"tts {word}: no such command; {hint}"
