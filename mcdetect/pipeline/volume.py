"""The first half of the way through a stack of slices, one slice in memory at a time.

The breast is found once, and noise is measured, on three slices. Then every slice is filtered, and what is a
maximum in depth too is described and scored in its own slice. What is left is laid into one picture in focus:
around each spot the pixels of its own slice. From there the way is that of a plain mammogram.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mcdetect.breast import BreastRegion, find_breast
from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.image.volume import Volume, look_up
from mcdetect.pipeline.clock import Clock
from mcdetect.pipeline.focus import Cutting, Focus, in_focus
from mcdetect.pipeline.searching import Searched, bounding_box
from mcdetect.spots.coarse import coarsen
from mcdetect.spots.find import Spots
from mcdetect.spots.noise import noise_scale
from mcdetect.spots.slice_score import BESIDE_MM
from mcdetect.spots.slices import Answers, Stack, join_in_depth, measure_stack, part_of

__all__ = ["Score", "search_volume"]

_Rows = npt.NDArray[np.float32]

# Judged: on drawn slices, see `python -m benchmarks tomosynthesis`.
_REFERENCES = (0.25, 0.5, 0.75)  # of the depth: slices on which the breast and the noise are measured
_LEAST_SNR = 3.7  # of a spot in a slice
_HOPELESS = -4.0  # log-odds of a spot that is not looked at any more
_BEYOND = 0.5  # share of the range of grey levels by which other slices may exceed the reference slices
_MOST_BESIDE = 6  # Technical: slices on either side that are kept in memory


class Score(Protocol):
    """How much a spot of a slice looks like a calcification."""

    def log_odds(
        self, features: npt.NDArray[np.float32], near: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Return the log-odds by features and by the answers of neighbouring slices."""

    def worth(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        """Tell, by rough features, which spots are worth more."""


@dataclass(frozen=True)
class _Found:
    """Spots of one slice that may be calcifications."""

    index: int
    spots: Spots
    features: npt.NDArray[np.float32]
    near: npt.NDArray[np.float64]
    log_odds: npt.NDArray[np.float64]
    cuttings: list[Cutting]


def search_volume(
    volume: Volume,
    score: Score,
    config: Config | None = None,
    clock: Clock | None = None,
    *,
    least_log_odds: float = _HOPELESS,
) -> tuple[Searched, Mammogram]:
    """Find and describe every candidate of a stack of slices.

    Parameters
    ----------
    volume : Volume
        The slices.
    score : Score
        Individual score.
    config : Config, optional
        Options.
    clock : Clock, optional
        Takes the time of each stage.
    least_log_odds : float
        Spots of a lower score are not kept.

    Returns
    -------
    Searched
        Its `equalised` is the picture in focus, its `focus` says which slice each part shows.
    Mammogram
        All slices in one picture: the brightest value of each place.
    """
    config, clock = config or Config(), clock or Clock()
    places = sorted({round(share * (len(volume) - 1)) for share in _REFERENCES})
    with clock.stage("read slices"):
        references = [volume.stored(k) for k in places]
    spacing = volume.spacing
    with clock.stage("breast"):
        breast, part, searched, mask = _breast(volume, references, config)
    with clock.stage("noise"):
        pieces = [volume.levels(np.ascontiguousarray(values[part])) for values in references]
        scale = noise_scale(pieces, mask, spacing, config.noise, margin=_BEYOND)
        table = scale.equalised(np.ascontiguousarray(volume.grey[None, :]))[0]
        pieces = [look_up(table, volume.lowest, values[part]) for values in references]
        base = pieces[len(pieces) // 2]  # no mean: its noise is that of a slice
    del references
    with clock.stage("spots"):
        stack = measure_stack(pieces, searched, spacing, config.spots, max(_LEAST_SNR, config.spots.min_snr))
    del pieces
    with clock.stage("slices"):
        found, brightest = _through(volume, stack, table, part, score, least_log_odds)
        spots, index = _together(found, stack)
        cuttings = [cutting for one in found for cutting in one.cuttings]
    with clock.stage("join"):
        depth = np.asarray(volume.depth_mm)[index]
        alone = join_in_depth(
            spots.row_px * spacing.row_mm,
            spots.col_px * spacing.col_mm,
            depth,
            spots.snr,
            volume.half_angle_deg,
        )
        kept = np.flatnonzero(alone)
        kept = kept[np.argsort(-spots.snr[kept], kind="stable")][: config.spots.max_candidates]
        equalised, slice_of = in_focus(base, [cuttings[k] for k in kept], index[kept], spacing)
    top, left = part[0].start, part[1].start
    with clock.stage("appearance"):
        coarse = coarsen(equalised, (top, left), spacing, breast.skin_distance_at)
    spots = dataclasses.replace(
        spots,
        row_px=spots.row_px[kept] + top,
        col_px=spots.col_px[kept] + left,
        snr=spots.snr[kept],
        band=spots.band[kept],
    )
    area = float(np.count_nonzero(searched)) * spacing.row_mm * spacing.col_mm / 100.0
    focus = Focus(
        slice_of, (top, left), volume.frames, volume.depth_mm, spots.row_px, spots.col_px, index[kept]
    )
    joined = {
        name: np.concatenate([getattr(one, name) for one in found])[kept]
        for name in ("features", "near", "log_odds")
    }
    where = Searched(
        breast=breast,
        spots=spots,
        features=joined["features"],
        equalised=equalised,
        origin_px=(top, left),
        area_cm2=area,
        coarse=coarse,
        log_odds=joined["log_odds"],
        near=joined["near"],
        focus=focus,
    )
    return where, volume.picture(brightest)


def _breast(
    volume: Volume, references: list[npt.NDArray[Any]], config: Config
) -> tuple[BreastRegion, tuple[slice, slice], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Find the breast in the mean of a few slices; return the part that holds it, too."""
    levels = [volume.levels(values) for values in references]
    mean = np.asarray(np.mean(levels, axis=0), np.float32)
    picture = dataclasses.replace(volume.picture(references[0]), pixels=mean)
    breast = find_breast(picture, config.breast)
    part = bounding_box(breast.mask, picture)
    searched = np.ascontiguousarray(breast.searched[part])
    mask = searched if searched.any() else np.ascontiguousarray(breast.mask[part])
    return breast, part, searched, mask


def _through(
    volume: Volume,
    stack: Stack,
    table: _Rows,
    part: tuple[slice, slice],
    score: Score,
    least_log_odds: float,
) -> tuple[list[_Found], npt.NDArray[Any]]:
    """Go through the slices once; return what was found in each, and the brightest value of each place."""
    found: list[_Found] = []
    brightest: npt.NDArray[Any] | None = None
    brighter = np.maximum if volume.rising else np.minimum
    steps = [
        min(max(k + 1, round(mm / volume.slice_spacing_mm)), _MOST_BESIDE) for k, mm in enumerate(BESIDE_MM)
    ]
    last = len(volume) - 1
    held: dict[int, tuple[_Rows | None, Answers]] = {}
    spare: Answers | None = None
    for index, values in enumerate(_ahead(volume)):
        brightest = values.copy() if brightest is None else brighter(brightest, values, out=brightest)
        pixels = look_up(table, volume.lowest, values[part])
        held[index] = pixels, stack.answer(pixels, spare)
        ready = (
            range(index - steps[-1], index - steps[-1] + 1)
            if index < last
            else range(index - steps[-1], last + 1)
        )
        for here in ready:
            if here < 0:
                continue
            found.append(_look(here, stack, held, steps, last, score, least_log_odds))
            held[here] = None, held[here][1]  # its pixels are no longer needed
            spare = held.pop(here - steps[-1])[1] if here >= steps[-1] else None
    assert brightest is not None  # a volume has slices
    return found, brightest


def _ahead(volume: Volume) -> Iterator[npt.NDArray[Any]]:
    """Yield the slices; the next one is decoded meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(volume.stored, 0)
        for index in range(len(volume)):
            values = coming.result()
            if index + 1 < len(volume):
                coming = pool.submit(volume.stored, index + 1)
            yield values


def _look(
    index: int,
    stack: Stack,
    held: Mapping[int, tuple[_Rows | None, Answers]],
    steps: Sequence[int],
    last: int,
    score: Score,
    least_log_odds: float,
) -> _Found:
    """Describe and score the maxima of one slice; keep those that may be calcifications."""
    pixels, answers = held[index]
    assert pixels is not None  # they are dropped after the slice was looked at
    before, after = held.get(index - 1), held.get(index + 1)
    peaks = stack.maxima(before and before[1], answers, after and after[1])
    beside = [min(max(index + step, 0), last) for step in (*(-k for k in reversed(steps)), *steps)]
    spots, features = stack.described(pixels, peaks, answers.loudness, score.worth)
    near = stack.near([held[k][1] for k in beside], spots)
    log_odds = score.log_odds(features, near)
    likely = np.flatnonzero(log_odds > least_log_odds)
    spots = part_of(spots, likely)
    cuttings = [
        Cutting.of(pixels, row, col, stack.spacing)
        for row, col in zip(spots.row_px, spots.col_px, strict=True)
    ]
    return _Found(index, spots, features[likely], near[likely], log_odds[likely], cuttings)


def _together(found: list[_Found], stack: Stack) -> tuple[Spots, npt.NDArray[np.int64]]:
    """Return spots and slices of everything found."""
    index = np.repeat([one.index for one in found], [one.log_odds.size for one in found]).astype(np.int64)
    spots = dataclasses.replace(
        found[0].spots,
        row_px=np.concatenate([one.spots.row_px for one in found]),
        col_px=np.concatenate([one.spots.col_px for one in found]),
        snr=np.concatenate([one.spots.snr for one in found]),
        band=np.concatenate([one.spots.band for one in found]),
        spread=stack.spread,
    )
    return spots, index
