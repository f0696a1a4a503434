"""The default sweeper and launcher: Hydra's basic ones, adapted for thousands of cells.

Hydra's own compose every cell before the first is run, then again, and keep all compositions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, configure_log, filter_overrides, setup_globals
from hydra.errors import HydraException
from hydra.plugins.plugin import Plugin
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from tts.cli.cells import refusal, run_cell
from tts.cli.composition import Composer
from tts.cli.jobs import Jobs
from tts.core.errors import UserError

_CELLS = 100_000
"""Of one sweep; they are composed, checked and listed before the first is run."""
_TOLD = 5
"""Cells that cannot run, of which the reason is told beforehand."""
_log = logging.getLogger(__name__)


class Grid(BasicSweeper):
    """Runs the product of the overrides' values; all cells are checked before the first is run."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepares the sweep."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        assert isinstance(task_function, Jobs)  # the command's, which registered these classes
        self._jobs = task_function

    def sweep(self, arguments: list[str]) -> object:
        """Runs the sweep.

        Raises:
            UserError: It has no cells, or too many.
            HydraException: An override is wrong.
        """
        assert self.hydra_context is not None
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        cells = 1
        for override in parser.parse_overrides([*self._parse_config(), *arguments]):
            if override.is_discrete_sweep():
                try:
                    values = sum(1 for _ in islice(override.sweep_string_iterator(), _CELLS + 1))
                except ValueError as error:  # a range with the step 0
                    raise UserError(f"{override.input_line}: {error}") from None
                if not values:
                    raise UserError(f"{override.input_line}: it stands for no value; the sweep has no cells")
                cells *= values
            if cells > _CELLS:
                raise UserError(f"{override.input_line}: more than {_CELLS:,} cells; sweep over fewer values")
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Tells, before the first cell is run, which cells cannot run; the others are run nevertheless.

        Raises:
            UserError: An override names something unknown, or no cell can run.
            HydraException: Likewise.
        """
        assert self.config is not None  # set by `setup`, like the rest
        assert self.hydra_context is not None
        composer = Composer(self.hydra_context, self.config)
        for config in composer.samples(batch):
            self._jobs.check({str(key): config[key] for key in config if key != "hydra"})
        reasons = (refusal(number, composer.compose(cell), self._jobs) for number, cell in enumerate(batch))
        refused = [
            (" ".join(filter_overrides(cell)), reason) for cell, reason in zip(batch, reasons, strict=True) if reason
        ]
        if len(batch) > 1 and len(refused) == len(batch):
            raise UserError(f"none of the {len(batch)} cells can run; {refused[0][0]}: {refused[0][1]}")
        for cell, reason in refused[:_TOLD]:
            _log.warning("cannot run, unlike the others: %s: %s", cell, reason)
        if len(refused) > _TOLD:
            _log.warning("%d of %d cells cannot run", len(refused), len(batch))


class InTurn(BasicLauncher):
    """Runs cells one after the other in this process, keeping no results."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        """Runs cells; one that cannot be composed does not stop the others."""
        assert self.config is not None  # set by `setup`, like the rest
        assert self.hydra_context is not None
        assert self.task_function is not None
        setup_globals()
        hydra = self.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        Path(hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        _log.info("Launching %d jobs locally", len(job_overrides))
        composer = Composer(self.hydra_context, self.config)
        returns = []
        for number, overrides in enumerate(job_overrides, initial_job_idx):
            _log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))
            try:
                config = composer.compose(overrides)
                returns.append(run_cell(number, config, self.hydra_context.callbacks, self.task_function))
            except (HydraException, OmegaConfBaseException, UserError) as error:
                returns.append(JobReturn(overrides=overrides, status=JobStatus.FAILED, _return_value=error))
            configure_log(hydra.hydra_logging, hydra.verbose)
        return returns


PLUG_INS: dict[type[Plugin], type[Plugin]] = {BasicSweeper: Grid, BasicLauncher: InTurn}
"""From the class that each replaces."""
