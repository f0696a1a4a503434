"""A sweep: the list of its cells, all accounted for at the end, and further rounds if a process pool breaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from uuid import uuid4

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from tts.cli.footprint import Footprint
from tts.cli.run_directory import RunDirectory
from tts.files.writing import write_whole


class Sweep:
    """Keeps a list of a sweep's cells in a file; the launcher's processes receive copies of this object.

    When one process of a pool dies, the pool ends all of them and drops the cells not yet begun. So the sweep runs in
    rounds, each of which skips the cells begun before. It is unknown which of the interrupted cells broke the pool, so
    each of them then runs in a separate round, in which it cannot affect others.
    """

    def __init__(self) -> None:
        self._list: Path | None = None
        self._over: set[Path] = set()
        self._suspects: list[Path] = []
        self._alone = False

    @property
    def on(self) -> bool:
        """Whether it has begun and not ended; a single run is not a sweep."""
        return self._list is not None

    def begin(self, folder: Path) -> None:
        """Begins the list in the sweep's directory, or continues it in a further round."""
        if self._list is None:
            folder.mkdir(parents=True, exist_ok=True)
            self._list = folder.absolute() / f".cells-{uuid4().hex}"
            self._list.touch()

    def add(self, folder: Path) -> None:
        """Adds a cell that is about to run, in any process."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{folder}\n")

    def leaves(self, folder: Path) -> bool:
        """Whether a cell is skipped in this round."""
        return folder in self._over

    def another_round(self, broken: bool) -> bool:
        """Determines the cells that the next round skips, and returns whether there is a next round.

        Args:
            broken: Whether a process, and so the pool, died in the last round.
        """
        begun = self._begun()
        new = [folder for folder in begun if folder not in self._over]
        if broken and not new:  # the processes die before they reach a cell
            return False
        if broken and not self._alone:
            cut = [folder for folder in new if RunDirectory(folder, "").cut]
            if len(cut) > 1:
                self._suspects += cut
            self._over = set(begun)
            return True
        if not self._suspects:
            return False
        self._alone = True
        self._over = set(begun) - {self._suspects.pop(0)}
        return True

    def note(self, text: str) -> Path:
        """Writes the error that ended the sweep or a round, rather than a cell, to a file and returns its path."""
        path = self._file.with_name("stopped.txt")
        write_whole(path, text)
        return path

    def end(self) -> dict[Path, tuple[int, str]]:
        """Ends the sweep, and returns the unfinished cells, each with its exit status and the reason."""
        if self._list is None:
            return {}
        failed = ((folder, RunDirectory(folder, "").failure()) for folder in self._begun())
        failures = {folder: failure for folder, failure in failed if failure is not None}
        self._list.unlink()
        self._list = None
        return failures

    def _begun(self) -> list[Path]:
        """Returns the cells that were begun, each once."""
        return list(dict.fromkeys(map(Path, self._file.read_text("utf-8").splitlines())))

    @property
    def _file(self) -> Path:
        assert self._list is not None  # it was begun
        return self._list


_expected: ContextVar[tuple[Sweep, Footprint]] = ContextVar("expected")


@contextmanager
def expected(sweep: Sweep, footprint: Footprint) -> Iterator[None]:
    """Lets Hydra begin this sweep, if any, and name its directory: only Hydra's callbacks learn it beforehand."""
    token = _expected.set((sweep, footprint))
    try:
        yield
    finally:
        _expected.reset(token)


class Begin(Callback):
    """Hydra's callback before it makes the directory of a run or a sweep."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Notes the run's directory."""
        if _nameable(config.hydra.run.dir):
            _expected.get()[1].expect(Path(config.hydra.run.dir))

    def on_multirun_start(self, config: DictConfig, **_: object) -> None:
        """Notes the sweep's directory, and begins the sweep that the command expects."""
        sweep, footprint = _expected.get()
        if not _nameable(config.hydra.sweep.dir):
            return
        footprint.expect(Path(config.hydra.sweep.dir))
        sweep.begin(Path(config.hydra.sweep.dir))


def _nameable(folder: str) -> bool:
    """Whether Hydra can make a directory; if not, its error tells why, which one of a callback does not."""
    return "\0" not in folder
