"""The same breast at two dates: moved, exposed again, stored in another way, with groups added or lost."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from mcdetect.mammogram import Intent, Mammogram
from mcdetect.phantom.anatomy import Tissue
from mcdetect.phantom.deformation import Deformation, random_deformation
from mcdetect.phantom.exposure import Acquisition
from mcdetect.phantom.frame import PhantomMammogram, draw_mammogram
from mcdetect.phantom.placement import Group, Scatter

__all__ = ["PhantomPair", "Storage", "draw_pair"]


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
    """

    intent: Intent = Intent.FOR_PRESENTATION
    acquisition: Acquisition | None = None
    jpeg_quality: int | None = None


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
    unchanged, added, lost : tuple of int
        Groups by what became of them.
    deformation : Deformation
        From the current picture to the prior one.
    """

    prior: Mammogram
    current: Mammogram
    prior_truth: pd.DataFrame
    current_truth: pd.DataFrame
    unchanged: tuple[int, ...]
    added: tuple[int, ...]
    lost: tuple[int, ...]
    deformation: Deformation


def draw_pair(
    shape: tuple[int, int] = (1400, 1100),
    pixel_spacing_mm: float = 0.1,
    *,
    seed: int,
    unchanged: Sequence[Group] = (),
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
    unchanged, added, lost : sequence of Group
        Groups in both pictures, in the current one only, in the prior one only.
    scatter : Scatter, optional
        Single calcifications, in both pictures.
    largest_mm : float
        Largest displacement of the tissue between the two, in mm.
    prior, current : Storage, optional
        How each picture is made and kept.

    Returns
    -------
    PhantomPair
    """
    groups = [*unchanged, *added, *lost]
    first = tuple(range(1, len(unchanged) + 1))
    more = tuple(range(len(unchanged) + 1, len(unchanged) + len(added) + 1))
    less = tuple(range(len(unchanged) + len(added) + 1, len(groups) + 1))
    size = shape[0] * pixel_spacing_mm, shape[1] * pixel_spacing_mm
    rng = np.random.default_rng([seed, 7])
    moved = random_deformation(size, rng, largest_mm=largest_mm)

    def picture(storage: Storage, absent: tuple[int, ...], again: bool) -> tuple[Mammogram, pd.DataFrame]:
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
        return _store(drawn, storage), drawn.truth

    before, prior_truth = picture(prior or Storage(), more, False)
    after, current_truth = picture(current or Storage(), less, True)
    return PhantomPair(before, after, prior_truth, current_truth, first, more, less, moved)


def _store(drawn: PhantomMammogram, storage: Storage) -> Mammogram:
    mammogram = drawn.to_mammogram()
    if storage.jpeg_quality is None:
        return mammogram
    if storage.intent is Intent.FOR_PROCESSING:
        raise ValueError("linear raw images are not kept as 8-bit JPEG")
    eight = (drawn.pixels >> (drawn.bits - 8)).astype(np.uint8)
    ok, data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, storage.jpeg_quality])
    if not ok:
        raise ValueError("the picture cannot be encoded")
    back = cv2.imdecode(np.asarray(data), cv2.IMREAD_GRAYSCALE)
    return dataclasses.replace(mammogram, pixels=np.asarray(back, dtype=np.float32))
