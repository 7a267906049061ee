"""Scores of candidates: by their looks, by what lies around them, and with their neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mcdetect.config import Config
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.pipeline.searching import Searched
from mcdetect.result import Marks
from mcdetect.spots.appearance import FEATURE_NAMES, refined_scale_mm
from mcdetect.spots.context import in_context
from mcdetect.spots.edges import MUSCLE_REACH_MM, least_contrast, lowered_on_edges, on_edge
from mcdetect.spots.neighbours import describe_neighbours
from mcdetect.spots.score import DigitalScore, SpotModel
from mcdetect.spots.second_look import MOST_RAISED, SHARE, asked_again, second_look_rows

__all__ = ["candidates_on_edges", "looked_at_twice", "rows_of_second_look", "score_candidates"]

_Floats = npt.NDArray[np.float64]


def score_candidates(
    found: Searched,
    spacing: PixelSpacing,
    model: SpotModel | DigitalScore,
    config: Config,
    *,
    processed: bool,
) -> Marks:
    """Score every candidate, by its looks and then with its neighbours; return them by falling score.

    Parameters
    ----------
    found : Searched
        The candidates.
    spacing : PixelSpacing
        Of the image.
    model : SpotModel or DigitalScore
        Individual score; a stack of slices has its own.
    config : Config
        Options.
    processed : bool
        Whether the image was processed for display.
    """
    spots = found.spots
    row_mm, col_mm = spots.row_px * spacing.row_mm, spots.col_px * spacing.col_mm
    contrast, least = _against_edges(found, spacing, processed=processed)
    looks = model.log_odds(found.features) if found.log_odds is None else found.log_odds
    own = lowered_on_edges(looks, contrast, least)
    depth_mm = found.depths(spots.row_px, spots.col_px)
    at_skin = found.breast.at_skin_at(spots.row_px, spots.col_px)
    log_odds = in_context(
        row_mm, col_mm, own, spots.snr, found.area_cm2, config.calcifications, depth_mm, at_skin
    )
    if looked_at_twice(model, found):
        assert isinstance(model, DigitalScore)
        assert model.second is not None
        part = on_edge(contrast, least)
        asked = asked_again(own)
        rows = rows_of_second_look(found, spacing, model, looks, part, asked)
        both = SHARE * model.second.log_odds(rows) + (1.0 - SHARE) * log_odds[asked]
        log_odds[asked] = np.minimum(both, log_odds[asked] + MOST_RAISED)
    candidates = Marks(
        row_px=spots.row_px,
        col_px=spots.col_px,
        row_mm=row_mm,
        col_mm=col_mm,
        snr=spots.snr,
        scale_mm=refined_scale_mm(found.features, spots.band, spots.levels_mm),
        line=found.features[:, FEATURE_NAMES.index("line_near")].astype(np.float64),
        log_odds=log_odds,
        own_log_odds=own,
        body=np.zeros(len(row_mm)),
        vessel=np.zeros(len(row_mm)),
    )
    return candidates.take(np.argsort(-log_odds, kind="stable"))


def looked_at_twice(model: SpotModel | DigitalScore, found: Searched) -> bool:
    """Tell whether candidates get a second look: those of plain digital images of a whole breast do."""
    if not isinstance(model, DigitalScore) or model.second is None:
        return False
    return found.log_odds is None and not found.breast.is_part


def rows_of_second_look(
    found: Searched,
    spacing: PixelSpacing,
    model: DigitalScore,
    looks: _Floats,
    part_of_edge: npt.NDArray[np.bool_],
    asked: npt.NDArray[np.intp],
) -> npt.NDArray[np.float32]:
    """Return what the second look at candidates is made of; see `second_look_rows`.

    Parameters
    ----------
    found : Searched
        The candidates.
    spacing : PixelSpacing
        Of the image.
    model : DigitalScore
        The first look.
    looks : (n,) float64 array
        Log-odds by that, of all candidates.
    part_of_edge : (n,) bool array
        Which are part of a long edge of tissue.
    asked : (m,) int array
        Numbers of the candidates that get a second look.
    """
    spots, breast = found.spots, found.breast
    place_mm = spots.row_px * spacing.row_mm, spots.col_px * spacing.col_mm
    around = describe_neighbours(*place_mm, looks, part_of_edge, asked)
    row, col = spots.row_px[asked], spots.col_px[asked]
    place = (
        breast.density_rank_at(row, col),
        breast.depth_fraction_at(row, col),
        breast.known_skin_distance_at(row, col),
        breast.chest_distance_at(row, col),
        breast.pectoral[np.rint(row).astype(np.intp), np.rint(col).astype(np.intp)].astype(np.float64),
    )
    features = found.features[asked]
    return second_look_rows(features, model.general.log_odds(features), around, np.stack(place, axis=1))


def candidates_on_edges(found: Searched, spacing: PixelSpacing, *, processed: bool) -> npt.NDArray[np.bool_]:
    """Tell which candidates are part of a long edge of tissue; see `score_candidates`."""
    return on_edge(*_against_edges(found, spacing, processed=processed))


def _against_edges(found: Searched, spacing: PixelSpacing, *, processed: bool) -> tuple[_Floats, _Floats]:
    """Return how far candidates stand out, and how far they must, to be no part of a long edge."""
    spots = found.spots
    row_mm, col_mm = spots.row_px * spacing.row_mm, spots.col_px * spacing.col_mm
    contrast = found.features[:, FEATURE_NAMES.index("contrast")].astype(np.float64)
    pixel_mm = spacing.row_mm, spacing.col_mm
    at_muscle = None
    if processed:  # only processing leaves a halo beside the muscle
        at_muscle = found.breast.near_muscle_edge(spots.row_px, spots.col_px, MUSCLE_REACH_MM, pixel_mm)
    return contrast, least_contrast(found.coarse, row_mm, col_mm, at_muscle)
