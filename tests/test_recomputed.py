"""Every column that the documents call computable from the tables equals what their text gives."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recomputed
from scipy.special import expit

import mcdetect
from mcdetect.clusters.features import feature_dictionary
from mcdetect.output.tables import csv_text
from mcdetect.phantom import Calcifications, Group, GroupKind, draw_mammogram
from mcdetect.readers.image_file import ImageFile
from mcdetect.result import Result
from mcdetect.schema import CALCIFICATIONS, CLUSTERS

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"
Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]

ROUNDED = {"distribution_wedge_ratio": 0.025}
"""Relative tolerance of what the documents give only so exactly."""


@pytest.fixture(scope="module")
def drawn() -> Result:
    """A breast with tight, linear and scattered groups, small and large, near one another and apart."""
    fine = Calcifications(
        diameter_mm=(0.2, 0.6), snr=(8.0, 30.0), irregularity=(0.1, 0.9), elongation=(1.0, 3.0)
    )
    even = Calcifications(diameter_mm=(0.35, 0.4), snr=(12.0, 25.0))
    groups = [
        Group(n=18, extent_mm=11.0, kind=GroupKind.LINEAR, calcifications=fine, min_distance_mm=0.8),
        Group(n=7, extent_mm=7.0, kind=GroupKind.ROUND, calcifications=even, min_distance_mm=0.8),
        Group(n=15, extent_mm=24.0, kind=GroupKind.REGIONAL, calcifications=fine, min_distance_mm=0.8),
        Group(n=3, extent_mm=5.0, kind=GroupKind.ROUND, calcifications=even, min_distance_mm=0.8),
    ]
    phantom = draw_mammogram((1600, 1320), 0.07, seed=905, view="MLO", laterality="R", groups=groups)
    image = mcdetect.Mammogram.from_array(phantom.pixels.astype(np.float32), 0.07, view="MLO", laterality="R")
    return mcdetect.detect(image)


def tables(result: Result) -> Tables:
    return result.summary(), result.calcifications, result.clusters


def differences(
    given: pd.DataFrame,
    again: pd.DataFrame,
    columns: tuple[mcdetect.schema.Column, ...],
    rel: float,
    absolute: float,
) -> list[str]:
    """Return the features that differ, each with the first pair of values that do."""
    wrong = []
    for column in columns:
        if not column.formula or column.from_image:
            continue
        assert column.name in again, f"the text does not give {column.name}"
        here = given[column.name].to_numpy(np.float64, na_value=np.nan)
        there = again[column.name].to_numpy(np.float64, na_value=np.nan)
        rtol = max(ROUNDED.get(column.name, 0.0), rel)
        bad = ~np.isclose(here, there, rtol=rtol, atol=absolute, equal_nan=True)
        if column.name == "axis_deg":
            bad &= ~np.isclose(np.abs(here - there), 180.0, atol=absolute)
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            wrong.append(f"{column.name}: {here[k]!r} is not {there[k]!r} ({int(bad.sum())} of {bad.size})")
    return wrong


def wrong_columns(given: Tables, *, rel: float = 1e-5, absolute: float = 1e-6) -> list[str]:
    images, found, groups = given
    image = images.iloc[0]
    single = pd.DataFrame(recomputed.calcifications(found, image))
    wrong = differences(found, single, CALCIFICATIONS, rel, absolute)
    if len(groups):
        wrong += differences(groups, recomputed.clusters(found, groups, image), CLUSTERS, rel, absolute)
    return wrong


def same_groups(given: Tables) -> bool:
    """Tell whether the rule makes the groups of what lies on no artery and is no clip."""
    images, found, groups = given
    arteries = groups["cluster_id"][groups["vascular_length_mm"] > 0]
    free = (~found["kind"].isin(["object", "skin"]) & ~found["cluster_id"].isin(arteries)).to_numpy()
    points = recomputed.places(found, images.iloc[0])[free]
    label = found["cluster_id"].to_numpy()[free]
    listed = {frozenset(np.flatnonzero(label == k).tolist()) for k in np.unique(label[label > 0])}
    return listed == {frozenset(own) for own in recomputed.groups(points)}


def test_every_column_follows_from_the_text(drawn: Result) -> None:
    groups = drawn.clusters
    assert len(groups) >= 4
    assert groups["flagged"].sum() >= 3
    assert not groups["flagged"].all()
    assert wrong_columns(tables(drawn)) == []
    assert same_groups(tables(drawn))


def test_most_columns_can_be_computed_again() -> None:
    """What needs the image stands in the table of features, and is the smaller part."""
    features = feature_dictionary()
    measured = [f for f in features if f.from_image]
    assert {f.name for f in measured} == {
        column.name for column in (*CALCIFICATIONS, *CLUSTERS) if column.formula and column.from_image
    }
    assert len(measured) < 0.12 * len(features)


def test_columns_follow_from_the_csv_files_too(drawn: Result) -> None:
    """As exactly as six digits allow, and distances to five digits."""
    read = tuple(pd.read_csv(io.StringIO(csv_text(table, header=True))) for table in tables(drawn))
    assert (drawn.calcifications["kind"] == "").all()  # nothing but specks: the column is read as empty
    assert wrong_columns(read, rel=2e-4, absolute=2e-4) == []
    again = recomputed.clusters(read[1], read[2], read[0].iloc[0])
    np.testing.assert_allclose(again["nn_distance_mm_min"], read[2]["nn_distance_mm_min"], rtol=2e-5)
    assert same_groups(read)


def test_the_index_is_the_sum_of_its_reasons(drawn: Result) -> None:
    reasons = drawn.clusters.filter(regex="^suspicion_").sum(axis=1)
    base = mcdetect.clusters.scoring.default_scorer().base
    np.testing.assert_allclose(drawn.clusters["suspicion"], 100 * expit(base + reasons), rtol=1e-9)


@pytest.mark.slow
def test_every_column_of_real_images_follows_from_the_text() -> None:
    """Arteries, large bodies, clips, muscle and crowds included."""
    if not REAL.exists():
        pytest.skip("needs ../shared/data/real")
    known = {
        folder: pd.read_csv(REAL / folder / "images.csv").assign(folder=folder)
        for folder in ("inbreast", "dutch")
    }
    known["dutch"]["spacing_mm"] = 0.07
    listed = pd.concat([known["inbreast"][::4], known["dutch"][31::6]])
    wrong, groups = [], 0
    for row in listed.itertuples():
        image = ImageFile(REAL / str(row.folder) / str(row.file), str(row.file), float(str(row.spacing_mm)))
        given = tables(mcdetect.detect(image.read()))
        groups += len(given[2])
        wrong += [f"{row.file} {line}" for line in wrong_columns(given)]
        if not same_groups(given):
            wrong.append(f"{row.file} groups")
    assert groups > 50
    assert not wrong, "\n".join(wrong)
