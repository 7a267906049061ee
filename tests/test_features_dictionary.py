"""The feature dictionary: complete, true to the tables, to scikit-image and to pyradiomics' formulas."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
from scipy import ndimage as ndi
from skimage.measure import label as label_parts
from skimage.measure import regionprops
from typer.testing import CliRunner

import mcdetect
from mcdetect.cli import app
from mcdetect.clusters.features import build_features, group_spread
from mcdetect.clusters.features.dictionary import (
    feature_dictionary,
    stability_setup,
    unstable_features,
)
from mcdetect.clusters.features.stability import intraclass_correlation
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.schema import CALCIFICATIONS, CLUSTERS, MEASURES, SHAPE_MEASURES
from mcdetect.shapes.outlines import measure_shapes

COLUMNS = {"calcification": CALCIFICATIONS, "cluster": CLUSTERS}
LEVELS = list(COLUMNS)
COUNTS = ("n_calcifications", "max_in_window", "n_foci")
CHANGES = ("noise", "shift", "resampling")
NO_FEATURE = re.compile(
    r"(own_)?score|flagged|suspicion.*|((min|max)_)?(row|col)_px|slice|(extent_)?depth_mm"
)


@pytest.mark.parametrize("level", LEVELS)
def test_every_measured_column_is_a_feature(level):
    for column in COLUMNS[level]:
        number = column.dtype in ("float64", "bool") and not NO_FEATURE.fullmatch(column.name)
        assert bool(column.formula) == (number or column.name in COUNTS), column.name
    names = [feature.name for feature in feature_dictionary(level)]
    assert len(names) == len(set(names))
    assert set(names) <= {column.name for column in COLUMNS[level]}


def test_features_that_are_computed_are_those_of_the_dictionary():
    values = {name: np.linspace(0.1, 0.9, 6) for name in SHAPE_MEASURES}
    found = build_features([1] * 6, np.arange(6.0), np.arange(6.0) ** 2, values, [9.0], [False] * 6)
    assert set(found) <= {feature.name for feature in feature_dictionary("cluster")}


def test_entries_are_complete_and_sound():
    for feature in feature_dictionary():
        assert feature.meaning, feature.name
        assert feature.formula, feature.name
        assert feature.low < feature.high, feature.name
        assert "{" not in feature.formula + feature.twin, feature.name
        column = next(c for c in COLUMNS[feature.level] if c.name == feature.name)
        assert feature.unit == ("" if column.unit == "0-1" else column.unit)
        if column.unit == "0-1":
            assert (feature.low, feature.high) == (0, 1), feature.name
        assert re.fullmatch(
            r"(doi:10\.\S+|arXiv:\S+|BI-RADS .*|Br\. J\. .*|IEEE Trans\. .*|)", feature.source
        ), feature.source


def test_levels():
    assert feature_dictionary() == feature_dictionary("calcification") + feature_dictionary("cluster")
    assert mcdetect.feature_dictionary is feature_dictionary
    with pytest.raises(ValueError, match="level"):
        feature_dictionary("image")


def test_values_lie_in_the_range_that_the_dictionary_gives():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(1, 41), 12)
    values = {
        measure.name: measure.column.low + rng.uniform(0, 1, label.size)
        for measure in MEASURES
        if measure.spread
    }
    found = build_features(
        label,
        rng.normal(0, 5, label.size) + 60.0 * label,
        rng.normal(0, 5, label.size),
        values,
        rng.uniform(0, 50, 40),
        rng.random(label.size) < 0.5,
        nipple_mm=(0.0, 0.0),
        chest_distance_mm=rng.uniform(0, 50, 40),
        depth_fraction=rng.random(40),
        tissue_density=rng.random(40),
    )
    known = {feature.name: feature for feature in feature_dictionary("cluster")}
    for name, array in found.items():
        there = array[np.isfinite(array)]
        assert there.size, name
        assert (there >= known[name].low - 1e-9).all(), name
        assert (there <= known[name].high + 1e-9).all(), name
        if not known[name].missing:
            assert np.isfinite(array).all(), name


def test_shapes_equal_their_twins_in_skimage():
    """A bent figure on points of 0.01 mm; every twin that the dictionary names is compared."""
    pitch, fine = 0.05, 5
    row, col = (np.mgrid[:400, :400] - 199.5) * pitch / fine
    turned = row * 0.6 + col * 0.8, -row * 0.8 + col * 0.6
    figure = ((turned[0] / 0.45) ** 2 + (turned[1] / 0.22) ** 2 < 1) | (
        (turned[0] - 0.3) ** 2 + (turned[1] - 0.2) ** 2 < 0.15**2
    )
    figure = ndi.gaussian_filter(figure.astype(np.float32), 0.05 / pitch * fine)
    image = (100 * figure).reshape(80, fine, 80, fine).mean(axis=(1, 3)).astype(np.float32)
    shapes = measure_shapes(image, [39.5], [39.5], PixelSpacing(pitch, pitch), scale_mm=0.05)
    (twin,) = regionprops(label_parts(figure >= 0.5))
    step = pitch / fine
    expected = {
        "area": twin.area * step**2,
        "equivalent_diameter_area": twin.equivalent_diameter_area * step,
        "axis_major_length": twin.axis_major_length * step,
        "axis_minor_length": twin.axis_minor_length * step,
        "perimeter": twin.perimeter * step,
        "eccentricity": twin.eccentricity,
        "solidity": twin.solidity,
        "orientation": (math.degrees(twin.orientation) + 180) % 180 - 90,
    }
    for feature in feature_dictionary("calcification"):
        named = re.search(r"skimage (\w+)", feature.twin)
        if named:
            found = getattr(shapes, feature.name)[0]
            assert found == pytest.approx(expected[named[1]], rel=0.06), feature.name
    # pyradiomics shape2D, from the same figures
    sphericity = 2 * math.sqrt(math.pi * shapes.area_mm2[0]) / shapes.perimeter_mm[0]
    assert shapes.circularity[0] == pytest.approx(sphericity**2)
    elongation = twin.axis_minor_length / twin.axis_major_length
    assert elongation == pytest.approx(math.sqrt(1 - shapes.eccentricity[0] ** 2), rel=0.05)


def pyradiomics_entropy(values, width):
    """First-order entropy by pyradiomics' own rule for the edges of the bins."""
    low = values.min() - values.min() % width
    edges = np.arange(low, values.max() + 2 * width, width)
    share = np.histogram(values, edges)[0] / values.size
    share = share[share > 0]
    return -(share * np.log2(share)).sum()


def test_statistics_equal_those_of_pyradiomics():
    rng = np.random.default_rng(6)
    values = rng.lognormal(-1, 0.5, 30)
    one = np.ones(30, np.int64)
    plain, log = group_spread(one, values, 1), group_spread(one, values, 1, log_bins=True)
    assert plain["entropy"][0] == pytest.approx(pyradiomics_entropy(values, 0.05))
    assert log["entropy"][0] == pytest.approx(pyradiomics_entropy(np.log2(values), 0.25))
    low, high = np.percentile(values, [25, 75])
    assert plain["iqr"][0] == pytest.approx(high - low)
    assert plain["sd"][0] == pytest.approx(math.sqrt(values.var() * 30 / 29))
    assert plain["range"][0] == pytest.approx(np.ptp(values))


def test_intraclass_correlation_of_the_published_example():
    """Six targets and four judges: Shrout and Fleiss 1979, table 2 gives 0.29."""
    table = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert intraclass_correlation(table) == pytest.approx(0.2898, abs=1e-4)


def test_intraclass_correlation_at_its_limits():
    rng = np.random.default_rng(1)
    once = rng.normal(5, 2, 4000)
    assert intraclass_correlation(np.column_stack([once, once])) == pytest.approx(1)
    noisy = np.column_stack([once + rng.normal(0, 1, 4000), once + rng.normal(0, 1, 4000)])
    assert intraclass_correlation(noisy) == pytest.approx(4 / 5, abs=0.02)
    assert intraclass_correlation(np.column_stack([once, once + 2])) == pytest.approx(4 / 6, abs=0.02)
    assert abs(intraclass_correlation(rng.normal(size=(4000, 2)))) < 0.05
    assert math.isnan(intraclass_correlation(np.ones((5, 2))))
    assert math.isnan(intraclass_correlation([[1.0, 2.0], [2.0, 3.0], [np.nan, 3.0]]))
    with pytest.raises(ValueError, match="subjects"):
        intraclass_correlation([1.0, 2.0])


def test_stability_is_known_for_every_feature():
    setup = stability_setup()
    assert setup["phantoms"] >= 20
    for feature in feature_dictionary():
        assert feature.name in setup[feature.level], f"run {setup['made_by']}: {feature.name} is new"
        assert feature.name in setup["real"][feature.level], f"run {setup['made_by']}: {feature.name} is new"
        for icc in (feature.icc_noise, feature.icc_shift, feature.icc_resampling):
            assert math.isnan(icc) or -1 <= icc <= 1
        drawn = (feature.icc_noise, feature.icc_shift, feature.icc_resampling)
        real = (feature.icc_real_noise, feature.icc_real_shift, feature.icc_real_resampling)
        counted = [
            r if name in feature.real_counts and not math.isnan(r) else d
            for name, d, r in zip(CHANGES, drawn, real, strict=True)
        ]
        assert feature.stable == (np.nanmin([*counted, 2.0]) >= 0.5 and not np.isnan(counted).all())
        assert (feature.name in unstable_features(feature.level)) != feature.stable


def test_stability_takes_real_images_before_phantoms():
    known = feature_dictionary("cluster")[0]
    unknown = dict.fromkeys((f"icc{real}_{c}" for real in ("", "_real") for c in CHANGES), math.nan)
    made = dataclasses.replace(known, **unknown, icc_real_views=0.1, real_counts=CHANGES)
    assert not made.stable  # never measured
    assert dataclasses.replace(made, icc_noise=0.51).stable
    assert not dataclasses.replace(made, icc_noise=0.9, icc_shift=0.49).stable
    assert dataclasses.replace(made, icc_noise=0.1, icc_real_noise=0.6).stable
    assert not dataclasses.replace(made, icc_noise=0.9, icc_real_noise=0.4).stable
    assert dataclasses.replace(made, icc_noise=0.9, icc_real_noise=0.4, real_counts=()).stable  # too few


def run(*arguments):
    return CliRunner().invoke(app, ["features", *arguments])


def test_list_shows_every_feature():
    shown = run("--list")
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    for feature in feature_dictionary():
        assert any(line.split()[:2] == [feature.name, feature.level] for line in lines), feature.name
    assert run().output == shown.output
    only = run("--level", "cluster")
    assert "calcification  " not in only.output
    assert "mst_total_mm" in only.output


def test_json_is_the_dictionary():
    data = json.loads(run("--json").output)
    assert [entry["name"] for entry in data] == [feature.name for feature in feature_dictionary()]
    assert data[0]["high"] is None
    wanted = {"name", "level", "formula", "unit", "low", "high", "source", "twin", "icc_noise"}
    assert set(data[0]) >= wanted | {"from_image", "icc_real_noise", "icc_real_views", "stable"}


def test_one_feature_in_full():
    shown = run("skin_distance_mm", "solidity_worst").output
    assert shown.count("skin_distance_mm") == 2  # one of each level
    assert "lowest solidity" in shown
    assert "firstorder Minimum" in shown
    assert "computed from" in shown
    assert "two views" in shown


def test_unknown_names_are_refused():
    shown = run("nonsense")
    assert shown.exit_code == 2
    assert "nonsense" in shown.output
