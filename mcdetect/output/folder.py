"""The output folder: whose it is, what may be written there, what an earlier run left."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mcdetect.output.files import PART_SUFFIX
from mcdetect.output.further import FURTHER
from mcdetect.output.lock import OutputError
from mcdetect.output.overlays import OVERLAY_FOLDER
from mcdetect.output.run_record import RUN_FILE, read_record
from mcdetect.output.tables import CSV_ONLY, SCHEMAS

__all__ = [
    "COMPARISON_FILE",
    "STORE_FILE",
    "OutputError",
    "earlier_pictures",
    "make_folder",
    "prepare_output",
    "remove_pictures",
]

COMPARISON_FILE = "comparison.png"
STORE_FILE = "results.sqlite"

logger = logging.getLogger(__name__)


def prepare_output(folder: Path) -> dict[str, Any] | None:
    """Make the output folder ready for a run.

    A folder with other files is fine. Of an earlier run of mcdetect in it the tables are removed now: they
    are made again from its store. Nothing else is ever removed or overwritten.

    Parameters
    ----------
    folder : Path
        The folder; made when it does not exist.

    Returns
    -------
    dict or None
        The record of an earlier run.

    Raises
    ------
    OutputError
        When the folder cannot be made or written to, or holds files or folders that carry the names
        of ours but were not written by mcdetect.
    """
    make_folder(folder)
    _refuse_wrong_kinds(folder)
    earlier = read_record(folder)
    if earlier is None:
        _refuse_foreign(folder)
    else:
        logger.info("%s: an earlier run is there; what it found of the same images is used", folder.name)
        for name in (*_export_names(), *(f".{name}{PART_SUFFIX}" for name in _own_names())):
            with contextlib.suppress(OSError):
                (folder / name).unlink()
    return earlier


def make_folder(folder: Path) -> None:
    """Make a folder for the output, and see whether it can be written to.

    Raises
    ------
    OutputError
        When it cannot be made or written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder.name} is a file; name a folder for the output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise OutputError(
            f"{folder.name or folder}: cannot write to the output folder ({reason}); name another one"
        ) from error


def _table_names() -> list[str]:
    names = [f"{name}.csv" for name in SCHEMAS]
    return names + [f"{name}.parquet" for name in SCHEMAS if name not in CSV_ONLY]


def _own_names() -> list[str]:
    return [RUN_FILE, STORE_FILE, *_export_names()]


def _export_names() -> list[str]:
    """Return the names of files that are made anew from the store at the end of each run."""
    return [COMPARISON_FILE, *_table_names(), *(name for output in FURTHER.values() for name in output.files)]


def _refuse_wrong_kinds(folder: Path) -> None:
    """Refuse folders where files go, and a file where the folder of pictures goes."""
    here = folder.name or folder
    remedy = "move it away, or name another output folder"
    for name in _own_names():
        if (folder / name).is_dir():
            raise OutputError(f"{here} holds a folder called {name}, where a file of ours goes; {remedy}")
    if (folder / OVERLAY_FOLDER).is_file():
        raise OutputError(
            f"{here} holds a file called {OVERLAY_FOLDER}, where a folder of ours goes; {remedy}"
        )


def _refuse_foreign(folder: Path) -> None:
    foreign = [name for name in _own_names() if os.path.lexists(folder / name)]
    pictures = folder / OVERLAY_FOLDER
    if os.path.lexists(pictures) and not (pictures.is_dir() and not any(pictures.iterdir())):
        foreign.append(OVERLAY_FOLDER)
    if foreign:
        raise OutputError(
            f"{folder.name or folder} holds {foreign[0]}, which mcdetect did not write; "
            "name another output folder"
        )


def earlier_pictures(earlier: Mapping[str, Any] | None) -> set[str]:
    """Return the names of the pictures that an earlier run recorded as its own (`prepare_output`)."""
    inputs = (earlier or {}).get("inputs")
    items = [item for item in inputs if isinstance(item, dict)] if isinstance(inputs, list) else []
    return {name for item in items if isinstance(name := item.get("overlay"), str)}


def remove_pictures(folder: Path, earlier: Collection[str], keep: Collection[str]) -> None:
    """Remove the pictures of earlier runs that the present one did not make or use.

    Parameters
    ----------
    folder : Path
        The output folder.
    earlier : collection of str
        Names of pictures that were ours.
    keep : collection of str
        Names of the pictures of the present run.
    """
    for name in set(earlier) - set(keep):
        if name.endswith(".png") and Path(name).name == name:
            with contextlib.suppress(OSError):
                (folder / OVERLAY_FOLDER / name).unlink()
