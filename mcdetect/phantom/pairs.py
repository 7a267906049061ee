"""The same breast at two dates: moved, exposed again, stored in another way, with groups added or lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from mcdetect.image.mammogram import Intent, Mammogram
from mcdetect.phantom.anatomy import Tissue
from mcdetect.phantom.deformation import Deformation, random_deformation
from mcdetect.phantom.exposure import Acquisition
from mcdetect.phantom.frame import PhantomMammogram, draw_mammogram
from mcdetect.phantom.placement import Group, Scatter

__all__ = ["PhantomPair", "Storage", "called_verdicts", "draw_pair"]

_MARK_MM = 0.5  # Judged: a mark nearer than this to a true calcification is of it


@dataclass(frozen=True)
class Storage:
    """How one picture of a pair is made and kept.

    Parameters
    ----------
    intent : Intent
        FOR_PROCESSING, FOR_PRESENTATION or FILM.
    acquisition : Acquisition, optional
        Dose, blur, thickness.
    jpeg_quality : int, optional
        Store 8 bits with lossy JPEG of this quality; None for none.
    pixel_spacing_mm : float, optional
        Resample the picture to about this spacing, in mm, before it is stored.
    """

    intent: Intent = Intent.FOR_PRESENTATION
    acquisition: Acquisition | None = None
    jpeg_quality: int | None = None
    pixel_spacing_mm: float | None = None


@dataclass(frozen=True)
class PhantomPair:
    """Two mammograms of one breast and what truly changed.

    Parameters
    ----------
    prior, current : Mammogram
        Pictures as the detector takes them.
    prior_truth, current_truth : DataFrame
        One row per calcification, `mcdetect.phantom.insertion.TRUTH_COLUMNS`; a group has the same
        `group_id` in both.
    unchanged, grown, added, lost : tuple of int
        Groups by what became of them.
    deformation : Deformation
        From the current picture to the prior one.
    """

    prior: Mammogram
    current: Mammogram
    prior_truth: pd.DataFrame
    current_truth: pd.DataFrame
    unchanged: tuple[int, ...]
    grown: tuple[int, ...]
    added: tuple[int, ...]
    lost: tuple[int, ...]
    deformation: Deformation


def draw_pair(
    shape: tuple[int, int] = (1400, 1100),
    pixel_spacing_mm: float = 0.1,
    *,
    seed: int,
    unchanged: Sequence[Group] = (),
    grown: Sequence[Group] = (),
    grown_by: int = 8,
    added: Sequence[Group] = (),
    lost: Sequence[Group] = (),
    scatter: Scatter | None = None,
    largest_mm: float = 10.0,
    view: str = "CC",
    laterality: str = "L",
    prior: Storage | None = None,
    current: Storage | None = None,
    tissue: Tissue | None = None,
) -> PhantomPair:
    """Draw one breast twice.

    Parameters
    ----------
    shape, pixel_spacing_mm, seed, view, laterality, tissue
        As for `draw_mammogram`.
    unchanged, grown, added, lost : sequence of Group
        Groups in both pictures, in both but with fewer members in the prior one, in the current one
        only, in the prior one only.
    grown_by : int
        Members that the prior picture lacks of each of `grown`.
    scatter : Scatter, optional
        Single calcifications, in both pictures.
    largest_mm : float
        Largest displacement of the tissue between the two, in mm.
    prior, current : Storage, optional
        How each picture is made and kept.

    Returns
    -------
    PhantomPair

    Raises
    ------
    ValueError
        When a group does not fit the breast, or moves out of view.
    """
    groups = [*unchanged, *grown, *added, *lost]
    ends = np.cumsum([0, len(unchanged), len(grown), len(added), len(lost)]).tolist()
    kinds = [tuple(range(ends[k] + 1, ends[k + 1] + 1)) for k in range(4)]
    later = {k: groups[k - 1].n for k in kinds[2]} | dict.fromkeys(kinds[1], grown_by)
    earlier = {k: groups[k - 1].n for k in kinds[3]}
    size = shape[0] * pixel_spacing_mm, shape[1] * pixel_spacing_mm
    rng = np.random.default_rng([seed, 7])
    moved = random_deformation(size, rng, largest_mm=largest_mm)

    def picture(storage: Storage, absent: dict[int, int], again: bool) -> tuple[Mammogram, pd.DataFrame]:
        drawn = draw_mammogram(
            shape,
            pixel_spacing_mm,
            seed=seed,
            view=view,
            laterality=laterality,
            intent=storage.intent,
            groups=groups,
            scatter=scatter,
            tissue=tissue,
            acquisition=storage.acquisition,
            deformation=moved if again else None,
            noise_seed=int(rng.integers(2**62)),
            left_out=absent,
        )
        return _store(drawn, storage)

    before, prior_truth = picture(prior or Storage(), later, False)
    after, current_truth = picture(current or Storage(), earlier, True)
    for k in (*kinds[0], *kinds[1], *kinds[2]):
        if int((current_truth["group_id"] == k).sum()) < groups[k - 1].n:
            raise ValueError(f"group {k} does not fit the second picture: the tissue moves out of view")
    return PhantomPair(
        before, after, prior_truth, current_truth, kinds[0], kinds[1], kinds[2], kinds[3], moved
    )


def _store(drawn: PhantomMammogram, storage: Storage) -> tuple[Mammogram, pd.DataFrame]:
    mammogram, truth = drawn.to_mammogram(), drawn.truth
    if storage.jpeg_quality is not None:
        if storage.intent is Intent.FOR_PROCESSING:
            raise ValueError("linear raw images are not kept as 8-bit JPEG")
        eight = (drawn.pixels >> (drawn.bits - 8)).astype(np.uint8)
        ok, data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, storage.jpeg_quality])
        if not ok:
            raise ValueError("the picture cannot be encoded")
        back = np.asarray(cv2.imdecode(np.asarray(data), cv2.IMREAD_GRAYSCALE))
        mammogram = dataclasses.replace(mammogram, pixels=back.astype(np.float32))
    if storage.pixel_spacing_mm is None:
        return mammogram, truth
    old = mammogram.spacing
    rows = round(mammogram.shape[0] * old.row_mm / storage.pixel_spacing_mm)
    cols = round(mammogram.shape[1] * old.col_mm / storage.pixel_spacing_mm)
    factor = rows / mammogram.shape[0], cols / mammogram.shape[1]
    way = cv2.INTER_AREA if factor[0] < 1 else cv2.INTER_CUBIC
    pixels = np.asarray(cv2.resize(mammogram.pixels, (cols, rows), interpolation=way), dtype=np.float32)
    spacing = dataclasses.replace(old, row_mm=old.row_mm / factor[0], col_mm=old.col_mm / factor[1])
    truth = truth.assign(
        row_px=(truth["row_px"] + 0.5) * factor[0] - 0.5, col_px=(truth["col_px"] + 0.5) * factor[1] - 0.5
    )
    return dataclasses.replace(mammogram, pixels=np.rint(pixels), spacing=spacing), truth


def called_verdicts(pair: PhantomPair, changes: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """Return what a comparison called each true group.

    Parameters
    ----------
    pair : PhantomPair
    changes, members : DataFrame
        Columns `mcdetect.schema.CHANGES` and `MEMBERS`.

    Returns
    -------
    DataFrame
        One row per group: group_id, truth ("unchanged", "grown", "added", "lost"), found (share of its
        calcifications with a mark within half a millimetre), verdict (that of the row of changes to
        which most of its marks belong; empty when fewer than two do), change_id and flagged.
    """
    rows = []
    for truth in ("unchanged", "grown", "added", "lost"):
        for group in getattr(pair, truth):
            prior = truth == "lost"
            table, image = (pair.prior_truth, pair.prior) if prior else (pair.current_truth, pair.current)
            names = ["prior_row_px", "prior_col_px"] if prior else ["row_px", "col_px"]
            marks = members[members["seen_prior" if prior else "seen_current"] == "called"]
            step = np.array([image.spacing.row_mm, image.spacing.col_mm])
            places = table.loc[table["group_id"] == group, ["row_px", "col_px"]].to_numpy(np.float64) * step
            numbers, found = np.empty(0, np.int64), 0.0
            if len(marks):
                nearest = cKDTree(marks[names].to_numpy(np.float64) * step).query(places)
                distance, which = np.asarray(nearest[0]), np.asarray(nearest[1])
                near = np.unique(which[distance < _MARK_MM])
                found = float((distance < _MARK_MM).mean())
                numbers = marks["change_id"].to_numpy(np.int64)[near]
            numbers, counts = np.unique(numbers[numbers > 0], return_counts=True)
            best = int(numbers[np.argmax(counts)]) if counts.size and counts.max() >= 2 else 0
            row = changes[changes["change_id"] == best]
            rows.append(
                {
                    "group_id": group,
                    "truth": truth,
                    "found": found,
                    "verdict": str(row["verdict"].iloc[0]) if best else "",
                    "change_id": best,
                    "flagged": bool((row["current_flagged"] | row["prior_flagged"]).any()),
                }
            )
    return pd.DataFrame(rows, columns=["group_id", "truth", "found", "verdict", "change_id", "flagged"])
