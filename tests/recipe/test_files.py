"""The recipes that come with the project, composed; and what a user's own file and words may get wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tts.core.errors import UserError
from tts.recipe.recipe import names, read_recipe
from tts.recipe.request import request
from tts.recipe.running import identities

NEEDED = ("problems=p.jsonl", "held_out=h.json", "model=m")


@pytest.mark.parametrize("size", ["published", "embedded"])
@pytest.mark.parametrize("name", names())
def test_each_stage_of_each_recipe_composes_and_reads_only_earlier_ones(name: str, size: str, tmp_path: Path) -> None:
    settings = read_recipe(name, (), size).settings
    given = [one for one in NEEDED if settings.get(one.partition("=")[0]) == "???"]
    steps = read_recipe(name, given, size).steps(tmp_path)
    assert len(identities(steps)) == len(steps)
    assert [steps[0].command, steps[-1].command] == ["label", "judge"]
    for number, step in enumerate(steps):
        earlier = [other.folder for other in steps[:number]]
        assert all(any(path.is_relative_to(folder) for folder in earlier) for path in step.inputs)
        assert step.inputs or step.command == "label"


def test_the_papers_figures_are_the_defaults(tmp_path: Path) -> None:
    steps = {step.name: step for step in read_recipe("genprm", NEEDED[:2]).steps(tmp_path)}
    assert "completions=by_pass_at_1" in steps["labels"].overrides
    assert f"task.path={tmp_path}/labels/labels.jsonl" in steps["rationales"].overrides
    assert "test_sets=[h.json]" in steps["data"].overrides


def test_what_the_user_sets_goes_to_its_stage() -> None:
    words = ("labels.rule.eps=0.5", "labels.+completer.x=1", "labels.~policy.steps", "seed=3", *NEEDED[:2])
    steps = {step.name: step for step in read_recipe("genprm", words).steps(Path("r"))}
    labels = steps["labels"].overrides
    assert {"rule.eps=0.5", "+completer.x=1", "seed=3"} <= set(labels)
    assert not any(word.startswith("policy.steps") for word in labels)
    assert "seed=3" in steps["judge"].overrides


@pytest.mark.parametrize("name", ["2026", "a: b", "@x", "[", "my runs/a=b,c", "a'b", 'q"r', "x{y}", "-m"])
def test_a_folder_may_have_any_name(name: str) -> None:
    asked = request("tts recipe", ["genprm", "size=embedded", f"dir={name}"])
    assert asked.folder == Path(name)
    assert set(identities(read_recipe("genprm", (), "embedded").steps(asked.folder))) >= {"labels", "train"}


def test_a_recipe_of_one_s_own_runs_beside_the_others() -> None:
    assert request("tts recipe", ["/somewhere/mine.yaml"]).folder == Path("recipes/mine-published")


def test_rounds_and_seeds_share_no_samples() -> None:
    def seed(given: int, number: int) -> str:
        recipe = read_recipe("genprm", [f"seed={given}"], "embedded", later=number > 1)
        folders = {name: f"r/{name}" for name in [*recipe.stages, "held_out"]}
        steps = recipe.steps(Path("r"), round=number, before=folders, first=folders)
        labels = next(step for step in steps if step.name == "labels")
        return next(word for word in labels.overrides if word.startswith("seed="))

    seeds = [seed(given, number) for given in (0, 2) for number in (1, 2, 3)]
    assert len(set(seeds)) == len(seeds)


def test_an_identity_depends_on_the_stages_that_are_read() -> None:
    def identity(*words: str) -> dict[str, str]:
        return identities(read_recipe("genprm", words, "embedded").steps(Path("r")))

    before, after = identity(), identity("data.balance=true")
    assert [name for name in before if before[name] != after[name]] == ["data", "train", "judge"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["gemprm"], "no such recipe; did you mean genprm"),
        (["none.yaml"], r"tts recipe none\.yaml: no such recipe"),
        (["genprm"], r"problems: not set; tts recipe genprm problems=\.\.\. \(stage labels needs it\)"),
        (["genprm", "size=tiny"], "size=tiny: recipe genprm has no such size; it has published, embedded"),
        (["genprm", "lables.rule=hard"], "lables.rule: no such setting; did you mean labels"),
        (["genprm", "size=embedded", "labels.rle=hard"], r"stage labels \(label\): rle: no such setting"),
        (["genprm", "size=embedded", "train.trainer=lage"], r"stage train \(train\): trainer=lage: no such option"),
        (["genprm", "size=embedded", "train.hydra.run.dir=x"], "stage train .* only for the command line"),
        (["genprm", "embedded"], "embedded: not a setting"),
        (["genprm", "dry_run=perhaps"], "dry_run"),
        (["genprm", "dry_run=["], "dry_run"),
        (["genprm", "size=embedded", "labels.~rul"], "labels.~rul: rul: no such setting; did you mean rule"),
        (["genprm", "size=embedded", "dir=~no.such.user/x"], "~no.such.user/x: there is no such home directory"),
    ],
)
def test_mistakes_are_found_before_anything_runs(words: list[str], message: str) -> None:
    def planned() -> None:
        asked = request("tts recipe", words)
        identities(read_recipe(asked.name, asked.overrides, asked.size).steps(asked.folder))

    with pytest.raises(UserError, match=message):
        planned()


@pytest.mark.parametrize(("text", "message"), [("a: [", "does not read"), ("stages: {}", "not a recipe; it needs")])
def test_a_file_that_is_no_recipe_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(UserError, match=message):
        read_recipe(str(tmp_path / "mine.yaml"))
