"""The errors that a user can cause or mend. Each says what is wrong and what to type next.

The command line prints them as one sentence and a ``hint:``; anything else that is raised is a bug
and keeps its traceback.
"""

from __future__ import annotations


class AuferError(Exception):
    """Something failed that the user can do something about. ``exit_code`` is the process's."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AuferError):
    """The command was called wrongly: an unknown option or value, a path that doesn't exist."""

    exit_code = 2


class EnvironmentFailure(AuferError):
    """Something around us is missing: the engine, its image, a package, a camera, a free port."""

    exit_code = 3


class DataError(AuferError):
    """The data can't be used as they are."""

    exit_code = 4


class Interrupted(AuferError):
    """The user pressed Ctrl-C; what was finished before is kept and named in the message."""

    exit_code = 130


EXIT_SOME_FAILED = 5
"""Done, but some images were unreadable or crashed the engine (0 with ``--keep-going``)."""
