"""transformers' trainer around a method: the loss over a whole batch, batches by length, metrics in a file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_pt_utils import get_length_grouped_indices

from tts.train.method import Method, Sized

E = TypeVar("E", bound=Sized)

_WHOLE = "complete"
"""A file in a checkpoint that was written to its end."""


class MethodTrainer(Trainer):  # type: ignore[misc]
    """Trains a model by a method.

    Args:
        method: The method.
        model: The model.
        arguments: transformers' arguments.
        examples: The examples.
        callback: Receives the metrics and the checkpoints.
    """

    # The sum over a batch's items is divided by their number here, over all devices and parts of a batch.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        method: Method[E],
        model: PreTrainedModel,
        arguments: TrainingArguments,
        examples: Sequence[E],
        callback: TrainerCallback,
    ) -> None:
        super().__init__(model, arguments, data_collator=method.collate, train_dataset=examples, callbacks=[callback])
        self.remove_callback(PrinterCallback)
        self._method = method
        neighbours = arguments.train_batch_size * arguments.gradient_accumulation_steps
        self._sampler = ByLength(examples, neighbours, arguments.seed)
        self._right = torch.zeros(2, device=arguments.device)
        # A batch's `labels` are counted as they are, which is done only for models that are known to take the number.
        self.model_accepts_loss_kwargs, self._loss_shifts_labels = True, False

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Mapping[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Tensor:
        """Returns the mean loss of the batch's items, scaled such that the devices' mean is that of all."""
        items = (inputs["labels"] != -100).sum()
        loss = self._method.loss(model, inputs)
        self._right += torch.stack([loss.right, items]).detach()
        total = items if num_items_in_batch is None else num_items_in_batch
        scaled: Tensor = loss.total * self.accelerator.num_processes / total
        return scaled

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the share of items that the model had right since the last line."""
        right, items = self.accelerator.reduce(self._right, "sum").tolist()
        if items and "loss" in logs:
            logs["accuracy"] = right / items
            self._right.zero_()
        super().log(logs, start_time)

    def _get_train_sampler(self, train_dataset: object = None) -> Sampler[int]:
        return self._sampler


class ByLength(Sampler[int]):
    """Random orders in which neighbours have about the same length, a new one every epoch.

    Args:
        examples: The examples.
        batch: The number of neighbours.
        seed: Determines the orders, with the epoch.
    """

    def __init__(self, examples: Sequence[Sized], batch: int, seed: int) -> None:
        self._lengths, self._batch, self._seed = list(map(len, examples)), batch, seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed * 10_007 + self._epoch)
        return iter(get_length_grouped_indices(self._lengths, self._batch, generator=generator))

    def set_epoch(self, epoch: int) -> None:
        """Begins an epoch; accelerate calls it, also with that in which an earlier run ended."""
        self._epoch = epoch


class Metrics(TrainerCallback):  # type: ignore[misc]
    """Writes `metrics.jsonl` and prints its lines, and marks checkpoints that are complete.

    Args:
        folder: The run directory.
    """

    def __init__(self, folder: Path) -> None:
        self._path, self._began = folder / "metrics.jsonl", time.monotonic()
        self.last: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object
    ) -> None:
        """Drops the lines of an earlier run behind the checkpoint that this one goes on from."""
        if not state.is_world_process_zero:
            return
        lines = self._path.read_text("utf-8").splitlines(keepends=True) if self._path.exists() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= state.global_step]
        self._path.write_text("".join(kept), "utf-8")
        if state.global_step:
            print(f"goes on from step {state.global_step:,} of {state.max_steps:,}", flush=True)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object
    ) -> None:
        """Has the last update written as well, and those of checkpoints: a run that goes on writes the same lines."""
        control.should_log |= control.should_save or state.global_step >= state.max_steps

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **others: object,
    ) -> None:
        """Writes and prints a line."""
        if not state.is_world_process_zero or "loss" not in logs:
            return
        seconds = round(time.monotonic() - self._began, 3)
        self.last = {"step": state.global_step, "epoch": round(state.epoch or 0, 4), **logs, "wall_s": seconds}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.last) + "\n")
        shown = f"loss {logs['loss']:.4f}, accuracy {logs.get('accuracy', 0):.3f}, rate {logs['learning_rate']:.2g}"
        print(f"step {state.global_step:,} of {state.max_steps:,}: {shown}, {seconds:.0f} s", flush=True)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object) -> None:
        """Marks a checkpoint as complete."""
        if state.is_world_process_zero:
            Path(args.output_dir, f"checkpoint-{state.global_step}", _WHOLE).touch()


def latest(folder: Path) -> Path | None:
    """Returns the latest complete checkpoint, None if there is none."""
    whole = [mark.parent for mark in folder.glob(f"checkpoint-*/{_WHOLE}")]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.rpartition("-")[2]), default=None)
