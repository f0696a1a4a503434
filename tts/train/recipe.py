"""How a model is trained: steps, rates, precision, devices; most of it in transformers' terms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts.core.errors import UserError, missing_extra
from tts.core.settings import (
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Probability,
    Processes,
    refused,
    settings,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainingArguments

Precision = Literal["float32", "mixed", "bfloat16"]
"""`mixed`: weights in float32, matrix products in bfloat16."""

_TRACKERS = {
    "wandb": "wandb",
    "mlflow": "mlflow",
    "tensorboard": "tensorboard",
    "trackio": "trackio",
    "clearml": "clearml",
}
"""The trackers, and the package that each needs."""


@settings
class Lora:
    """Low-rank adapters (arXiv 2106.09685) in all linear layers; they are merged into the weights that a run writes.

    Args:
        rank: Their rank.
        alpha: Their scale, divided by the rank.
        dropout: Dropout before them.
    """

    def __init__(self, rank: PositiveInt = 16, alpha: PositiveFloat = 32, dropout: Probability = 0.0) -> None:
        self._settings = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout}

    def check(self) -> None:
        """Raises UserError if the package is missing."""
        if find_spec("peft") is None:
            raise missing_extra("peft", "train")

    def adapted(self, model: PreTrainedModel) -> PreTrainedModel:
        """Returns the model with adapters; of its own weights only a new head is trained."""
        from peft import LoraConfig, get_peft_model

        new = ["score"] if hasattr(model, "score") else None
        options = {"target_modules": "all-linear", "modules_to_save": new, "exclude_modules": new}
        return get_peft_model(model, LoraConfig(**self._settings, **options))


@settings
class Recipe:
    """The settings of a run.

    Args:
        epochs: How often every row is seen.
        steps: The most updates; None for no limit.
        batch: Rows of an update, over all devices.
        device_batch: The most rows at a time on a device; a batch is summed up from as many as it takes.
        learning_rate: The peak rate.
        schedule: How the rate falls after the warm-up, in transformers' terms: `cosine`, `linear`, `constant`, ...
        warmup: The share of the updates in which the rate rises.
        weight_decay: Of AdamW.
        clip: The largest norm of the gradient.
        precision: `float32`; `mixed`, whose products are in bfloat16; or `bfloat16`, whose weights are, too.
        gradient_checkpointing: Whether to compute activations twice rather than keep them.
        lora: Adapters to train in place of the weights; None trains these.
        devices: Processes, each on its device; None takes all GPUs, or one process on a CPU.
        log_every: Updates between lines of `metrics.jsonl`.
        save_every: Updates between checkpoints, from which a run goes on.
        report_to: Trackers: wandb, mlflow, tensorboard, trackio, clearml.
        arguments: Further arguments of transformers' `TrainingArguments`, such as `fsdp` or `deepspeed`.
    """

    def __init__(
        self,
        epochs: PositiveFloat = 1.0,
        steps: PositiveInt | None = None,
        batch: PositiveInt = 64,
        device_batch: PositiveInt = 8,
        learning_rate: PositiveFloat = 2e-6,
        schedule: str = "cosine",
        warmup: Probability = 0.03,
        weight_decay: NonNegativeFloat = 0.0,
        clip: PositiveFloat = 1.0,
        precision: Precision = "mixed",
        gradient_checkpointing: bool = False,
        lora: Lora | None = None,
        devices: Processes | None = None,
        log_every: PositiveInt = 10,
        save_every: PositiveInt = 200,
        report_to: Sequence[str] = (),
        arguments: Mapping[str, object] | None = None,
    ) -> None:
        self._epochs, self._steps, self._batch, self._device_batch = epochs, steps, batch, device_batch
        self._rate, self._schedule, self._warmup, self._decay, self._clip = (
            *(learning_rate, schedule, warmup),
            *(weight_decay, clip),
        )
        self._devices = devices
        self._log_every, self._save_every = log_every, save_every
        self._report_to, self._arguments = tuple(report_to), dict(arguments or {})
        self.precision, self.gradient_checkpointing, self.lora = precision, gradient_checkpointing, lora

    def check(self) -> None:
        """Raises UserError if a package is missing, or the batch cannot be spread over the devices."""
        if find_spec("accelerate") is None:
            raise missing_extra("accelerate", "train")
        if self.lora is not None:
            self.lora.check()
        for name in self._report_to:
            if name not in _TRACKERS:
                raise refused("report_to", name, f"there are {', '.join(_TRACKERS)}")
            if find_spec(_TRACKERS[name]) is None:
                raise UserError(f"trainer.report_to: {name} needs a package: pip install {_TRACKERS[name]}")
        if self._batch % self.devices:
            raise refused(
                "batch", self._batch, f"it is spread over {self.devices} devices, and must be a multiple of that"
            )

    @property
    def devices(self) -> int:
        """The number of processes."""
        import torch

        return self._devices or max(1, torch.cuda.device_count())

    def updates(self, rows: int) -> int:
        """Returns the number of updates for a number of rows."""
        whole = math.ceil(self._epochs * math.ceil(rows / self._batch))
        return whole if self._steps is None else min(whole, self._steps)

    def passes(self, rows: int) -> float:
        """Returns how often every row is seen."""
        return self.updates(rows) / math.ceil(rows / self._batch)

    def in_transformers(self, folder: Path, rows: int, seed: NonNegativeInt) -> TrainingArguments:
        """Returns the arguments of transformers' trainer.

        Args:
            folder: Where the checkpoints go.
            rows: The number of rows.
            seed: Determines new weights, the order of the rows and dropout.

        Raises:
            SettingError: One of `arguments` is unknown or wrong.
        """
        import torch
        from transformers import TrainingArguments

        share = self._batch // self.devices
        device_batch = next(size for size in range(min(share, self._device_batch), 0, -1) if share % size == 0)
        own = {
            "output_dir": str(folder),
            "max_steps": self.updates(rows),
            "per_device_train_batch_size": device_batch,
            "gradient_accumulation_steps": share // device_batch,
            "learning_rate": self._rate,
            "lr_scheduler_type": self._schedule,
            "warmup_steps": math.ceil(self._warmup * self.updates(rows)),
            "weight_decay": self._decay,
            "max_grad_norm": self._clip,
            "bf16": self.precision != "float32",
            "use_cpu": not torch.cuda.is_available(),
            "logging_steps": self._log_every,
            "save_steps": self._save_every,
            "save_total_limit": 2,
            "report_to": list(self._report_to) or "none",
            "seed": seed,
            "data_seed": seed,
            "disable_tqdm": True,
            "remove_unused_columns": False,
            "dataloader_pin_memory": False,
            "ddp_find_unused_parameters": False,
            "label_names": ["labels"],
        }
        try:
            return TrainingArguments(**own | self._arguments)
        except (TypeError, ValueError) as error:
            raise UserError(f"trainer: transformers refuses its arguments: {error}") from None
