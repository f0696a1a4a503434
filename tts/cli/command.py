"""A command line of this project: a Hydra configuration in, one job or a sweep of them, an exit status out."""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import hydra
import hydra._internal.hydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from tts.cli.failures import print_error
from tts.cli.footprint import Footprint
from tts.cli.hiding import without_secrets
from tts.cli.jobs import Jobs, RunJob
from tts.cli.sweep import Sweep, expected
from tts.config.loader import Loader
from tts.config.refusals import check_flags, check_options, flags_first, quoted, refusal
from tts.config.targets import given
from tts.core.errors import UserError
from tts.core.secrets import Secrets
from tts.core.terminal import Terminal
from tts.files.writing import of_files, refused

# A path, not a package: with editable installs a user's `conf` in the current directory might be found first.
CONF = Path(__file__).resolve().parents[2] / "conf"


def command(config_name: str, run_job: RunJob, arguments: Sequence[str], *, overwrites: bool = False) -> int:
    """Runs the job, or the jobs of a sweep, and returns the highest exit status among them.

    Args:
        config_name: The primary configuration in `conf`.
        run_job: Runs one job.
        arguments: Hydra's: overrides and options.
        overwrites: Whether a job that does not resume overwrites results; it is then refused unless it is told to.
    """
    jobs, footprint = Jobs(run_job, CONF / f"{config_name}.yaml", overwrites), Footprint()
    try:
        with without_secrets(Secrets(given(arguments))):
            return _run(config_name, jobs, footprint, arguments)
    finally:
        footprint.clear()


def _run(config_name: str, jobs: Jobs, footprint: Footprint, arguments: Sequence[str]) -> int:
    _register()
    # Lets Hydra's own errors propagate to here, where they become one message.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    logging.raiseExceptions = False  # a log that cannot be written, as on a full disk, is no reason for a traceback
    arguments = flags_first([quoted(argument) for argument in arguments])
    sys.argv[1:] = arguments  # Hydra reads them there
    interruption = jobs.host.interruption
    with interruption.heard():
        try:
            return _status(config_name, jobs, footprint, arguments)
        finally:
            with interruption.ending(lambda: None), suppress(SystemExit):  # of a task: asyncio raises it again
                jobs.host.close()


def _status(config_name: str, jobs: Jobs, footprint: Footprint, arguments: Sequence[str]) -> int:
    interruption = jobs.host.interruption
    try:
        with interruption.unmasked():
            check_flags(arguments)
            check_options(CONF / f"{config_name}.yaml", arguments)
            run = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(jobs)
            with expected(jobs.sweep, footprint):
                _rounds(run, jobs.sweep)
    except (UserError, HydraException, OmegaConfBaseException) as error:
        print_error(Terminal(stderr=True), refusal(error))
        jobs.statuses.append(2)
    except KeyboardInterrupt:
        then = _how_to_go_on(config_name, arguments, jobs)
        print_error(Terminal(stderr=True), f"interrupted; finished problems are kept; {then}")
        jobs.sweep.end()
        return interruption.status
    except SystemExit as ends:
        place = traceback.extract_tb(ends.__traceback__)[-1]
        if Path(hydra.__file__).parent in Path(place.filename).parents:  # Hydra has said why
            raise
        # A part of the user's: without this the run would look done.
        print_error(
            Terminal(stderr=True), f"{place.filename}:{place.lineno}: it calls sys.exit; a part raises an error"
        )
        jobs.sweep.end()
        return 2
    except Exception as error:
        system = _system_error(error)
        if system is not None:
            print_error(Terminal(stderr=True), refused(system))
            jobs.sweep.end()
            return 2
        # No cell raises in a sweep: the error is the launcher's or the sweeper's, for example a dead process.
        if jobs.sweep.on:
            _report_stop(jobs.sweep, error)
        else:
            traceback.print_exc()  # here, where secrets are hidden
        jobs.statuses.append(1)
    # A launcher may have run the jobs in other processes.
    failures = jobs.sweep.end()
    if failures:
        print_error(Terminal(), f"{len(failures)} of the sweep's runs failed; the same command runs only these again")
        for folder, (_, reason) in failures.items():
            Terminal().print(f"  {folder.name}: {reason}", markup=False, highlight=False, soft_wrap=True)
    return max((*jobs.statuses, *(status for status, _ in failures.values())), default=0)


def _how_to_go_on(config_name: str, arguments: Sequence[str], jobs: Jobs) -> str:
    """Returns what to do to resume an interrupted command."""
    if jobs.sweep.on or jobs.folder is None:
        return "the same command goes on"
    name = "search" if config_name == "config" else config_name
    own = [one for one in arguments if one.partition("=")[0] not in ("hydra.run.dir", "resume")]
    again = shlex.join(["tts", name, *own, quoted(f"hydra.run.dir={jobs.folder}"), "resume=true"])
    return f"to go on: {again}"


def _system_error(error: BaseException | None) -> OSError | None:
    """Returns the system's refusal of a file that caused an error; None if it had another cause."""
    while error is not None and not (isinstance(error, OSError) and of_files(error)):
        if isinstance(error, ValueError) and str(error) == "embedded null byte":  # Python refuses it for the system
            return OSError(errno.EINVAL, "the name of a file or directory (hydra.run.dir, ...) holds a null character")
        error = error.__cause__
    return error


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
    print_error(Terminal(stderr=True), f"the sweep's launcher or sweeper stopped ({reason}); see {log}{then}")
