"""Two files in, a folder with tables, picture and record out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcdetect.config import Config
from mcdetect.errors import InputFileError, NotComparableError
from mcdetect.exams.comparison.compare import Comparison, check_alike, compare
from mcdetect.image.mammogram import Mammogram
from mcdetect.image.volume import Volume
from mcdetect.output.folder import COMPARISON_FILE, make_folder, prepare_output
from mcdetect.output.lock import locked
from mcdetect.output.overlays import write_png
from mcdetect.output.run_record import InputRecord, RunRecord
from mcdetect.output.tables import TableWriters
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import ImageFile, OpenedFile, Source

__all__ = ["comparable_mammogram", "compare_files", "fingerprint"]


def compare_files(
    prior: str | Path,
    current: str | Path,
    out: str | Path,
    *,
    config: Config | None = None,
    pixel_spacing_mm: float | None = None,
    prior_spacing_mm: float | None = None,
    picture: bool = True,
    force: bool = False,
) -> Comparison:
    """Compare two files and write what was found.

    Writes ``changes`` and ``members`` as CSV and Parquet, ``comparison.png`` and ``run.json``.

    Parameters
    ----------
    prior, current : path-like
        The two images.
    out : path-like
        Folder for the results; made when it does not exist.
    config : Config, optional
        Options of the detector.
    pixel_spacing_mm : float, optional
        Pixel spacing in mm of images whose header has none.
    prior_spacing_mm : float, optional
        The same for the prior image, when it differs.
    picture : bool, default True
        Whether to draw the picture.
    force : bool, default False
        Compare images that are not plain mammograms, or whose headers name different views.

    Returns
    -------
    Comparison

    Raises
    ------
    InputFileError
        One of the files cannot be read, searched or compared.
    OutputError
        The folder cannot be used.
    """
    folder, options = Path(out), config or Config()
    files = Path(prior), Path(current)
    names = _names(files)
    spacings = prior_spacing_mm if prior_spacing_mm is not None else pixel_spacing_mm, pixel_spacing_mm
    sources = [
        ImageFile(file, name, spacing, force).opened()
        for file, name, spacing in zip(files, names, spacings, strict=True)
    ]
    images = [comparable_mammogram(source) for source in sources]
    asked = {
        "command": "compare",
        "pixel_spacing_mm": pixel_spacing_mm,
        "prior_spacing_mm": prior_spacing_mm,
        "picture": picture,
        "force": force,
    }
    if not force:
        try:
            check_alike(*images)
        except InputFileError as error:
            raise error if error.path is not None else error.with_path(names[1]) from error
    make_folder(folder)
    with locked(folder):
        return _compare(sources, names, folder, options, asked)


def _compare(
    sources: Sequence[OpenedFile],
    names: tuple[str, str],
    folder: Path,
    options: Config,
    asked: Mapping[str, Any],
) -> Comparison:
    """Compare two images that were read, in a folder that nobody else works in."""
    files = [source.path for source in sources]
    force = bool(asked["force"])
    prepare_output(folder)
    record = RunRecord(
        options,
        asked,
        jobs=1,
    )
    record.write(folder)
    try:
        results = [detect_file(source, options) for source in sources]
        found = compare(*results, config=options, force=force)
    except InputFileError as error:
        record.status = "failed"
        record.inputs = [
            InputRecord(name, "failed", *fingerprint(file)) for file, name in zip(files, names, strict=True)
        ]
        record.write(folder)
        raise error if error.path is not None else error.with_path(names[1]) from error
    with TableWriters(folder, ("changes", "members")) as writers:
        writers.append({"changes": found.changes, "members": found.members})
        record.rows = writers.rows
    if asked["picture"]:
        write_png(folder / COMPARISON_FILE, found.picture())
    record.inputs = [
        InputRecord(name, "processed", *fingerprint(file), None, result.seconds)
        for file, name, result in zip(files, names, (found.prior, found.current), strict=True)
    ]
    record.comparison = found.summary()
    record.status = "complete"
    record.write(folder)
    return found


def comparable_mammogram(source: Source) -> Mammogram:
    """Read an image that can be compared with another.

    Raises
    ------
    NotComparableError
        It is a stack of slices.
    """
    image = source.read()
    if isinstance(image, Volume):
        raise NotComparableError(
            f"it holds {len(image)} slices of tomosynthesis, which are not compared",
            "give a mammogram of each date, plain or synthetic",
            source.path,
        )
    return image


def _names(files: tuple[Path, Path]) -> tuple[str, str]:
    """Return the files' names, told apart when they are the same."""
    one, two = files
    if one.name != two.name:
        return one.name, two.name
    return f"prior/{one.name}", f"current/{two.name}"


def fingerprint(file: Path) -> tuple[str | None, int | None]:
    """Return the SHA-256 and the length in bytes of a file; None where it cannot be read."""
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            return digest, stream.tell()
    except OSError:
        return None, None
