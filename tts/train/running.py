"""Trains a composed job: from the beginning or the last checkpoint to a saved model, in one process or several."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import torch
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, start_processes
from transformers import PreTrainedModel, set_seed
from transformers.utils.logging import disable_progress_bar

from tts.config.build import Config
from tts.core.errors import RunError, UserError
from tts.core.json import Summary
from tts.files.objects import read_object
from tts.files.writing import write_whole, writing
from tts.train.figures import Figures
from tts.train.job import TrainJob, compose_train
from tts.train.method import compared
from tts.train.trainer import MethodTrainer, Metrics, latest

_FULL = ("No space left", "File too large", "Disk quota", "PytorchStreamWriter", "unexpected pos")
"""What libraries say, in place of an OSError, when a file cannot be written."""


def trained(job: TrainJob, folder: Path) -> Figures:
    """Trains a job unless that is done, and returns its figures.

    The folder then holds `model` (weights and tokenizer), `metrics.jsonl` and `training.json`.

    Raises:
        UserError: The folder holds another training, or the model cannot be loaded.
        RunError: The disk is full, or a process failed.
    """
    record = folder / "training.json"
    known: Summary = read_object(record) or {"key": job.key}
    if known.get("key") != job.key:
        raise UserError(
            f"{folder}: holds another training (data, base, method, trainer, seed, or what the verifier reads); give this "
            "one its own directory: hydra.run.dir=..."
        )
    if "figures" in known:
        return Figures(**known["figures"])
    with _disk(folder):
        write_whole(record, json.dumps({"key": job.key}) + "\n")
    figures = _launched(job, folder) if job.recipe.devices > 1 else train(job, folder)
    with writing(folder):
        write_whole(record, json.dumps({"key": job.key, "figures": asdict(figures)}, indent=2) + "\n")
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return figures


def train(job: TrainJob, folder: Path) -> Figures:
    """Trains in this process, which may be one of several, and saves the model.

    Raises:
        UserError: The model cannot be loaded.
        RunError: The disk is full.
    """
    disable_progress_bar()
    recipe, seed = job.recipe, int(job.config["seed"])
    arguments = recipe.in_transformers(folder / "checkpoints", len(job.data.examples), seed)
    set_seed(seed)
    dtype = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    model = job.method.model(partial(job.base.load, dtype=dtype)).to(arguments.device)
    with torch.autocast(arguments.device.type, torch.bfloat16, enabled=recipe.precision != "float32"):
        data = compared(job.method, model.eval(), job.data, arguments.train_batch_size, arguments.device)
    if recipe.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if recipe.lora is not None:
        model = recipe.lora.adapted(model)
    trained_parameters = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    metrics = Metrics(folder)
    trainer = MethodTrainer(job.method, model, arguments, data.examples, metrics)
    checkpoint = latest(folder / "checkpoints")
    with _disk(folder):
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        _save(job, trainer, folder)
    last = metrics.last
    return job.figures(trained_parameters, last.get("loss"), last.get("accuracy"), last.get("wall_s", 0.0))


def _save(job: TrainJob, trainer: MethodTrainer, folder: Path) -> None:
    """Writes the model with its tokenizer, completely or not at all; adapters are merged into it."""
    part = folder / "model.tmp"
    if job.recipe.lora is not None:
        merged: PreTrainedModel = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
        merged.save_pretrained(part, is_main_process=trainer.is_world_process_zero())
    else:
        trainer.save_model(str(part))
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        (part / "training_args.bin").unlink(missing_ok=True)
        job.base.tokenizer.load().save_pretrained(part)
        shutil.rmtree(folder / "model", ignore_errors=True)
        part.replace(folder / "model")


def _launched(job: TrainJob, folder: Path) -> Figures:
    """Trains in several processes on this machine, each with its device."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    queue: SimpleQueue[Figures] = get_context("spawn").SimpleQueue()
    variables = {"WORLD_SIZE": str(job.recipe.devices), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    arguments = (variables, job.config, job.identity, str(folder), queue)
    try:
        start_processes(_process, arguments, job.recipe.devices, start_method="spawn")  # type: ignore[no-untyped-call]
    except (ProcessRaisedException, ProcessExitedException) as error:
        raise RunError(
            f"process {error.error_index} of {job.recipe.devices} failed: {str(error).strip().splitlines()[-1]}; the same "
            "command goes on from the last checkpoint"
        ) from None
    return queue.get()


def _process(
    rank: int, variables: dict[str, str], config: Config, identity: str, folder: str, queue: SimpleQueue[Figures]
) -> None:
    """One of several processes: composes the job anew. accelerate reads its place from the environment."""
    os.environ.update(variables, RANK=str(rank), LOCAL_RANK=str(rank))
    figures = train(compose_train(config, identity), Path(folder))
    if rank == 0:
        queue.put(figures)
    torch.distributed.destroy_process_group()


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Ends the run if a file cannot be written, whatever the library that writes it raises.

    Raises:
        RunError: A file could not be written.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not isinstance(error, OSError) and not any(words in str(error) for words in _FULL):
            raise
        raise RunError(
            f"{folder}: cannot be written: {str(error).splitlines()[0]}; the last complete checkpoint is kept: fix this "
            "(free space?) and run the same command again"
        ) from None
