"""Configurations that somebody else wrote: they name classes and hold values, and are no code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hydra.core.plugins import Plugins

from tests import program
from tts.config.build import build
from tts.config.compose import configuration
from tts.core.errors import UserError
from tts.core.verifier import Verifier

HEAD = "# @package _global_\n"
OUTSIDE = [
    *(
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
        "posix.system",
        "shutil.rmtree",
        "pathlib.Path",
    ),
    *("pickle.loads", "torch.load", "yaml.unsafe_load", "hydra.utils.call", "hydra.utils.instantiate", "antigravity.x"),
    *("runpy.run_path", "importlib.import_module", "elsewhere.Thing", "sys.exit", "numpy.load", "", "os", ".", "a..b"),
]
"""What is neither this project's nor the user's; `elsewhere` can be imported, and would leave a mark."""
PLACES = {
    "group": "verifier: {_target_: %s}\n",
    "setting": "policy: {engine: {_target_: %s}}\n",
    "deep": "verifier: {members: {a: {x: {y: {_target_: %s}}}}}\n",
    "list": "search: {things: [1, [{_target_: %s}]]}\n",
    "reference": "verifier: {_target_: '${task.name}'}\ntask: {name: %s}\n",
}
INSIDE = [
    *("tts.cli.command.os.system", "tts.config.targets.importlib.import_module", "tts.files.writing.Path"),
    *(
        "tts.cli.main.main",
        "tts.core.errors.UserError",
        "tts.bank.Bank",
        "tts.files.jsonl_log.JsonlLog",
        "tts.budget.Limits",
    ),
    *(
        "tts.engines.openai.OpenAIEngine",
        "search.beam.Beam",
        "verifiers.oracle.OracleVerifier.verify",
        "tts.budget.Limits",
    ),
]
"""Of this project, but no class of it, or none that verifies."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of options in a user's directory, and a module elsewhere that leaves a mark when it is imported."""
    other, here = tmp_path / "other", tmp_path / "here"
    other.mkdir()
    (here / "conf" / "experiment").mkdir(parents=True)
    mark = f"open({str(tmp_path / 'mark')!r}, 'w').close()\n"
    (other / "elsewhere.py").write_text(mark + "class Thing:\n    async def verify(self): ...\n", "utf-8")
    (here / "mine.py").write_text("from subprocess import Popen\nfrom pathlib import Path as Folder\n", "utf-8")
    monkeypatch.syspath_prepend(str(other))
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.chdir(here)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    return here / "conf"


def refusal(folder: Path, content: str | bytes, *overrides: str) -> str:
    path = folder / "experiment" / "theirs.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        configuration("config", ["experiment=theirs", *overrides], folder)
    return str(caught.value)


@pytest.mark.parametrize("target", OUTSIDE)
@pytest.mark.parametrize("place", PLACES)
def test_a_file_names_no_code_of_others(folder: Path, place: str, target: str) -> None:
    said = refusal(folder, HEAD + PLACES[place] % repr(target))
    assert "_target_" in said or "_target_" in PLACES[place]
    assert target in said
    assert not (folder.parents[1] / "mark").exists()


@pytest.mark.parametrize("target", [*INSIDE, "mine.Popen", "mine.Folder"])
def test_what_is_no_verifier_is_not_called(folder: Path, target: str) -> None:
    with pytest.raises(UserError, match=r"^verifier\._target_="):
        build({"_target_": target, "args": ["touch", "mark"], "path": "mark"}, "verifier", role=Verifier)
    assert not list(folder.rglob("mark"))


def test_a_users_own_module_is_named_by_him(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = HEAD + "verifier: {_target_: elsewhere.Thing}\n"
    assert "TTS_PLUGINS" in refusal(folder, theirs)
    for override in ("verifier._target_=elsewhere.Thing", "+verifier.of={_target_: elsewhere.Thing}"):
        assert configuration("config", [override])
    monkeypatch.setenv("TTS_PLUGINS", "other, elsewhere")
    assert configuration("config", ["experiment=theirs"], folder)[0]["verifier"]["_target_"] == "elsewhere.Thing"
    monkeypatch.delenv("TTS_PLUGINS")
    (folder / "experiment" / "own.yaml").write_text(HEAD + "verifier: {_target_: mine.Judge}\n", "utf-8")
    assert configuration("config", ["experiment=own"], folder)[0]["verifier"]["_target_"] == "mine.Judge"


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
YAML: Mapping[str, tuple[str | bytes, int | None]] = {
    "python": ("seed: 1\nx: !!python/object/apply:os.system ['touch mark']\n", 2),
    "python name": ("x: !!python/name:os.system\n", 1),
    "own tag": ("x: !thing {a: 1}\n", 1),
    "binary value": ("x: !!binary aGk=\n", 1),
    "twice": ("seed: 1\nseed: 2\n", 2),
    "twice inside": ("search:\n  n: 1\n  n: 2\n", 3),
    "tab": ("search:\n\tn: 1\n", 2),
    "circle": ("a: &a\n  b: *a\n", 2),
    "circle in a list": ("a: &a [1, *a]\n", 1),
    "laughs": (LAUGHS, 6),
    "no anchor": ("a: 1\nb: *nothing\n", 2),
    "deep list": ("a: " + "[" * 5000, 1),
    "deep": ("".join(f"{' ' * n}a:\n" for n in range(200)), 65),
    "bytes": (bytes(range(1, 256)), 2),
    "zero": (b"a: \0\n", None),
    "latin": ("seed: 1\nname: é\n".encode("latin-1"), 2),
    "list": ("- 1\n", 1),
    "text": ("hello\n", 1),
    "two documents": ("a: 1\n---\nb: 1\n", 2),
    "list as a name": ("? [a, b]\n: 1\n", 1),
    "not closed": ("a: {b: 1\nc: 2\n", 2),
}


@pytest.mark.parametrize("kind", YAML)
def test_bad_yaml_is_one_message_with_its_line(folder: Path, kind: str) -> None:
    content, line = YAML[kind]
    said = refusal(folder, content)
    path = folder / "experiment" / "theirs.yaml"
    assert said.startswith(f"{path}: " if line is None else f"{path}:{line}: "), said
    assert "\n" not in said


@pytest.mark.parametrize("option", ['"a\\0b"', "[1]", "{a: 1}", "x" * 5000])
def test_a_file_whose_options_are_no_names_is_one_message(folder: Path, option: str) -> None:
    said = refusal(folder, f"defaults: [{{/search: {option}}}]\n")
    assert said.startswith("these options cannot be composed: ")
    assert "\n" not in said


@pytest.mark.parametrize("name", ["1", "true", "1.5"])
def test_a_group_without_a_name_is_one_message(folder: Path, name: str) -> None:
    said = refusal(folder, f"defaults: [{{{name}: x}}]\n")
    assert said.startswith(f"{folder / 'experiment' / 'theirs.yaml'}: defaults: ")
    assert "\n" not in said


@pytest.mark.parametrize("name", ["null", "~"])
def test_a_setting_without_a_name_is_one_message(folder: Path, name: str) -> None:
    said = refusal(folder, f"{HEAD}{name}: 1\n")
    assert said.startswith(f"{folder / 'experiment' / 'theirs.yaml'}: a setting's name is needed")
    assert "\n" not in said


@pytest.mark.parametrize("value", ["${eval:1}", "${nothing}", "${seed}", "${oc.decode:'!!python/object:x'}"])
def test_a_value_that_cannot_be_worked_out_is_one_message(folder: Path, value: str) -> None:
    said = refusal(folder, f'{HEAD}seed: "{value}"\n')
    assert said.startswith("seed: ")
    assert "\n" not in said


def test_large_files_are_not_read(folder: Path) -> None:
    assert "at most" in refusal(folder, b"#" * 5 * 2**20)
    assert "more than" in refusal(folder, "a: [" + "1, " * 200_000 + "1]")


@pytest.mark.parametrize("option", ["a\0b", "\ud800", "x" * 5000, "[1]", "[a,2]", "3", "{a: 1}"])
@pytest.mark.parametrize(("command", "group"), [("config", "search"), ("config", "experiment"), ("label", "verifier")])
def test_what_is_no_option_is_refused(command: str, group: str, option: str) -> None:
    with pytest.raises(UserError, match="no such option"):
        configuration(command, [f"{group}={option}" if option[0] in "[{3" else f"{group}='{option}'"])


def test_a_process_of_a_launcher_knows_the_same_sources(folder: Path) -> None:
    """Hydra's launchers copy the registry of sources to a new process, in which Hydra then looks for its own."""
    assert configuration("config", [], folder)
    Plugins.instance()._initialize()
    assert configuration("config", [], folder)


def test_files_that_choose_each_other_are_refused(folder: Path) -> None:
    assert "circle" in refusal(folder, "defaults:\n  - /experiment: theirs\n")
    assert "a list of options is needed" in refusal(folder, "defaults: {a: b}\n")
    assert "only packages of this project" in refusal(folder, HEAD + "task: {path: '${package:elsewhere}'}\n")
    assert not (folder.parents[1] / "mark").exists()


HYDRA = {
    "callback": "hydra: {callbacks: {x: {_target_: subprocess.Popen, args: [touch, mark]}}}",
    "callback of Hydra's utilities": "hydra: {callbacks: {x: {_target_: hydra.utils.call, config: {}}}}",
    "callback elsewhere": "hydra: {callbacks: {x: '${task}'}}\ntask: {_target_: os.mkdir, path: mark}",
    "log": "hydra: {job_logging: {formatters: {x: {(): os.mkdir, path: mark}}}}",
    "handler": "hydra: {hydra_logging: {handlers: {x: {class: elsewhere.Thing}}}}",
    "file of a handler": "hydra: {job_logging: {handlers: {x: {class: logging.config.fileConfig, fname: x}}}}",
    "stream": "hydra: {job_logging: {handlers: {x: {class: logging.StreamHandler, stream: 'ext://elsewhere.Thing'}}}}",
    "log elsewhere": "hydra: {job_logging: {handlers: {file: {filename: mark}}}}",
    "log that is a result": "hydra: {job_logging: {handlers: {file: {filename: '${hydra.runtime.output_dir}/mark'}}}}",
    "log sent away": "hydra: {job_logging: {handlers: {x: {class: logging.handlers.SocketHandler}}}}",
    "launcher": "hydra: {launcher: {_target_: os.mkdir}}",
    "in the sweeper": "hydra: {sweeper: {params: {a: {_target_: os.mkdir, path: mark}}}}",
    "environment": "hydra: {job: {env_set: {TTS_PLUGINS: elsewhere}}}",
}


@pytest.mark.integration
@pytest.mark.parametrize("kind", HYDRA)
@pytest.mark.parametrize("sweep", [["seed=0"], ["-m", "seed=0,1"]])
def test_hydra_executes_nothing_that_a_file_names(folder: Path, kind: str, sweep: list[str]) -> None:
    (folder / "experiment" / "theirs.yaml").write_text(HEAD + HYDRA[kind], "utf-8")
    here = folder.parent
    command = ["-m", "tts", "--config-dir", str(folder), *sweep, "experiment=theirs", "dry_run=true"]
    done = program.run(*command, folder=here, environment={"PYTHONPATH": ":".join([str(here.parent / "other"), ROOT])})
    said = done.stdout + done.stderr
    assert (done.returncode, said.count("error:"), said.count("\n")) == (2, 1, 1), said
    assert not list(here.parent.rglob("mark"))


ROOT = str(Path(__file__).resolve().parents[2])
