"""What suits this machine's processor: the precision of weights, and the number of threads."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

TINY = 10_000_000
"""Number of parameters below which a model is tiny: exact reproducibility costs little, and further threads slow it down."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def precision() -> torch.dtype:
    """Returns the precision in which this processor computes large models fastest.

    bfloat16 halves the memory to read, but without instructions for it its arithmetic is slower than float32's.
    """
    import torch

    return torch.bfloat16 if _computes_bfloat16() else torch.float32


def _computes_bfloat16() -> bool:
    import torch

    if platform.machine() in ("aarch64", "arm64"):
        # On x86 this also counts processors that only emulate it.
        available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        return available and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def threads(parameters: int, device: str) -> int:
    """Returns the threads per torch operation for a model of so many parameters: on a CPU all cores this process may use.

    Args:
        parameters: The model's number of parameters.
        device: The type of the device that computes it.
    """
    return cores() if device == "cpu" and parameters >= TINY else 1


def wait_asleep() -> None:
    """Makes threads that wait for each other sleep instead of spin, unless the environment says otherwise.

    Several threads of an operation wait for the last one. Beside other work on the same cores spinning takes the time that
    this one needs. Takes effect if torch has not been imported yet.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def cores() -> int:
    """Returns how many cores this process may use: its affinity, OpenMP's own setting and a container's quota count."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    limits = [allowed, int(wanted) if wanted.isdigit() else allowed, _quota() or allowed]
    return max(1, min(limits))


def _quota() -> int | None:
    """Returns a container's quota in cores, rounded up; None without one."""
    try:
        quota, period = _QUOTA.read_text().split()
        return None if quota == "max" else -(-int(quota) // int(period))
    except (OSError, ValueError):
        return None
