"""The error for a machine that cannot be locked down."""

from __future__ import annotations

from collections.abc import Mapping

from tts.core.errors import UserError

REMEDIES = {
    "namespaces": (
        "allow unprivileged user namespaces: 'sysctl kernel.apparmor_restrict_unprivileged_userns=0' (Ubuntu), "
        "'sysctl kernel.unprivileged_userns_clone=1' (Debian), 'sysctl user.max_user_namespaces=10000' (RHEL); "
        "in a container start it with a seccomp profile that allows unshare, mount and pivot_root"
    ),
    "landlock": (
        "use a kernel 5.13 or later with CONFIG_SECURITY_LANDLOCK and 'landlock' in its 'lsm=' list; "
        "in a container use a runtime whose seccomp profile allows the landlock calls (Docker 23 or later)"
    ),
    "seccomp": (
        "use a Linux kernel with CONFIG_SECCOMP_FILTER, and a container runtime that passes seccomp through "
        "(gVisor does not)"
    ),
}


def refusal(mode: str, missing: Mapping[str, str]) -> UserError:
    """Returns the error that names every missing layer, the reason and how to enable it.

    Args:
        mode: The requested mode.
        missing: From layer to reason.
    """
    lines = [f"sandbox mode '{mode}' cannot lock down this machine:"]
    lines += [f"  {layer} is missing ({reason}): {REMEDIES[layer]}" for layer, reason in missing.items()]
    other = "" if mode == "auto" else "'sandbox=auto' takes the best available layers; otherwise "
    lines.append(f"{other}only 'sandbox=unsafe' is left: it runs model-written code without isolation")
    return UserError("\n".join(lines))
