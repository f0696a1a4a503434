"""Runs a cell of a sweep in this process, like Hydra's `run_job`, which copies the configuration five times."""

from __future__ import annotations

import logging
import os
from contextlib import chdir, nullcontext
from pathlib import Path
from typing import cast

import yaml
from hydra._internal.callbacks import Callbacks
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, configure_log, env_override
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf._utils import get_omega_conf_dumper

from tts.cli.jobs import Jobs
from tts.config.build import Config
from tts.files.writing import check_folder, writing


def run_cell(number: int, config: DictConfig, callbacks: Callbacks, task_function: TaskFunction) -> JobReturn:
    """Runs a cell in its directory, with Hydra's files in it; returns its result, without the configuration.

    Args:
        number: The cell's number in the sweep.
        config: Its configuration, including Hydra's.
        callbacks: Hydra's callbacks, which are notified.
        task_function: Runs the job.
    """
    hydra, state = config.hydra, HydraConfig.instance()
    before, state.cfg = state.cfg, cast(HydraConf, config)
    try:
        folder = _numbered(number, config)
        OmegaConf.set_readonly(hydra, True)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if hydra.output_subdir is not None:
                _save(config, folder / hydra.output_subdir)
        check_folder(folder)
        configure_log(hydra.job_logging, hydra.verbose)
        task = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        OmegaConf.set_struct(task, True)
        with chdir(folder) if hydra.job.chdir else nullcontext(), env_override(hydra.job.env_set):
            overrides = cast(list[str], OmegaConf.to_container(hydra.overrides.task))
            done = JobReturn(overrides=overrides, working_dir=os.getcwd(), task_name=hydra.job.name)
            callbacks.on_job_start(config=config, task_function=task_function)
            try:
                done.return_value, done.status = task_function(task), JobStatus.COMPLETED
            except Exception as error:
                done.return_value, done.status = error, JobStatus.FAILED
        for handler in logging.getLogger().handlers:
            handler.flush()
        callbacks.on_job_end(config=config, job_return=done)
        return done
    finally:
        state.cfg = before


def refusal(number: int, config: DictConfig, jobs: Jobs) -> str:
    """Returns why a cell cannot run, as far as that can be told without running it; an empty text if it can.

    One that was begun before was checked then.

    Args:
        number: The cell's number in the sweep.
        config: Its configuration, including Hydra's.
        jobs: Runs the cells.
    """
    state = HydraConfig.instance()
    before, state.cfg = state.cfg, cast(HydraConf, config)
    try:
        folder = _numbered(number, config)
        if (folder / "status.json").exists():
            return ""
        return jobs.refusal(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    finally:
        state.cfg = before


def _numbered(number: int, config: DictConfig) -> Path:
    """Numbers a cell's configuration, and returns its directory."""
    hydra = config.hydra
    with read_write(hydra), open_dict(hydra):
        hydra.job.id = hydra.job.num = number
        hydra.runtime.output_dir = os.path.abspath(os.path.join(hydra.sweep.dir, hydra.sweep.subdir))
    return Path(hydra.runtime.output_dir)


def _save(config: DictConfig, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    task = cast(dict[str, Config], OmegaConf.to_container(config, enum_to_str=True))
    hydra = task.pop("hydra")
    parts = {"config": task, "hydra": {"hydra": hydra}, "overrides": hydra["overrides"]["task"]}
    for name, part in parts.items():
        # Like OmegaConf.to_yaml, which creates another container of each.
        text = yaml.dump(part, allow_unicode=True, sort_keys=False, Dumper=get_omega_conf_dumper())
        (folder / f"{name}.yaml").write_text(text, "utf-8")
