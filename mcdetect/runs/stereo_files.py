"""Two files of a stereotactic pair in, depths in mm out."""

from __future__ import annotations

from pathlib import Path

from mcdetect.config import Config
from mcdetect.errors import InputFileError, NotComparableError
from mcdetect.exams.stereo import Stereo, measure_stereo, stereo_geometry
from mcdetect.image.beam import BeamFacts
from mcdetect.output.folder import prepare_output
from mcdetect.output.run_record import InputRecord, RunRecord
from mcdetect.output.tables import TableWriters
from mcdetect.pipeline import detect_file
from mcdetect.readers.image_file import OpenedFile, ReadOptions
from mcdetect.runs.compare_files import fingerprint

__all__ = ["stereo_files"]


def stereo_files(
    first: str | Path,
    second: str | Path,
    out: str | Path | None = None,
    *,
    config: Config | None = None,
    angles_deg: tuple[float, float] | None = None,
    source_detector_mm: float | None = None,
    pivot_mm: float | None = None,
    pixel_spacing_mm: float | None = None,
    magnification: float | None = None,
    force: bool = False,
) -> Stereo:
    """Detect in both images of a stereotactic pair, and measure how deep what they show lies.

    Parameters
    ----------
    first, second : path-like
        The two images.
    out : path-like, optional
        Folder for ``stereo_groups`` and ``stereo_marks`` (CSV and Parquet) and ``run.json``.
    config : Config, optional
        Options of the detector.
    angles_deg : (float, float), optional
        Angles of the source to the normal of the detector, where the headers have none.
    source_detector_mm, pivot_mm : float, optional
        Distance of source and detector, and height of the centre of rotation over the detector, in mm.
    pixel_spacing_mm : float, optional
        At the detector, for images whose header has none.
    magnification : float, optional
        Of magnification views whose header does not tell it.
    force : bool, default False
        Take images that are not plain mammograms.

    Returns
    -------
    Stereo

    Raises
    ------
    InputFileError
        One of the files cannot be read or searched, or the two are no pair.
    OutputError
        The folder cannot be used.
    """
    options = config or Config()
    files = Path(first), Path(second)
    names = [file.name for file in files]
    if names[0] == names[1]:
        names = [f"first/{names[0]}", f"second/{names[1]}"]
    reading = ReadOptions(pixel_spacing_mm, force, magnification)
    sources = [reading.source(file, name).opened() for file, name in zip(files, names, strict=True)]
    facts = [_facts(source) for source in sources]
    try:
        geometry = stereo_geometry(
            facts[0],
            facts[1],
            angles_deg=angles_deg,
            source_detector_mm=source_detector_mm,
            pivot_mm=pivot_mm,
            detector_mm=pixel_spacing_mm,
        )
        sides = {source.image.laterality for source in sources} - {None}
        if len(sides) > 1:
            raise NotComparableError("the images show different breasts", "give both images of one pair")
    except InputFileError as error:
        raise error.with_path(names[1]) from error
    found = measure_stereo(detect_file(sources[0], options), detect_file(sources[1], options), geometry)
    if out is not None:
        folder = Path(out)
        prepare_output(folder)
        record = RunRecord(options, {"command": "stereo", "force": force, **found.summary()}, jobs=1)
        with TableWriters(folder, ("stereo_groups", "stereo_marks")) as writers:
            writers.append(found.tables())
            record.rows = writers.rows
        record.inputs = [
            InputRecord(name, "processed", *fingerprint(file))
            for file, name in zip(files, names, strict=True)
        ]
        record.status = "complete"
        record.write(folder)
    return found


def _facts(source: OpenedFile) -> BeamFacts:
    """Return the geometry that the header tells; a picture tells its size only."""
    if source.image.details.get("format") == "DICOM":
        from mcdetect.readers.dicom.beam import read_beam

        return read_beam(source.path)
    return BeamFacts(*source.image.shape)
