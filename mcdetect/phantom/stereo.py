"""Stereotactic pairs: groups in a breast of three dimensions, exposed from two angles."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.image.beam import Beam, BeamFacts
from mcdetect.phantom.calcifications import spacing_pair_mm
from mcdetect.phantom.frame import PhantomMammogram, cluster_table, draw_mammogram
from mcdetect.phantom.insertion import insert_calcifications, random_specs
from mcdetect.phantom.placement import Calcifications

__all__ = ["StereoGroup", "StereoPhantom", "draw_stereo"]

_THICKNESS_MM = 50.0  # Judged: of the compressed breast, as the header tells it


@dataclass(frozen=True)
class StereoGroup:
    """A group in space.

    Parameters
    ----------
    row_mm, col_mm : float
        The foot of its middle on the detector, from the corner of the image.
    height_mm : float
        Height of its middle over the detector.
    n : int
        Members.
    extent_mm : (float, float, float)
        Its axes along rows, columns and height.
    calcifications : Calcifications
        What its members look like.
    """

    row_mm: float
    col_mm: float
    height_mm: float
    n: int = 10
    extent_mm: tuple[float, float, float] = (8.0, 8.0, 4.0)
    calcifications: Calcifications = field(default_factory=Calcifications)


@dataclass(frozen=True)
class StereoPhantom:
    """A stereotactic pair and its truth.

    Parameters
    ----------
    first, second : PhantomMammogram
        The images; calcifications are in the same order in both truths.
    truth : DataFrame
        One row per calcification: group_id, row_mm and col_mm of its foot, height_mm over the detector.
    beams : (Beam, Beam)
        The exposures.
    along : {"rows", "cols"}
        Direction of the movement of the source.
    """

    first: PhantomMammogram
    second: PhantomMammogram
    truth: pd.DataFrame
    beams: tuple[Beam, Beam]
    along: str


def draw_stereo(
    groups: Sequence[StereoGroup],
    shape: tuple[int, int] = (1200, 1000),
    pixel_spacing_mm: float | tuple[float, float] = 0.1,
    *,
    seed: int,
    angles_deg: tuple[float, float] = (-15.0, 15.0),
    source_detector_mm: float = 660.0,
    pivot_mm: float = 0.0,
    support_mm: float = 20.0,
    along: Literal["rows", "cols"] = "rows",
    view: str = "CC",
) -> StereoPhantom:
    """Draw one breast from two angles.

    Calcifications are projected from where they are in space. The tissue is that of the detector's plane and
    does not shift; each exposure has its own noise.

    Parameters
    ----------
    groups : sequence of StereoGroup
    shape, pixel_spacing_mm, seed, view
        As for `draw_mammogram`.
    angles_deg : (float, float)
        Of the source to the normal of the detector, positive over higher rows or columns.
    source_detector_mm, pivot_mm, support_mm : float
        Distance of source and detector; heights of the centre of rotation and of the support over the
        detector.
    along : {"rows", "cols"}
        Direction of the movement.

    Returns
    -------
    StereoPhantom

    Raises
    ------
    ValueError
        When a calcification falls outside an image.
    """
    pair = spacing_pair_mm(pixel_spacing_mm)
    size = shape[0] * pair[0], shape[1] * pair[1]
    centre = (size[0] / 2, size[1] / 2) if along == "rows" else (size[1] / 2, size[0] / 2)
    beams = [Beam(angle, source_detector_mm, pivot_mm, centre) for angle in angles_deg]
    rng = np.random.default_rng([seed, 11])
    points, label = _points(groups, rng)
    drawings = []
    for number, beam in enumerate(beams):
        feet = (points[:, 0], points[:, 1]) if along == "rows" else (points[:, 1], points[:, 0])
        u, v = beam.project(*feet, points[:, 2])
        places = np.column_stack([u, v] if along == "rows" else [v, u]) / pair - 0.5
        enlarged = beam.above_mm / (beam.above_mm - points[:, 2])
        drawn = draw_mammogram(
            shape, pair, seed=seed, view=view, label=False, noise_seed=1000 * seed + number + 1
        )
        image = _with_groups(drawn, groups, places, label, enlarged, np.random.default_rng([seed, 12]))
        tilt = (-beam.angle_deg, 0.0) if along == "rows" else (0.0, -beam.angle_deg)
        facts = BeamFacts(
            *shape,
            detector_mm=pair,
            tilt_deg=tilt,
            source_detector_mm=source_detector_mm,
            source_support_mm=source_detector_mm - support_mm,
            source_pivot_mm=source_detector_mm - pivot_mm,
            thickness_mm=_THICKNESS_MM,
        )
        drawings.append(dataclasses.replace(image, beam=facts))
    truth = pd.DataFrame(points, columns=["row_mm", "col_mm", "height_mm"]).assign(group_id=label)
    return StereoPhantom(drawings[0], drawings[1], truth, (beams[0], beams[1]), along)


def _points(
    groups: Sequence[StereoGroup], rng: np.random.Generator
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Draw members uniformly in ellipsoids, at least 0.7 mm apart as seen from above."""
    found, label = [], []
    for number, group in enumerate(groups, start=1):
        own: list[npt.NDArray[np.float64]] = []
        while len(own) < group.n:
            direction = rng.normal(size=3)
            point = direction / np.linalg.norm(direction) * rng.random() ** (1 / 3)
            place = np.array([group.row_mm, group.col_mm, group.height_mm]) + point * group.extent_mm / 2
            if all(np.hypot(*(place[:2] - other[:2])) > 0.7 for other in own):
                own.append(place)
        found += own
        label += [number] * group.n
    return np.array(found, np.float64).reshape(-1, 3), np.array(label, np.int64)


def _with_groups(
    drawn: PhantomMammogram,
    groups: Sequence[StereoGroup],
    places: npt.NDArray[np.float64],
    label: npt.NDArray[np.int64],
    enlarged: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> PhantomMammogram:
    """Draw calcifications into an exposure; the same generator gives the same shapes in both."""
    pair = drawn.spacing.row_mm, drawn.spacing.col_mm
    specs = []
    for k, group in enumerate(groups, start=1):
        there = label == k
        looks = group.calcifications
        made = random_specs(
            places[there],
            rng,
            diameter_mm=looks.diameter_mm,
            snr=looks.snr,
            irregularity=looks.irregularity,
            elongation=looks.elongation,
            group_id=k,
            kind="space",
        )
        specs += [
            dataclasses.replace(spec, diameter_mm=spec.diameter_mm * factor)
            for spec, factor in zip(made, enlarged[there], strict=True)
        ]
    limits = (0, 2**drawn.bits - 1)
    pixels, truth = insert_calcifications(
        drawn.to_mammogram().pixels, pair, specs, rng=rng, mask=drawn.breast, limits=limits, grey_step=1.0
    )
    return dataclasses.replace(
        drawn, pixels=np.rint(pixels).astype(np.uint16), truth=truth, clusters=cluster_table(truth)
    )
