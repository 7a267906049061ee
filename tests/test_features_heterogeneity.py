"""Groups whose members vary against uniform ones of the same mean size, through the whole detector."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

import mcdetect
from mcdetect.phantom import group_positions_mm, insert_calcifications, random_specs
from mcdetect.schema import SHAPE_MEASURES

log = logging.getLogger(__name__)

SPACING_MM = 0.07
SIDE_PX = 460
VARIATION = [
    f"{measure}_{name}"
    for measure in SHAPE_MEASURES
    if measure != "snr"
    for name in ("sd", "iqr", "range", "entropy")
]
"""Without the coefficients of variation, which of shapes near 0 or 1 say little."""


def group_features(varied: bool, seed: int) -> pd.Series:
    """Draw one group on tissue and quantum noise; return the features of the group that is found."""
    rng = np.random.default_rng([seed, varied])
    tissue = cv2.GaussianBlur(rng.normal(size=(SIDE_PX, SIDE_PX)), (0, 0), 30)
    noise = cv2.GaussianBlur(rng.normal(size=(SIDE_PX, SIDE_PX)), (0, 0), 0.5)
    image = 2000 + 150 * tissue / tissue.std() + 20 * noise / noise.std()
    places = group_positions_mm(int(rng.integers(8, 16)), 9.0, "round", rng, min_distance_mm=1.0)
    specs = random_specs(
        places / SPACING_MM + SIDE_PX / 2,
        rng,
        diameter_mm=(0.2, 0.6) if varied else (0.35, 0.38),
        snr=(8.0, 16.0),
        irregularity=(0.2, 0.9) if varied else (0.1, 0.2),
        elongation=(1.0, 2.5) if varied else (1.0, 1.15),
    )
    image, truth = insert_calcifications(image.astype(np.float32), SPACING_MM, specs, rng=rng)
    clusters = mcdetect.detect(image, SPACING_MM).clusters
    assert len(clusters), "the group was not found"
    found = clusters.iloc[clusters["n_calcifications"].argmax()].copy()
    found["true_diameter_mm"] = truth["diameter_mm"].mean()
    return found


def area_under_curve(varied: pd.Series, uniform: pd.Series) -> float:
    ranks = rankdata(np.concatenate([varied, uniform]))[: len(varied)]
    return float((ranks.sum() - len(varied) * (len(varied) + 1) / 2) / (len(varied) * len(uniform)))


@pytest.mark.slow
def test_varied_groups_are_told_from_uniform_ones() -> None:
    """The sum of standardised variations is a score without any fitting.

    ``--log-cli-level=INFO`` shows the area under the curve of every feature.
    """
    varied, uniform = (
        pd.DataFrame([group_features(kind, seed) for seed in range(16)]) for kind in (True, False)
    )
    assert varied["true_diameter_mm"].mean() == pytest.approx(uniform["true_diameter_mm"].mean(), rel=0.06)
    both = pd.concat([varied, uniform])[VARIATION].astype(float)
    score = ((both - both.median()) / both.std()).mean(axis=1)
    names = [*VARIATION, "diameter_mm_cv", "area_mm2_cv"]
    curves = {name: area_under_curve(varied[name], uniform[name]) for name in names}
    curves["all of them"] = area_under_curve(score[:16], score[16:])
    for name, area in curves.items():
        log.info("%s: AUC %.3f", name, area)
    assert curves["all of them"] >= 0.95
    assert curves["diameter_mm_cv"] >= 0.95
