"""Errors and warnings that name the file, the cause and the remedy; how to install what is missing."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "DISTRIBUTION",
    "ConfigError",
    "InputFileError",
    "McdetectError",
    "McdetectWarning",
    "MissingLibraryError",
    "MissingSpacingError",
    "NotComparableError",
    "NotEligibleError",
    "UnreadableFileError",
    "UnusableImageError",
    "install_hint",
]

DISTRIBUTION = "mcdetect-mammo"
"""Name of the package on the index; `mcdetect` there is another project."""


def install_hint(extra: str) -> str:
    """Return how to install the libraries of an extra: from the index, and in a clone.

    Parameters
    ----------
    extra : str
        One of the optional dependencies that `pyproject.toml` names.
    """
    return f'pip install "{DISTRIBUTION}[{extra}]" (in a clone: pip install ".[{extra}]")'


class McdetectError(Exception):
    """Base of every error that mcdetect raises about data or configuration."""


class ConfigError(McdetectError):
    """A configuration value or key is wrong."""


class MissingLibraryError(ImportError):
    """A library that only some work needs is not installed.

    Parameters
    ----------
    need : str
        What needs which library, such as "plots need matplotlib".
    extra : str
        The optional dependency that brings it.
    otherwise : str, optional
        What can be done without it.
    """

    def __init__(self, need: str, extra: str, otherwise: str = "") -> None:
        self.remedy = install_hint(extra) + (f", or {otherwise}" if otherwise else "")
        super().__init__(f"{need}: {self.remedy}")


class InputFileError(McdetectError):
    """One input cannot be processed; the others are not affected.

    Parameters
    ----------
    cause : str
        What is wrong, without the file name.
    remedy : str
        What the user can do about it.
    path : path-like, optional
        The file. It may be filled in later with `with_path`.
    """

    def __init__(self, cause: str, remedy: str, path: str | Path | None = None) -> None:
        self.cause = cause
        self.remedy = remedy
        self.path = None if path is None else Path(path)
        super().__init__(cause, remedy, path)

    def __str__(self) -> str:
        where = "" if self.path is None else f"{self.path.name}: "
        return f"{where}{self.cause}; {self.remedy}"

    def with_path(self, path: str | Path) -> InputFileError:
        """Return the same error, naming `path`."""
        return type(self)(self.cause, self.remedy, path)


class UnreadableFileError(InputFileError):
    """The file is missing, truncated, corrupt or of no supported format."""


class NotEligibleError(InputFileError):
    """The file is readable but is not a mammogram that should be processed."""


class NotComparableError(InputFileError):
    """Two images do not show the same breast in the same view."""


class MissingSpacingError(InputFileError):
    """No usable pixel spacing is known for the image."""


class UnusableImageError(InputFileError):
    """The pixels carry nothing to work on (blank, too small, no breast)."""


class McdetectWarning(UserWarning):
    """Something was assumed or passed over that the user should know."""
