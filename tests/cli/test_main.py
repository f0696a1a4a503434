"""The command `tts`, as it is installed and as shells complete it; what other people's files of our names do to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tts.cli.completion import choices
from tts.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
# What pip makes of `[project.scripts]`.
SCRIPT = f"#!{sys.executable}\nimport sys\nfrom tts.cli.main import main\nsys.exit(main())\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "tts"
    path.parent.mkdir()
    path.write_text(SCRIPT, "utf-8")
    path.chmod(0o755)
    return path


def run(folder: Path, *command: str | Path, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def recorded(tmp_path: Path) -> list[str]:
    rows = {"id": "a", "question": "1 + 1?", "answer": "2", "solutions": [{"text": "The answer is \\boxed{2}."}]}
    path = tmp_path / "samples.jsonl"
    path.write_text(json.dumps(rows) + "\n", "utf-8")
    return [
        *("task=jsonl", f"task.path={path}", "policy=recorded", f"policy.path={path}"),
        *("verifier=always_correct", "sandbox=none", "search.n=1"),
    ]


def test_the_help_fits_a_terminal_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(len(line) <= 80 for line in said.splitlines())
    assert all(f"    {name} " in said for name in COMMANDS)
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == said
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tts ")


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("serch", "error: tts serch: no such command; did you mean search?"),
        ("x", "error: tts x: no such command; there are search, judge,"),
        ("search.n=4", "error: tts search.n=4: settings come after a command, as in tts search search.n=4"),
    ],
)
def test_what_is_no_command_is_told(word: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 2
    assert capsys.readouterr().err.startswith(says)


@pytest.mark.parametrize(
    "arguments",
    [("\x1b[2J",), ("report", "--\x1b[2J", "x"), ("trace", "--\x1b[2J", "x"), ("bank", "list", "--\x1b[2J", "x")],
)
def test_what_is_no_command_or_option_moves_no_cursor(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\\x1b[2J" in said


@pytest.mark.parametrize("name", ["report", "trace", "bank", "judge curve", "completion"])
def test_every_command_is_there(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split(), "--help"]) == 0
    assert f"usage: tts {name} " in capsys.readouterr().out


@pytest.mark.integration
@pytest.mark.parametrize("command", ["search", "judge"])
def test_the_help_of_a_hydra_command_fits_a_terminal(command: str, script: Path, tmp_path: Path) -> None:
    status, said = run(tmp_path, script, command, "--help")
    assert status == 0
    assert all(len(line) <= 80 for line in said.splitlines()), said
    assert "genprm" in said


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("tts ", {"search ", "judge ", "bank ", "completion "}),
        ("tts judge cu", {"curve "}),
        ("tts bank ", {"list ", "prune "}),
        ("tts bank prune --o", {"--older-than "}),
        ("tts report --", {"--out ", "--trees "}),
        ("tts search search=be", {"search=beam ", "search=best_of_n "}),
        ("tts search search=beam search.w", {"search.width="}),
        ("tts search engine@po", {"engine@policy.engine="}),
        ("tts search engine@policy.engine=op", {"engine@policy.engine=openai "}),
        ("tts judge verifier=gen", {"verifier=genprm ", "verifier=genrm-cot "}),
        ("tts search --mu", {"--multirun "}),
        ("tts nothing ", set()),
    ],
)
def test_lines_are_completed(line: str, whole: set[str]) -> None:
    found = set(choices(line))
    assert whole <= found
    assert (found != set()) == (whole != set())


def test_where_the_shell_has_broken_a_word_only_its_rest_is_returned() -> None:
    assert choices("tts search search=be", "=:") == ["beam ", "best_of_n "]
    assert choices("tts search search=be", " ") == ["search=beam ", "search=best_of_n "]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["tts", "se"], ["search ", "serve "]),
        (["tts", "search", "search", "=", "be"], ["beam ", "best_of_n "]),
        (["tts", "search", "verifier.vo"], ["verifier.votes="]),
        (["tts", "bank", "si"], ["size "]),
    ],
)
def test_bash_completes(words: list[str], replies: list[str], script: Path, tmp_path: Path) -> None:
    line = " ".join(words).replace(" = ", "=")
    driven = f"""
        eval "$(tts completion bash)"
        complete -p tts >/dev/null || exit 1
        COMP_LINE='{line}' COMP_POINT={len(line)} COMP_CWORD={len(words) - 1} COMP_WORDS=({" ".join(words)})
        _tts_completion
        printf '%s|' "${{COMPREPLY[@]}}"
    """
    status, said = run(tmp_path, "bash", "-c", driven, PATH=f"{script.parent}:{os.environ['PATH']}")
    assert status == 0, said
    assert said.split("|")[:-1] == replies


@pytest.mark.integration
def test_runs_that_begin_together_have_folders_of_their_own(script: Path, recorded: list[str], tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: run(tmp_path, script, "search", *recorded), range(3)))
    assert [status for status, _ in found] == [0, 0, 0], found
    assert len(list(tmp_path.glob("outputs/*/*/summary.json"))) == 3


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A user's directory, with files of our packages' names and a strategy of the user's."""
    folder = tmp_path / "crowded"
    (folder / "conf").mkdir(parents=True)
    (folder / "conf" / "config.yaml").write_text("mine: 1\n", "utf-8")
    for name in ("search", "verifiers", "policies", "rich", "hydra"):
        (folder / f"{name}.py").write_text("raise SystemExit('not ours')\n", "utf-8")
    text = "from search.best_of_n import BestOfN\nclass MyStrategy(BestOfN):\n    pass\n"
    (folder / "mine.py").write_text(text, "utf-8")
    return folder


@pytest.mark.integration
@pytest.mark.parametrize("form", ["tts", "python -m"])
def test_other_people_s_files_are_in_nobody_s_way(form: str, crowded: Path, script: Path, recorded: list[str]) -> None:
    command = [script, "search"] if form == "tts" else [sys.executable, "-m", "tts"]
    status, said = run(crowded, *command, *recorded, "search._target_=mine.MyStrategy")
    assert status == 0, said
    assert "jsonl: MyStrategy, N = 1" in said
    status, said = run(crowded, *command, *recorded, "search._target_=search.MyStrategy")
    assert status == 2
    assert f"so {crowded / 'search.py'} is not imported: give it another name" in said
    assert len(said.splitlines()) == 1


@pytest.mark.integration
@pytest.mark.parametrize("form", ["tts", "python -m"])
@pytest.mark.parametrize("installed", [True, False])
def test_another_package_of_a_name_is_told(form: str, installed: bool, script: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "verifiers").mkdir(parents=True)
    (other / "verifiers" / "__init__.py").touch()
    if installed:
        (other / "prime_verifiers-0.1.dist-info").mkdir()
        (other / "prime_verifiers-0.1.dist-info" / "METADATA").write_text("Name: prime-verifiers\nVersion: 0.1\n")
        (other / "prime_verifiers-0.1.dist-info" / "top_level.txt").write_text("verifiers\n")
    command = [script, "judge"] if form == "tts" else [sys.executable, "-m", "tts.judge"]
    status, said = run(tmp_path, *command, "dry_run=true", PYTHONPATH=f"{other}:{ROOT}")
    assert status == 2
    (line,) = said.splitlines()
    assert line.startswith("error: verifiers: another package of this name is found before this project's: ")
    assert str(other / "verifiers") in line
    assert ("pip uninstall prime-verifiers" in line) == installed
    assert ("PYTHONPATH" in line) != installed
