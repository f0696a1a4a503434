"""What a server records, as the report and programs read it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

pytest.importorskip("fastapi", reason="the extra serve is not installed")

import tts
from tests.serve.caller import QUESTION, serving
from tts import UserError
from tts.budget import Scope
from tts.report.__main__ import main
from tts.serve.recording import Recording

MODEL = "best-of-16+genprm"


def recorded(folder: Path, model: str) -> dict[int, tuple[DictConfig, tts.Evaluation]]:
    """The configurations and runs of a model, by the number of samples."""
    found = {}
    for place in folder.glob(f"{model}-*"):
        config = OmegaConf.load(place / ".hydra" / "config.yaml")
        assert isinstance(config, DictConfig)
        found[config["search"]["n"]] = config, tts.load(place)
    return found


def written(folder: Path) -> str:
    """All texts below a directory."""
    return "".join(path.read_text() for path in folder.rglob("*") if path.is_file())


def append(path: Path, text: str) -> None:
    """Appends to a file."""
    with path.open("a") as file:
        file.write(text)


async def test_what_was_asked_is_a_run_that_later_servers_add_to(tmp_path: Path) -> None:
    answers = []
    for _ in range(2):
        with Recording(tmp_path) as recording:
            async with serving(recording=recording) as server:
                answers += [await server.chat(), await server.chat(tts={"n": 4})]
    runs = recorded(tmp_path, MODEL)
    assert sorted(runs) == [4, 16]
    for n, (_, run) in runs.items():
        mine = [answer for answer in answers if len(answer["tts"]["candidates"]) == n]
        assert [record["question"] for record in run.records] == [QUESTION] * 2
        assert [len(record["solutions"]) for record in run.records] == [n] * 2
        assert [record["prediction"] for record in run.records] == [answer["tts"]["answer"] for answer in mine]
        assert run.summary["n_problems"] == 2
        spent = sum(answer["usage"]["completion_tokens"] for answer in mine)
        assert run.summary["policy"]["completion_tokens"] == spent
        # The second server's; no record says what of its cost was sampled anew.
        assert 0 < run.summary["generated"]["policy_tokens"] < spent
        for record in run.records:
            assert len(run.tree(record["id"]).nodes) == 1 + n


async def test_a_seed_is_part_of_no_configuration(tmp_path: Path) -> None:
    with Recording(tmp_path) as recording:
        async with serving(recording=recording) as server:
            for seed in (3, 4, None):
                await server.chat(model="policy", seed=seed)
    [(config, run)] = recorded(tmp_path, "policy").values()
    assert len(run.records) == 3
    assert config["seed"] == 0


async def test_it_holds_no_password(tmp_path: Path) -> None:
    with Recording(tmp_path) as recording:
        async with serving(recording=recording) as server:
            made = await server.service.catalogue.composed("policy")
            engine = {"base_url": "http://me:hunter2secret99@h/v1", "extra_body": {"api_key": "key-0123456789"}}
            config = {**made.config, "policy": {**made.config["policy"], "engine": engine}}
            result = await server.runtime.search(QUESTION)
            await recording.add("policy", replace(made, config=config), result, Scope())
    text = written(tmp_path)
    assert "base_url" in text
    assert not any(secret in text for secret in ("hunter2", "key-0123456789"))


async def test_a_search_is_answered_also_if_it_cannot_be_recorded(tmp_path: Path) -> None:
    with Recording(tmp_path) as recording:
        async with serving(recording=recording) as server:
            made = await server.service.catalogue.composed(MODEL)
            (tmp_path / f"{MODEL}-{made.identity}").write_text("in the way")
            answer = await server.chat()
            assert answer["choices"]
            assert "tts_unrecorded_total 1" in (await server.client.get("/metrics")).text


def test_a_directory_belongs_to_one_server(tmp_path: Path) -> None:
    with Recording(tmp_path), pytest.raises(UserError, match="another process"), Recording(tmp_path):
        pass


async def test_an_incomplete_line_of_a_killed_server_is_dropped(tmp_path: Path) -> None:
    async with serving() as server:
        made = await server.service.catalogue.composed("policy")
        result = await server.runtime.search(QUESTION)
    for _ in range(2):
        with Recording(tmp_path) as recording:
            await recording.add("policy", made, result, Scope())
            results = tmp_path / f"policy-{made.identity}" / "results.jsonl"
            append(results, '{"id": "hal')
    with Recording(tmp_path) as recording:
        await recording.add("policy", made, result, Scope())
    run = tts.load(results.parent)
    assert len(run.records) == run.summary["n_problems"] == 3


async def test_the_report_reads_it(tmp_path: Path) -> None:
    with Recording(tmp_path) as recording:
        async with serving(recording=recording) as server:
            await server.chat()
            await server.chat(model="majority-16")
    assert main([str(tmp_path)]) == 0
    assert "BestOfN" in (tmp_path / "report.csv").read_text()
