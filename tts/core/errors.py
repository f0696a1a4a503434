"""The errors that users see."""

from __future__ import annotations

from tts.core.userinfo import without_userinfo


class _ShownError(Exception):
    """An error whose message is printed and recorded, without the passwords of URLs in it."""

    def __str__(self) -> str:
        """Returns the message."""
        return without_userinfo(super().__str__())


class UserError(_ShownError):
    """A mistake that the user can fix: the message names the thing, the place and the remedy.

    The command line prints it without a traceback and exits with status 2. Raise it before any compute is spent, if
    possible.
    """


class RunError(UserError):
    """Something that all further problems need is gone, such as disk space; ends the run.

    Finished records are kept, and the same command resumes the run.
    """


class ProblemError(_ShownError):
    """An error that ends only the current problem; its message is recorded and the run continues."""


class EngineError(ProblemError):
    """An engine failed to answer a request."""


def missing_extra(package: str, extra: str) -> UserError:
    """Returns the error for an optional dependency that is not installed.

    Args:
        package: The missing import name.
        extra: The extra of this project that installs it.
    """
    return UserError(f"this needs the package '{package}': pip install 'tts-search[{extra}]'")
