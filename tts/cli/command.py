"""A command line of this project: a Hydra configuration in, one job or a sweep of them, an exit status out."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import hydra
import hydra._internal.hydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from tts.cli.failures import print_error
from tts.cli.jobs import Jobs, RunJob
from tts.cli.output import without_secrets
from tts.cli.sweep import Sweep, expected
from tts.config.keys import top_level
from tts.config.loader import Loader
from tts.config.refusals import check_options, refusal
from tts.config.targets import given
from tts.core.errors import UserError
from tts.core.secrets import Secrets

# A path, not a package: with editable installs a user's `conf` in the current directory might be found first.
CONF = Path(__file__).resolve().parents[2] / "conf"


def command(config_name: str, run_job: RunJob, arguments: Sequence[str]) -> int:
    """Runs the job, or the jobs of a sweep, and returns the highest exit status among them.

    Args:
        config_name: The primary configuration in `conf`.
        run_job: Runs one job.
        arguments: Hydra's: overrides and options.
    """
    with without_secrets(Secrets(given(arguments))):
        return _command(config_name, run_job, arguments)


def _command(config_name: str, run_job: RunJob, arguments: Sequence[str]) -> int:
    jobs = Jobs(run_job, top_level(CONF / f"{config_name}.yaml"))
    _register()
    # Lets Hydra's own errors propagate to here, where they become one message.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    sys.argv[1:] = arguments  # Hydra reads them there
    try:
        check_options(CONF / f"{config_name}.yaml", arguments)
        with expected(jobs.sweep):
            _rounds(hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(jobs), jobs.sweep)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print_error(Console(stderr=True), refusal(error))
        jobs.statuses.append(2)
    except KeyboardInterrupt:
        print_error(Console(stderr=True), "interrupted; finished problems are kept in results.jsonl")
        jobs.sweep.end()
        return 130
    except Exception as error:
        # No cell raises in a sweep: the error is the launcher's or the sweeper's, for example a dead process.
        if jobs.sweep.on:
            _report_stop(jobs.sweep, error)
        else:
            traceback.print_exc()  # here, where secrets are hidden
        jobs.statuses.append(1)
    finally:
        jobs.host.close()
    # A launcher may have run the jobs in other processes.
    failures = jobs.sweep.end()
    if failures:
        print_error(Console(), f"{len(failures)} of the sweep's runs failed; the same command runs only these again")
        for folder, (_, reason) in failures.items():
            Console().print(f"  {folder.name}: {reason}", markup=False, highlight=False, soft_wrap=True)
    return max((*jobs.statuses, *(status for status, _ in failures.values())), default=0)


def _register() -> None:
    """Replaces Hydra's loader, basic sweeper and launcher by ours; configurations keep the basic names."""
    hydra._internal.hydra.ConfigLoaderImpl = Loader  # type: ignore[attr-defined]
    known = Plugins.instance().class_name_to_class
    # Hydra executes its plug-ins' modules when it searches for them: a class derived earlier has another base.
    from tts.cli.grid import PLUG_INS

    known.update({f"{basic.__module__}.{basic.__qualname__}": ours for basic, ours in PLUG_INS.items()})


def _rounds(launch: Callable[[], None], sweep: Sweep) -> None:
    """Runs the job, or the sweep in as many rounds as it takes.

    Raises:
        BrokenProcessPool: A process of the launcher's pool died, and no cells are left to continue with.
    """
    again = True
    while again:
        try:
            launch()
            again = sweep.on and sweep.another_round(broken=False)
        except BrokenProcessPool as error:
            if not (sweep.on and sweep.another_round(broken=True)):
                raise
            _report_stop(sweep, error, "; the sweep continues with other cells")


def _report_stop(sweep: Sweep, error: Exception, then: str = "") -> None:
    """Reports that the launcher or the sweeper stopped, rather than a cell; its message goes to a file."""
    reason = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    log = sweep.note("".join(traceback.format_exception(error)))
    print_error(Console(stderr=True), f"the sweep's launcher or sweeper stopped ({reason}); see {log}{then}")
