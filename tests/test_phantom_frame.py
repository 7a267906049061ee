"""A whole drawn mammogram: its truth is true and the same seed gives the same picture."""

from __future__ import annotations

import numpy as np
import pytest
from test_phantom_groups import RADIUS_MM, most_in_disc_by_brute_force
from test_phantom_tissue import measured_exponent

from mcdetect.image.mammogram import Intent
from mcdetect.phantom import (
    Acquisition,
    Calcifications,
    FilmLook,
    Group,
    GroupKind,
    Scatter,
    SystemBlur,
    Tissue,
    draw_mammogram,
)

SHAPE, SPACING = (600, 500), 0.16
GROUPS = (
    Group(n=8, kind=GroupKind.ROUND, min_distance_mm=1.8),
    Group(n=6, extent_mm=14.0, kind=GroupKind.LINEAR, min_distance_mm=1.8),
)


@pytest.fixture(scope="module")
def raw():
    return draw_mammogram(SHAPE, SPACING, seed=7, intent=Intent.FOR_PROCESSING, groups=GROUPS)


@pytest.fixture(scope="module")
def raw_empty():
    return draw_mammogram(SHAPE, SPACING, seed=7, intent=Intent.FOR_PROCESSING)


def log_exposure(phantom):
    return -np.log(np.maximum(phantom.pixels.astype(float) - phantom.raw_offset, 1))


def test_same_seed_same_picture(raw):
    again = draw_mammogram(SHAPE, SPACING, seed=7, intent=Intent.FOR_PROCESSING, groups=GROUPS)
    np.testing.assert_array_equal(raw.pixels, again.pixels)
    assert raw.truth.equals(again.truth)
    other = draw_mammogram(SHAPE, SPACING, seed=8, intent=Intent.FOR_PROCESSING, groups=GROUPS)
    assert (raw.pixels != other.pixels).mean() > 0.5


def test_truth_is_what_the_calcifications_change(raw, raw_empty):
    """The same seed without groups is the same picture without calcifications."""
    added = log_exposure(raw) - log_exposure(raw_empty)
    near = np.zeros(SHAPE, bool)
    for calc in raw.truth.itertuples():
        i, j = round(calc.row_px), round(calc.col_px)
        patch = added[i - 3 : i + 4, j - 3 : j + 4]
        near[i - 12 : i + 13, j - 12 : j + 13] = True
        at = np.arange(-3, 4)
        assert i + (patch.sum(1) * at).sum() / patch.sum() == pytest.approx(calc.row_px, abs=0.1)
        assert j + (patch.sum(0) * at).sum() / patch.sum() == pytest.approx(calc.col_px, abs=0.1)
        assert patch.max() == pytest.approx(calc.peak_contrast, rel=0.05)
    assert np.abs(added[~near]).max() == 0


def test_clusters_summarise_the_truth(raw):
    assert raw.clusters["group_id"].tolist() == [1, 2]
    assert raw.clusters["n_calcifications"].tolist() == [8, 6]
    assert raw.clusters["kind"].tolist() == ["round", "linear"]
    for cluster in raw.clusters.itertuples():
        members = raw.truth[raw.truth["group_id"] == cluster.group_id]
        assert cluster.row_px == pytest.approx(members["row_px"].mean())
        assert cluster.min_col_px == members["col_px"].min()
        assert cluster.max_row_px == members["row_px"].max()


def test_calcifications_lie_in_the_breast_and_within_their_ranges(raw):
    assert raw.breast[raw.truth["row_px"].round().astype(int), raw.truth["col_px"].round().astype(int)].all()
    assert raw.truth["snr"].between(6, 20.001).all()
    assert raw.truth["diameter_mm"].between(0.18, 0.5).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_scattered_never_group(seed):
    phantom = draw_mammogram(
        (360, 300),
        0.48,
        seed=seed,
        scatter=Scatter(n=15, max_in_disc=3),
        groups=(Group(n=5, extent_mm=6.0, min_distance_mm=1.0),),
    )
    points = phantom.truth[["row_px", "col_px"]].to_numpy() * 0.48
    single = phantom.truth["group_id"].to_numpy() == 0
    assert single.sum() == 15
    assert most_in_disc_by_brute_force(points[single], RADIUS_MM, 0.2) <= 3
    apart = np.hypot(*(points[single][:, None] - points[~single][None]).transpose(2, 0, 1))
    assert apart.min() > 2 * RADIUS_MM


def test_texture_of_the_breast_has_an_exponent_of_about_3():
    measured = []
    for seed in (3, 4):
        phantom = draw_mammogram(
            (800, 700),
            0.1,
            seed=seed,
            intent=Intent.FOR_PROCESSING,
            bits=16,
            acquisition=Acquisition(quanta_per_mm2=1e12, electronic_quanta=0.0),
        )
        row, col = (int(v) for v in np.argwhere(phantom.breast).mean(axis=0))
        patch = log_exposure(phantom)[row - 180 : row + 180, max(col - 180, 0) : col + 180]
        measured.append(measured_exponent(patch, (0.1, 0.1), (0.15, 1.5)))
    assert np.mean(measured) == pytest.approx(3.0, abs=0.4)


def test_right_breast_is_on_the_other_side():
    left = draw_mammogram((240, 190), 0.4, seed=5, laterality="L", view="MLO", label=False)
    right = draw_mammogram((240, 190), 0.4, seed=5, laterality="R", view="MLO", label=False)
    np.testing.assert_array_equal(left.pixels, right.pixels[:, ::-1])
    np.testing.assert_array_equal(left.pectoral, right.pectoral[:, ::-1])
    assert left.breast[:, 0].any()
    assert not left.breast[:, -1].any()


def test_truth_is_mirrored_with_the_breast():
    group = (Group(n=5, extent_mm=8.0, min_distance_mm=1.5),)
    options = {"seed": 5, "groups": group, "label": False}
    left = draw_mammogram((240, 190), 0.4, laterality="L", **options)
    right = draw_mammogram((240, 190), 0.4, laterality="R", **options)
    np.testing.assert_allclose(right.truth["col_px"], 189 - left.truth["col_px"])


@pytest.mark.parametrize("intent", [Intent.FOR_PRESENTATION, Intent.FOR_PROCESSING, Intent.FILM])
def test_label_is_burned_in_beside_the_breast(intent):
    options = {"seed": 5, "intent": intent, "film": FilmLook(dust_specks=0, scratches=0)}
    with_label = draw_mammogram((240, 190), 0.4, label=True, **options)
    without = draw_mammogram((240, 190), 0.4, label=False, **options)
    changed = with_label.pixels != without.pixels
    assert changed.any()
    assert not (changed & with_label.breast).any()
    saturated = with_label.raw_offset if intent is Intent.FOR_PROCESSING else 4095
    assert (with_label.pixels[changed] == saturated).any()


@pytest.mark.parametrize(
    ("intent", "bits"), [(Intent.FOR_PRESENTATION, 12), (Intent.FOR_PROCESSING, 14), (Intent.FILM, 12)]
)
def test_grey_levels(intent, bits):
    phantom = draw_mammogram((240, 190), 0.4, seed=5, intent=intent, label=False, film=FilmLook(border_mm=0))
    assert phantom.bits == bits
    assert phantom.pixels.dtype == np.uint16
    assert phantom.pixels.max() < 2**bits
    mammogram = phantom.to_mammogram()
    inside, outside = mammogram.pixels[phantom.breast], mammogram.pixels[~phantom.breast]
    assert np.median(inside) > np.median(outside)
    if intent is Intent.FOR_PROCESSING:
        assert mammogram.zero_exposure_level is not None
        assert (mammogram.zero_exposure_level - mammogram.pixels).mean() > 0
    # Nothing of the breast is saturated.
    assert (phantom.pixels[phantom.breast] >= 2**bits - 1).mean() < 1e-3


@pytest.mark.parametrize(
    ("shape", "spacing"), [((800, 640), 0.03), ((500, 420), 0.2), ((700, 400), (0.07, 0.14)), ((64, 64), 0.2)]
)
def test_any_spacing_and_size(shape, spacing):
    phantom = draw_mammogram(
        shape, spacing, seed=1, acquisition=Acquisition(blur=SystemBlur(0.06, tail_fraction=0.2))
    )
    assert phantom.pixels.shape == shape
    assert 0.1 < phantom.breast.mean() < 0.9
    pair = (phantom.spacing.row_mm, phantom.spacing.col_mm)
    assert pair == (spacing if isinstance(spacing, tuple) else (spacing, spacing))


def test_diameter_does_not_depend_on_spacing():
    same = Calcifications(diameter_mm=(0.4, 0.4001), snr=(20, 20.001), irregularity=(0, 0), elongation=(1, 1))
    widths = []
    for spacing in (0.06, 0.12):
        shape = (round(60 / spacing), round(50 / spacing))
        options = {"seed": 2, "intent": Intent.FOR_PROCESSING}
        groups = (Group(n=3, extent_mm=8.0, calcifications=same, min_distance_mm=2.0),)
        full = draw_mammogram(shape, spacing, groups=groups, **options)
        added = log_exposure(full) - log_exposure(draw_mammogram(shape, spacing, **options))
        volume = added.sum() * spacing**2 / full.truth["peak_contrast"].sum()
        widths.append(volume)
    # Peak and volume of the same blurred grain agree but for the wider pixel.
    assert widths[1] == pytest.approx(widths[0], rel=0.12)


def test_lines_can_be_left_out():
    plain = Tissue(vessels=0, ducts=0, ligaments=0)
    with_lines = draw_mammogram((200, 160), 0.5, seed=4)
    without = draw_mammogram((200, 160), 0.5, seed=4, tissue=plain)
    assert (with_lines.pixels != without.pixels).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (10, 10)},
        {"laterality": "B"},
        {"view": "LAT"},
        {"intent": Intent.UNKNOWN},
        {"bits": 7},
        {"pixel_spacing_mm": -1.0},
        {"groups": (Group(n=5, extent_mm=500.0),)},
    ],
)
def test_bad_arguments(wrong):
    with pytest.raises(ValueError, match=r"must be|cannot be|does not fit"):
        draw_mammogram(**({"shape": (200, 160), "pixel_spacing_mm": 0.5, "seed": 1} | wrong))
