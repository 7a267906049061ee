"""Images, marks and truth of one evaluation as arrays in millimetres."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.validation.evaluation.names import misnamed
from mcdetect.validation.evaluation.readers import TableError, image_key

__all__ = ["Images", "Marks", "Points", "Regions", "build_images", "build_marks", "build_truth"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Images:
    """The images of an evaluation, n of them.

    Attributes
    ----------
    names : tuple of str
        As the images table, else the truth, gives them.
    keys : dict
        Key of the name to the number of the image.
    spacing_mm : (n, 2) float64
        Row and column spacing.
    area_cm2 : (n,) float64
        Area of the breast that was searched, not-a-number where unknown.
    patient : (n,) int64
        Number of the patient.
    normal : (n,) bool
        Without any truth.
    name_match : str
        How names are compared, see `image_key`.
    notes : tuple of str
        What had to be assumed.
    """

    names: tuple[str, ...]
    keys: dict[str, int]
    spacing_mm: Floats
    area_cm2: Floats
    patient: Ints
    normal: Bools
    name_match: str
    notes: tuple[str, ...]

    @property
    def n_patients(self) -> int:
        """Number of patients."""
        return int(self.patient.max()) + 1 if len(self.patient) else 0

    def numbers(self, table: pd.DataFrame, what: str) -> Ints:
        """Return the number of the image of every row; (len(table),) int64."""
        found = table["image"].map(lambda name: self.keys.get(image_key(name, self.name_match), -1))
        numbers = found.to_numpy(dtype=np.int64)
        if (numbers < 0).any():
            strange = sorted(set(table["image"][numbers < 0]))
            how = misnamed(strange, self.names)
            how = f"; they differ {how}" if how else ""
            raise TableError(
                f"{len(strange)} image(s) of the {what} are not among the images evaluated "
                f"(such as {strange[0]!r}; there are names such as {self.names[0]!r}{how})",
                "add them to the images table, or compare names without folder and extension "
                "(name_match='stem', --names stem)",
            )
        return numbers


@dataclass(frozen=True)
class Marks:
    """What a detector marked, m marks sorted by image.

    Attributes
    ----------
    image : (m,) int64
    place_mm : (m, 2) float64
        Row and column of the centre.
    score : (m,) float64
        Higher is surer.
    diameter_mm : (m,) float64
        Not-a-number where unknown.
    box_mm : (m, 4) float64
        First row, first column, last row, last column; not-a-number where unknown.
    cluster : (m,) object
        Group it stands for (clusters) or belongs to (members); empty for none.
    row : (m,) int64
        Row of the table it came from.
    slice : (m,) float64
        Frame of the file in which it is sharpest; not-a-number where unknown. Empty when no mark has one.
    """

    image: Ints
    place_mm: Floats
    score: Floats
    diameter_mm: Floats
    box_mm: Floats
    cluster: npt.NDArray[np.object_]
    row: Ints
    slice: Floats = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        """Return the number of marks."""
        return len(self.image)


@dataclass(frozen=True)
class Points:
    """True calcifications, k of them sorted by image.

    Attributes
    ----------
    image : (k,) int64
    place_mm : (k, 2) float64
    diameter_mm, snr : (k,) float64
        Not-a-number where unknown.
    cluster : (k,) object
        Group it belongs to, empty for none.
    ignore : (k,) bool
        Neither its detection nor its absence counts.
    row : (k,) int64
        Row of the table it came from.
    """

    image: Ints
    place_mm: Floats
    diameter_mm: Floats
    snr: Floats
    cluster: npt.NDArray[np.object_]
    ignore: Bools
    row: Ints

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.image)


@dataclass(frozen=True)
class Regions:
    """Boxes and circles of the truth, k of them sorted by image.

    Attributes
    ----------
    image : (k,) int64
    box_mm : (k, 4) float64
        First row, first column, last row, last column; around circles too.
    radius_mm : (k,) float64
        Not-a-number for boxes.
    cluster : (k,) object
    ignore : (k,) bool
        A region in which marks do not count.
    row : (k,) int64
    slices : (k, 2) float64
        First and last frame that it spans; not-a-number where unknown. Empty when no region has them.
    pixel_mm : (k,) float64
        Pixel spacing of its image; empty when nobody asks for it.
    """

    image: Ints
    box_mm: Floats
    radius_mm: Floats
    cluster: npt.NDArray[np.object_]
    ignore: Bools
    row: Ints
    slices: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    pixel_mm: Floats = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.image)


def _column(table: pd.DataFrame, name: str) -> Floats:
    if name not in table:
        return np.full(len(table), np.nan)
    return table[name].to_numpy(dtype=np.float64)


def _texts(table: pd.DataFrame, name: str) -> npt.NDArray[np.object_]:
    if name not in table:
        return np.full(len(table), "", dtype=object)
    return np.asarray(table[name].tolist(), dtype=object)


def _flags(table: pd.DataFrame, name: str) -> Bools:
    return table[name].to_numpy(dtype=bool) if name in table else np.zeros(len(table), dtype=bool)


def located(truth: pd.DataFrame) -> Bools:
    """Tell which rows of a truth table say where something is; the others only name an image."""
    return _is_box(truth) | (np.isfinite(_column(truth, "x")) & np.isfinite(_column(truth, "y")))


def _is_box(truth: pd.DataFrame) -> Bools:
    sides = [np.isfinite(_column(truth, name)) for name in ("x_min", "y_min", "x_max", "y_max")]
    return np.asarray(np.logical_and.reduce(sides), dtype=bool)


def build_images(
    images: pd.DataFrame | None,
    truth: pd.DataFrame,
    detections: list[pd.DataFrame],
    *,
    spacing_mm: float | None,
    name_match: str,
) -> Images:
    """Gather the images, their spacing, area and patient.

    Parameters
    ----------
    images : DataFrame or None
        Standardised images table; without it the images are those named in truth and detections.
    truth : DataFrame
        Standardised truth.
    detections : list of DataFrame
        Standardised detections.
    spacing_mm : float, optional
        Pixel spacing of images for which the table has none.
    name_match : {"exact", "stem"}
        How names of images are compared.
    """
    if name_match not in ("exact", "stem"):
        raise ValueError(f"name_match must be 'exact' or 'stem', not {name_match!r}")
    notes: list[str] = []
    if images is None:
        names = list(dict.fromkeys(pd.concat([truth["image"], *(d["image"] for d in detections)])))
        if name_match == "stem":
            names = list({image_key(name, "stem"): name for name in reversed(names)}.values())[::-1]
        table = pd.DataFrame({"image": names})
        notes.append(
            "no images table: images that neither truth nor detections name are missing from the denominators"
        )
    else:
        table = images
    keys = {image_key(name, name_match): number for number, name in enumerate(table["image"])}
    if len(keys) < len(table):
        raise TableError(
            "two rows of the images table name the same image", "give every image one row and one name"
        )
    if not keys:
        raise TableError("there are no images", "give an images table or truth with at least one image")
    both = _column(table, "spacing_mm")
    spacing = np.stack(
        [np.where(np.isnan(s := _column(table, f"{d}_spacing_mm")), both, s) for d in ("row", "col")], axis=1
    )
    if spacing_mm is not None:
        if not np.isfinite(spacing_mm) or spacing_mm <= 0:
            raise ValueError(f"spacing_mm must be positive, not {spacing_mm}")
        spacing = np.where(np.isnan(spacing), spacing_mm, spacing)
    if not (spacing > 0).all():
        raise TableError(
            f"no pixel spacing is known for {int((~(spacing > 0)).any(axis=1).sum())} of {len(table)} images",
            "give an images table with row_spacing_mm and col_spacing_mm (images.csv of mcdetect detect), "
            "or --pixel-spacing",
        )
    frame = Images(
        names=tuple(table["image"]),
        keys=keys,
        spacing_mm=spacing,
        area_cm2=_column(table, "area_cm2"),
        patient=np.zeros(len(table), dtype=np.int64),
        normal=np.zeros(len(table), dtype=bool),
        name_match=name_match,
        notes=(),
    )
    of_truth = frame.numbers(truth, "truth")
    patient, note = _patients(table, truth, of_truth)
    notes += note
    if "normal" in table:
        normal = _flags(table, "normal")
        counts = located(truth)
        if "ignore" in truth:  # what does not count may lie in a normal image, when its table says so
            counts &= ~truth["ignore"].to_numpy(dtype=bool)
        if normal[of_truth[counts]].any():
            raise TableError("an image called normal has truth", "correct its column 'normal'")
    else:
        normal = np.ones(len(table), dtype=bool)
        normal[of_truth[located(truth)]] = False
    return Images(frame.names, keys, spacing, frame.area_cm2, patient, normal, name_match, tuple(notes))


def _patients(table: pd.DataFrame, truth: pd.DataFrame, of_truth: Ints) -> tuple[Ints, list[str]]:
    names = _texts(table, "patient")
    if "patient" in truth:
        for image, patient in zip(of_truth, truth["patient"], strict=True):
            if patient and names[image] and names[image] != patient:
                raise TableError("one image belongs to two patients", "correct the column 'patient'")
            names[image] = names[image] or patient
    without = int((names == "").sum())
    names = np.array(
        [("p", name) if name else ("i", str(number)) for number, name in enumerate(names)], dtype=str
    )
    _, patient = np.unique(names, axis=0, return_inverse=True)
    notes = []
    if without:
        notes.append(f"{without} of {len(table)} images name no patient: each counts as a patient of its own")
    return patient.reshape(-1).astype(np.int64), notes


def _boxes_mm(table: pd.DataFrame, spacing: Floats) -> Floats:
    box = np.stack([_column(table, name) for name in ("y_min", "x_min", "y_max", "x_max")], axis=1)
    if (box[:, :2] > box[:, 2:]).any():
        raise TableError("a box ends before it begins", "x_min <= x_max and y_min <= y_max")
    return np.asarray(box * np.concatenate([spacing, spacing], axis=1), dtype=np.float64)


def build_marks(table: pd.DataFrame, images: Images, what: str = "detections") -> Marks:
    """Return standardised detections in millimetres, sorted by image and falling score."""
    number = images.numbers(table, what)
    score = _column(table, "score") if "score" in table else np.zeros(len(table))
    place = np.stack([_column(table, "y"), _column(table, "x")], axis=1)
    bad = ~(np.isfinite(place).all(axis=1) & np.isfinite(score))
    if bad.any():
        raise TableError(
            f"row {int(np.flatnonzero(bad)[0]) + 1} of the {what} has no finite position or score",
            "correct or remove it",
        )
    spacing = images.spacing_mm[number]
    box = _boxes_mm(table, spacing)
    order = np.lexsort((-score, number))
    return Marks(
        number[order],
        (place * spacing)[order],
        score[order],
        _column(table, "diameter_mm")[order],
        box[order],
        _texts(table, "cluster")[order],
        order.astype(np.int64),
        _column(table, "slice")[order],
    )


def build_truth(table: pd.DataFrame, images: Images) -> tuple[Points, Regions]:
    """Return the points and the regions of a standardised truth table in millimetres, sorted by image."""
    number = images.numbers(table, "truth")
    spacing = images.spacing_mm[number]
    radius = _column(table, "radius")
    is_box = _is_box(table)
    place = np.stack([_column(table, "y"), _column(table, "x")], axis=1) * spacing
    has_place = np.isfinite(place).all(axis=1)
    is_circle = ~is_box & has_place & np.isfinite(radius)
    is_point = ~is_box & has_place & ~np.isfinite(radius)
    if (radius[is_circle] <= 0).any():
        raise TableError("a circle of the truth has no positive radius", "correct its column 'radius'")
    cluster, ignore = _texts(table, "cluster"), _flags(table, "ignore")
    chosen = np.flatnonzero(is_point)
    chosen = chosen[np.argsort(number[chosen], kind="stable")]
    points = Points(
        number[chosen],
        place[chosen],
        _column(table, "diameter_mm")[chosen],
        _column(table, "snr")[chosen],
        cluster[chosen],
        ignore[chosen],
        chosen.astype(np.int64),
    )
    chosen = np.flatnonzero(is_box | is_circle)
    chosen = chosen[np.argsort(number[chosen], kind="stable")]
    radius_mm = np.where(is_circle, radius * np.sqrt(spacing.prod(axis=1)), np.nan)[chosen]
    circle = np.concatenate([place[chosen] - radius_mm[:, None], place[chosen] + radius_mm[:, None]], axis=1)
    regions = Regions(
        number[chosen],
        np.where(np.isnan(radius_mm)[:, None], _boxes_mm(table, spacing)[chosen], circle),
        radius_mm,
        cluster[chosen],
        ignore[chosen],
        chosen.astype(np.int64),
        np.stack([_column(table, "slice_min"), _column(table, "slice_max")], axis=1)[chosen],
        np.sqrt(spacing.prod(axis=1))[chosen],
    )
    return points, regions
