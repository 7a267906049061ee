"""How verbs end: their exit codes, and the one line that says what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = [
    "FAILED",
    "INTERRUPTED",
    "WRONG_USAGE",
    "complain",
    "given_up",
    "stopped_by",
    "written",
    "wrong_usage",
]

# Technical: exit codes.
FAILED = 1  # the work was not done
WRONG_USAGE = 2  # an option or argument is wrong
INTERRUPTED = 130  # stopped from the keyboard: 128 + SIGINT, as shells have it
_SIGNALLED = 128  # to which the number of a signal is added


def stopped_by(number: int | None) -> int:
    """Return the exit code of a run that a signal stopped, as shells have it."""
    return INTERRUPTED if number is None else _SIGNALLED + number


def complain(message: str, code: int) -> typer.Exit:
    """Print what went wrong as one line on the error stream, and return the exit to raise."""
    from mcdetect.cli.console import one_line

    typer.echo(f"error: {one_line(message)}", err=True)
    return typer.Exit(code)


@contextmanager
def wrong_usage(*errors: type[Exception], option: str = "") -> Iterator[None]:
    """End the verb with its message where one of these errors arises, naming the option at fault."""
    try:
        yield
    except errors as error:
        raise complain(f"{option}: {error}" if option else str(error), WRONG_USAGE) from error


@contextmanager
def given_up(*errors: type[Exception]) -> Iterator[None]:
    """End the verb with its message where one of these errors ends the work, which was asked for rightly."""
    try:
        yield
    except errors as error:
        raise complain(str(error), FAILED) from error


@contextmanager
def written(place: str = "folder") -> Iterator[None]:
    """End the verb where its results cannot be written, or Ctrl-C stops it."""
    from mcdetect.runs.store import DiskFullError

    try:
        yield
    except DiskFullError as error:
        raise complain(str(error), FAILED) from error
    except OSError as error:
        reason = error.strerror.lower() if error.strerror else str(error) or type(error).__name__
        message = f"the results cannot be written ({reason}); make room or name another {place}"
        raise complain(message, FAILED) from error
    except KeyboardInterrupt:
        raise complain("stopped at once; run the same command again to go on", INTERRUPTED) from None
