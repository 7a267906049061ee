"""Large bodies drawn into backgrounds: outlines against geometry, heights against a plain twin."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import ndimage as ndi

from mcdetect.clusters.descriptors.benign import BENIGN_KINDS
from mcdetect.phantom import BodyForm, BodySpec, draw_body, insert_bodies, random_body
from mcdetect.phantom.bodies import BODY_COLUMNS
from mcdetect.phantom.body_forms import BENIGN_KIND, body_pieces

SPACING = 0.07
MIDDLE = {"row_px": 150.3, "col_px": 149.6}


def body(form: BodyForm, **changes: object) -> BodySpec:
    usual = {"size_mm": 4.0, "width_mm": 0.8, "thickness_mm": 0.6, "contrast": 100.0, "seed": 5, **MIDDLE}
    return BodySpec(form, **(usual | changes))  # type: ignore[arg-type]


def measured(spec: BodySpec) -> dict[str, float]:
    image = np.zeros((301, 301), np.float32)
    inserted = insert_bodies(image, SPACING, [spec], rng=np.random.default_rng(0))
    return inserted.truth.iloc[0].to_dict()


def area_of(polygon: np.ndarray) -> float:
    y, x = polygon[:-1].T * SPACING
    return 0.5 * abs(float(y @ np.roll(x, -1) - x @ np.roll(y, -1)))


@pytest.mark.parametrize("lucent", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_rod_however_bent_has_the_area_of_its_length_and_width(seed: int, lucent: bool) -> None:
    truth = measured(body(BodyForm.ROD, seed=seed, lucent=lucent, orientation=0.4 * seed))
    assert truth["area_mm2"] == pytest.approx(0.8 * 3.2 + math.pi * 0.4**2, rel=0.01)
    # A capsule's second moment about its middle, along it: rectangle and two half discs.
    straight = 0.8 * 3.2**3 / 12 + math.pi * 0.4**2 * (0.4**2 / 4 + 1.6**2) + 4 / 3 * 0.4**3 * 3.2
    assert truth["major_axis_mm"] == pytest.approx(4 * math.sqrt(straight / truth["area_mm2"]), rel=0.015)


@pytest.mark.parametrize("form", [BodyForm.POPCORN, BodyForm.RIM, BodyForm.DYSTROPHIC])
@pytest.mark.parametrize("size_mm", [1.0, 3.0, 10.0])
def test_round_bodies_have_the_diameter_asked_for(form: BodyForm, size_mm: float) -> None:
    truth = measured(body(form, size_mm=size_mm, width_mm=0.2))
    assert truth["diameter_mm"] == pytest.approx(size_mm, rel=0.01)
    assert truth["major_axis_mm"] >= truth["minor_axis_mm"] > 0


def test_a_fork_adds_an_arm() -> None:
    plain, forked = (measured(body(BodyForm.ROD, forked=f)) for f in (False, True))
    assert forked["area_mm2"] > plain["area_mm2"] + 0.4
    assert forked["minor_axis_mm"] > 1.2 * plain["minor_axis_mm"]


@pytest.mark.parametrize("form", list(BodyForm))
def test_outlines_enclose_the_area_of_the_truth(form: BodyForm) -> None:
    spec = body(form, size_mm=20.0 if form is BodyForm.TRAM_TRACK else 4.0)
    stamp, truth = draw_body(spec, SPACING), measured(spec)
    outlines = stamp.outlines()
    assert sum(map(area_of, outlines)) == pytest.approx(truth["area_mm2"], rel=0.03)
    assert (len(outlines) > 3) == (form is BodyForm.TRAM_TRACK)
    covered = np.argwhere(stamp.coverage > 0.5) + stamp.first
    inside = np.concatenate(outlines)
    assert (covered.min(axis=0) >= inside.min(axis=0) - 1).all()
    assert (covered.max(axis=0) <= inside.max(axis=0) + 1).all()


@pytest.mark.parametrize("form", list(BodyForm))
def test_heights_equal_those_of_a_plain_twin(form: BodyForm) -> None:
    """Sampled finely, blurred by SciPy, averaged over pixels: the same picture by another way."""
    spec = body(form, size_mm=12.0 if form is BodyForm.TRAM_TRACK else 3.0, lucent=True, orientation=0.7)
    stamp = draw_body(spec, SPACING, blur=0.06)
    fine = 10
    points = [
        (np.arange(n * fine) / fine + 0.5 / fine - 0.5 + first - at) * SPACING
        for n, first, at in zip(stamp.thickness.shape, stamp.first, (spec.row_px, spec.col_px), strict=True)
    ]
    path = np.zeros((points[0].size, points[1].size))
    pieces = body_pieces(
        form,
        spec.size_mm,
        spec.width_mm,
        spec.orientation,
        lucent=True,
        forked=False,
        rng=np.random.default_rng(spec.seed),
    )
    for piece in pieces:
        path += piece.thickness(*points)
    blocks = (stamp.thickness.shape[0], fine, stamp.thickness.shape[1], fine)
    coverage = (path > 0).reshape(blocks).mean(axis=(1, 3))
    np.testing.assert_allclose(stamp.coverage.sum(), coverage.sum(), rtol=0.005)
    assert np.abs(stamp.coverage - coverage).max() < 0.3
    blurred = ndi.gaussian_filter(path, 0.06 / (SPACING / fine), truncate=6.0)
    twin = blurred.reshape(blocks).mean(axis=(1, 3)) * spec.thickness_mm / path.max()
    assert np.abs(stamp.thickness - twin).max() < 0.03 * spec.thickness_mm


@pytest.mark.parametrize(
    ("form", "dark"), [(BodyForm.RIM, 0.6), (BodyForm.DYSTROPHIC, 0.6), (BodyForm.ROD, 0.9)]
)
def test_a_lucent_centre_is_less_dense_than_the_border(form: BodyForm, dark: float) -> None:
    wide = 1.4 if form is BodyForm.ROD else 0.3
    stamp = draw_body(body(form, lucent=True, width_mm=wide, orientation=0.0), SPACING)
    line = stamp.thickness[:, round(MIDDLE["col_px"]) - stamp.first[1]]
    assert line[round(MIDDLE["row_px"]) - stamp.first[0]] < dark * line.max()


def test_the_image_grows_by_thickness_times_contrast_and_keeps_its_noise() -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(1000, 10, (301, 301)).astype(np.float32)
    spec = body(BodyForm.ROD)
    inserted = insert_bodies(image, SPACING, [spec], rng=rng)
    stamp = inserted.stamps[0]
    target, part = stamp.parts(image.shape)
    added = inserted.pixels - image
    np.testing.assert_allclose(added[target], 100.0 * stamp.thickness[part], atol=0.01)
    added[target] = 0
    assert not added.any()
    row = inserted.truth.iloc[0]
    assert row["peak_contrast"] == pytest.approx(100.0 * stamp.thickness.max())
    again = insert_bodies(image, SPACING, [dataclasses.replace(spec, contrast=None, snr=row["snr"])], rng=rng)
    np.testing.assert_allclose(again.pixels, inserted.pixels, atol=0.01)


def test_metal_saturates_and_says_so() -> None:
    image = np.random.default_rng(1).normal(1000, 10, (301, 301)).astype(np.float32)
    rng = np.random.default_rng(2)
    spec = random_body(BodyForm.CLIP, rng, **MIDDLE)
    inserted = insert_bodies(image, SPACING, [spec], rng=rng, limits=(0, 1400), grey_step=1)
    assert inserted.truth["clipped"].tolist() == [True]
    assert inserted.pixels.max() == 1400
    inside = np.zeros(image.shape)
    target, part = inserted.stamps[0].parts(image.shape)
    inside[target] = inserted.stamps[0].coverage[part]
    assert (inserted.pixels[inside == 1] == 1400).all()


def test_a_tram_track_runs_in_two_broken_walls() -> None:
    spec = body(BodyForm.TRAM_TRACK, size_mm=40.0, width_mm=3.0, seed=2)
    pieces = body_pieces(spec.form, 40.0, 3.0, 0.0, lucent=False, forked=False, rng=np.random.default_rng(2))
    assert 8 <= len(pieces) <= 40
    image = np.zeros((901, 901), np.float32)
    at = dataclasses.replace(spec, row_px=450.0, col_px=450.0)
    truth = insert_bodies(image, SPACING, [at], rng=np.random.default_rng(0)).truth.iloc[0]
    assert truth["kind"] == "vascular"
    assert truth["major_axis_mm"] > 25


def test_the_same_seed_draws_the_same_bodies_and_the_truth_has_its_columns() -> None:
    def drawn() -> tuple[np.ndarray, object]:
        rng = np.random.default_rng(7)
        specs = [random_body(form, rng, **MIDDLE) for form in BodyForm]
        image = np.random.default_rng(0).normal(500, 5, (301, 301)).astype(np.float32)
        inserted = insert_bodies(image, SPACING, specs, rng=rng, limits=(0, 4095), grey_step=1)
        assert {n: str(t) for n, t in inserted.truth.dtypes.items()} | {
            "form": "str",
            "kind": "str",
        } == BODY_COLUMNS
        return inserted.pixels, inserted.truth

    (first, truth), (second, same) = drawn(), drawn()
    np.testing.assert_array_equal(first, second)
    assert truth.equals(same)  # type: ignore[attr-defined]
    assert list(insert_bodies(first, SPACING, [], rng=np.random.default_rng(0)).truth) == list(BODY_COLUMNS)


def test_moving_a_body_by_whole_pixels_moves_its_picture() -> None:
    spec = body(BodyForm.POPCORN)
    here, there = draw_body(spec, SPACING), draw_body(spec.moved(7, -3), SPACING)
    assert np.subtract(there.first, here.first).tolist() == [7, -3]
    np.testing.assert_allclose(here.thickness, there.thickness, atol=1e-9)


def test_a_body_at_the_border_of_the_image_is_cut() -> None:
    image = np.zeros((301, 301), np.float32)
    rng = np.random.default_rng(0)
    inserted = insert_bodies(image, SPACING, [body(BodyForm.RIM, row_px=0.0, col_px=300.0)], rng=rng)
    assert inserted.pixels[0, 290] > 0
    assert not inserted.pixels[40:].any()


def test_kinds_are_those_of_groups() -> None:
    assert set(BENIGN_KIND) == set(BodyForm)
    assert set(BENIGN_KIND.values()) <= {*BENIGN_KINDS, ""}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"contrast": None}, "exactly one"),
        ({"snr": 3.0}, "exactly one"),
        ({"size_mm": 0.0}, "size_mm"),
        ({"thickness_mm": math.nan}, "thickness_mm"),
        ({"size_mm": 0.5}, "cannot be"),
    ],
)
def test_wrong_arguments(changes: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        body(BodyForm.ROD, **changes)


def test_a_site_outside_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        insert_bodies(np.zeros((50, 50)), SPACING, [body(BodyForm.ROD)], rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="2-D"):
        insert_bodies(np.zeros(50), SPACING, [], rng=np.random.default_rng(0))
