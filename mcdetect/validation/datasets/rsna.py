"""RSNA screening mammography: full-field digital images with stripped headers, and labels of breasts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mcdetect.errors import InputFileError, MissingSpacingError, UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing, Plane
from mcdetect.validation.datasets.base import Case, Dataset, DatasetInfo, TruthStatus, plain_name
from mcdetect.validation.datasets.tables import number, read_table

__all__ = ["Rsna"]

_COLUMNS = ("patient id", "image id", "laterality", "view")
_LABELS = ("cancer", "biopsy", "invasive", "birads", "density", "implant", "site id", "machine id", "age")


class Rsna(Dataset):
    """The images of the RSNA Screening Mammography Breast Cancer Detection challenge.

    The headers lack side, view and pixel spacing: the first two come from the table. Spacings differ between
    machines, which the table numbers, so that one for all is seldom right.

    Parameters
    ----------
    root : path-like
        Folder that holds the set.
    pixel_spacing_mm : float, optional
        Spacing in mm of the images whose header and machine tell none.
    spacing_table : path-like, optional
        CSV or .xlsx with the columns "machine" (``machine_id`` of the set) and "pixel_spacing_mm".
    """

    info = DatasetInfo(
        name="rsna",
        title="RSNA Screening Mammography Breast Cancer Detection",
        home="https://www.kaggle.com/competitions/rsna-breast-cancer-detection",
        licence="non-commercial, see the rules of the challenge",
        reference="https://github.com/RSNA/AI-Challenge-Data/wiki",
        layout="train.csv and train_images/<patient_id>/<image_id>.dcm (or .png)",
        truth="cancer, biopsy and BI-RADS of breasts; nobody says whether or where calcifications are",
        spacing="header, else a table by machine, else the one given; without any the image is refused",
    )

    def __init__(
        self,
        root: str | Path,
        *,
        pixel_spacing_mm: float | str | None = None,
        spacing_table: str | Path | None = None,
    ) -> None:
        super().__init__(root)
        self._table = self._find("train.csv", what="train.csv")[0]
        self._given = None if pixel_spacing_mm is None else _spacing(pixel_spacing_mm, "given by the user")
        self._machines = {} if spacing_table is None else _read_machines(Path(spacing_table))

    def _entries(self) -> Iterator[Case | InputFileError]:
        for row in read_table(self._table, _COLUMNS):
            try:
                yield self._case(row)
            except InputFileError as error:
                yield error if error.path else error.with_path(self._table)

    def _case(self, row: dict[str, str]) -> Case:
        patient, image = row["patient id"], row["image id"]
        if plain_name(patient) != patient or plain_name(image) != image:
            raise UnreadableFileError("a patient or image identifier is no plain name", "obtain it again")
        folder = self._table.parent / "train_images" / patient
        path = next((p for s in ("dcm", "png") if (p := folder / f"{image}.{s}").is_file()), None)
        if path is None:
            raise self._missing(f"train_images/{patient}/{image}.dcm", folder / f"{image}.dcm")
        labels = {name.replace(" ", "_"): row[name] for name in _LABELS if row.get(name)}
        return Case(
            dataset=self.info.name,
            name=f"{patient}_{image}",
            patient=patient,
            path=path,
            status=TruthStatus.UNKNOWN,
            view=row["view"].upper() or None,
            laterality=row["laterality"][:1].upper() or None,
            spacing=self._machines.get(row.get("machine id", ""), self._given),
            labels=labels,
        )


def _spacing(value: float | str, source: str) -> PixelSpacing:
    mm = number(str(value))
    if mm is None:
        raise ValueError(f"pixel_spacing_mm must be a number of mm, got {value!r}")
    try:
        return PixelSpacing(mm, mm, source, Plane.DETECTOR)
    except MissingSpacingError as error:
        raise ValueError(f"pixel_spacing_mm: {error.cause}") from error


def _read_machines(path: Path) -> dict[str, PixelSpacing]:
    """Return the spacing of each machine."""
    found: dict[str, PixelSpacing] = {}
    for row in read_table(path, ("machine", "pixel spacing mm")):
        try:
            found[row["machine"]] = _spacing(row["pixel spacing mm"], "table of machines")
        except ValueError as error:
            raise UnreadableFileError(str(error), "give spacings in mm by machine", path) from error
    return found
