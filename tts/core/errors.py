"""The errors that users see."""

from __future__ import annotations


class UserError(Exception):
    """A mistake that the user can mend: the message names the thing, the place and the remedy.

    The command line prints it without a traceback and exits with status 2. Raise it before any compute is spent
    wherever that is possible.
    """


class RunError(UserError):
    """Something that no further problem can do without is gone, such as room on the disk; ends the run.

    What was finished is kept, and the same command goes on from there.
    """


class ProblemError(Exception):
    """Something went wrong that ends the problem it happened to, with the message recorded, and never the run."""


class EngineError(ProblemError):
    """An engine could not answer a request."""


def missing_extra(package: str, extra: str) -> UserError:
    """Returns the error for an optional dependency that is not installed.

    Args:
        package: The import name that was not found.
        extra: The extra of this project that brings it.
    """
    return UserError(f"this needs the package '{package}': pip install 'tts-search[{extra}]'")
