"""The output folder: whose it is, what may be written there, what an earlier run left."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from mcdetect.errors import McdetectError
from mcdetect.output.files import PART_SUFFIX
from mcdetect.output.run_record import RUN_FILE, read_record
from mcdetect.output.tables import CSV_ONLY, SCHEMAS

__all__ = ["COMPARISON_FILE", "OVERLAY_FOLDER", "OutputError", "prepare_output"]

OVERLAY_FOLDER = "overlays"
COMPARISON_FILE = "comparison.png"

logger = logging.getLogger(__name__)


class OutputError(McdetectError):
    """The output folder cannot be used."""


def prepare_output(folder: Path, *, overlay: bool) -> None:
    """Make the output folder ready for a run.

    A folder with other files is fine. An earlier run of mcdetect in it is overwritten: its
    pictures and its table of candidates are removed now, its other tables are replaced when the
    new ones are finished. Nothing else is ever removed or overwritten.

    Parameters
    ----------
    folder : Path
        The folder; made when it does not exist.
    overlay : bool
        Whether pictures will be written.

    Raises
    ------
    OutputError
        When the folder cannot be made or written to, or holds files that carry the names of
        ours but were not written by mcdetect.
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
    earlier = read_record(folder)
    if earlier is None:
        _refuse_foreign(folder)
    else:
        _remove_earlier(folder, earlier)
    if overlay:
        (folder / OVERLAY_FOLDER).mkdir(exist_ok=True)


def _own_names() -> list[str]:
    names = [RUN_FILE, COMPARISON_FILE, *(f"{name}.csv" for name in SCHEMAS)]
    return names + [f"{name}.parquet" for name in SCHEMAS if name not in CSV_ONLY]


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


def _remove_earlier(folder: Path, earlier: dict[str, Any]) -> None:
    """Remove what the record of an earlier run names as its own and the new run may not replace."""
    inputs = earlier.get("inputs")
    names = [item.get("overlay") for item in inputs if isinstance(item, dict)] if inputs else []
    stale = [
        folder / OVERLAY_FOLDER / name
        for name in names
        if isinstance(name, str) and name.endswith(".png") and Path(name).name == name
    ]
    stale += [folder / "candidates.csv", folder / "candidates.parquet"]
    stale += [folder / f".{name}{PART_SUFFIX}" for name in _own_names()]
    logger.info("%s: overwriting an earlier run", folder.name)
    for path in stale:
        with contextlib.suppress(OSError):
            path.unlink()
