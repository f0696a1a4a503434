"""A sweep's rounds: a process that dies takes its pool with it, and costs its own cell alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tts.cli.run_directory import RunDirectory
from tts.cli.sweep import Sweep


def round_of(sweep: Sweep, grid: list[Path], deadly: set[Path], jobs: int, lost: list[int]) -> bool:
    """Runs a round as a pool of `jobs` processes does; returns whether the pool broke.

    Args:
        sweep: The sweep.
        grid: The cells in order.
        deadly: Those that bring their process down.
        jobs: How many cells are begun together; all of them are cut where one is deadly.
        lost: How many further cells are finished before processes are killed for nothing, once for each number.
    """
    finished = 0
    for first in range(0, len(grid), jobs):
        batch = grid[first : first + jobs]
        for folder in batch:
            sweep.add(folder)
        batch = [folder for folder in batch if not sweep.leaves(folder)]
        for folder in batch:
            folder.mkdir(exist_ok=True)
            RunDirectory(folder, "h").begin()
        if lost and batch and finished >= lost[0]:
            lost.pop(0)
            return True
        if deadly & set(batch):
            return True
        for folder in batch:
            RunDirectory(folder, "h").end(0, [])
        finished += len(batch)
    return False


def begin(folder: Path) -> Sweep:
    """The sweep, begun."""
    sweep = Sweep()
    sweep.begin(folder)
    return sweep


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), max_size=12), st.integers(1, 4), st.lists(st.integers(0, 3), max_size=3))
def test_deadly_cells_cost_themselves_alone(deaths: list[bool], jobs: int, lost: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        grid = [Path(name, str(i)) for i in range(len(deaths))]
        deadly = {folder for folder, dies in zip(grid, deaths, strict=True) if dies}
        killed, rounds, again = len(lost), 0, True
        sweep = begin(Path(name))
        while again:
            sweep.begin(Path(name))  # as Hydra does in every round
            broken = round_of(sweep, grid, deadly, jobs, lost)
            rounds += 1
            again = sweep.another_round(broken)
        # A deadly cell costs at most a round that it cuts, and one for each of those that were cut with it.
        assert rounds <= 1 + (len(deadly) + killed) * (1 + jobs)
        failed = set(sweep.end())
        assert deadly <= failed
        # A cell that was alone when its process was killed from outside is taken for one that kills.
        assert len(failed - deadly) <= killed
        assert not list(Path(name).glob(".cells-*"))


def test_processes_that_come_to_no_cell_end_the_sweep(tmp_path: Path) -> None:
    sweep = begin(tmp_path)
    assert not sweep.another_round(broken=True)
    assert sweep.end() == {}


def test_a_sweep_that_nothing_broke_has_one_round(tmp_path: Path) -> None:
    sweep = begin(tmp_path)
    assert not round_of(sweep, [tmp_path / "a", tmp_path / "b"], set(), 2, [])
    assert not sweep.another_round(broken=False)
    assert sweep.end() == {}
