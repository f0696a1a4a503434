"""The files of deploy/: every search composes, and what the containers share is declared."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tts import Runtime
from tts.config.compose import configuration
from tts.serve.catalogue import Catalogue
from tts.serve.server import read_settings

PLACE = Path(__file__).resolve().parents[2] / "deploy"


async def test_the_containers_serve_searches_that_compose() -> None:
    folder = PLACE / "etc"
    config, _ = configuration("serve", ["models=mine"], folder)
    settings = read_settings(config, folder)
    async with Runtime(sandbox="none") as runtime:
        catalogue = Catalogue(settings.models, runtime, settings.limits, folder)
        await catalogue.check()
        made = await catalogue.composed("best-of-16+genprm")
    services = yaml.safe_load((PLACE / "compose.yaml").read_text())["services"]
    for role in ("policy", "verifier"):
        engine = made.config[role]["engine"]
        assert engine["base_url"] == f"http://{role}:8000/v1"
        assert engine["model"] in services[role]["command"]


def test_what_the_containers_share_is_declared() -> None:
    whole = yaml.safe_load((PLACE / "compose.yaml").read_text())
    named = {
        volume.split(":")[0]
        for service in whole["services"].values()
        for volume in service.get("volumes", ())
        if not volume.startswith(".")
    }
    assert named == set(whole["volumes"])
    assert set(whole["services"]["serve"]["depends_on"]) <= set(whole["services"])
