"""Texture, outline, lines and detector follow the laws they are drawn by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mcdetect.kernels.tubes import draw_tube
from mcdetect.phantom import Acquisition, SystemBlur
from mcdetect.phantom.breast_outline import compressed_thickness_mm, draw_outline, skin_path_mm
from mcdetect.phantom.exposure import blur_mm, expected_quanta, heel_effect, record, to_raw
from mcdetect.phantom.film import FilmLook, add_film_defects, film_brightness
from mcdetect.phantom.marker import draw_label
from mcdetect.phantom.tissue import glandular_fraction, power_law_field
from mcdetect.phantom.tubes import Tube, draw_tubes_mm, duct_trees, ligaments, vessel_trees


def measured_exponent(image, spacing, band=(0.15, 3.0)):
    """Slope of the radially averaged power spectrum of a windowed image, between two frequencies in 1/mm."""
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])[None, :]
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    frequency = np.hypot(
        np.fft.fftfreq(image.shape[0], spacing[0])[:, None],
        np.fft.fftfreq(image.shape[1], spacing[1])[None, :],
    )
    edges = np.geomspace(*band, 16)
    middle, mean = [], []
    for low, high in itertools.pairwise(edges):
        ring = (frequency >= low) & (frequency < high)
        if ring.any():
            middle.append(np.log(frequency[ring]).mean())
            mean.append(np.log(power[ring].mean()))
    return -np.polyfit(middle, mean, 1)[0]


@pytest.mark.parametrize("exponent", [2.0, 3.0, 3.5])
@pytest.mark.parametrize("spacing", [(0.1, 0.1), (0.08, 0.13)])
def test_power_law_exponent(exponent, spacing):
    measured = [
        measured_exponent(
            power_law_field((900, 800), spacing, np.random.default_rng(seed), exponent=exponent), spacing
        )
        for seed in range(2)
    ]
    assert np.mean(measured) == pytest.approx(exponent, abs=0.15)


def test_power_law_field_is_normalised_and_does_not_wrap():
    field = power_law_field((400, 300), (0.1, 0.1), np.random.default_rng(0))
    assert field.dtype == np.float32
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    steps = np.abs(np.diff(field, axis=0)).mean()
    assert np.abs(field[0] - field[-1]).mean() > 5 * steps


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_outline_is_a_distance(view):
    spacing = (0.35, 0.3)
    outline = draw_outline((450, 450), spacing, view, np.random.default_rng(4))
    inside = outline.depth_mm > 0
    assert 0.2 < inside.mean() < 0.6
    assert not inside[:, -10:].any()
    assert inside[225, 0]
    slope = np.hypot(*np.gradient(outline.depth_mm, *spacing))
    near = np.abs(outline.depth_mm) < 4
    assert np.median(slope[near]) == pytest.approx(1, abs=0.02)
    # The breast is one piece without holes: each row has one edge.
    edges = np.diff(inside.astype(int), axis=1)
    assert (np.abs(edges).sum(axis=1) <= 1).all()
    if view == "CC":
        assert outline.pectoral_mm is None
        assert not inside[0].any()
    else:
        muscle = outline.pectoral_mm > 0
        assert muscle[0, 0]
        assert not muscle[-1].any()
        assert 0.02 < (muscle & inside).mean() < 0.3


def test_outline_rejects_other_views():
    with pytest.raises(ValueError, match="view"):
        draw_outline((200, 200), (0.5, 0.5), "XCCL", np.random.default_rng(0))


def test_thickness_rolls_off_and_skin_is_thickest_at_the_edge():
    depth = np.linspace(-5, 60, 6501, dtype=np.float32)
    thickness = compressed_thickness_mm(depth, 50.0, 25.0)
    assert (thickness[depth <= 0] == 0).all()
    assert (np.diff(thickness) >= 0).all()
    np.testing.assert_allclose(thickness[depth >= 25], 50)
    skin = skin_path_mm(depth, 50.0, 25.0, 1.5)
    assert depth[np.argmax(skin)] == pytest.approx(1.5, abs=0.05)
    np.testing.assert_allclose(skin[depth > 30], 3.0, atol=1e-4)


def test_denser_breasts_hold_more_gland():
    outline = draw_outline((200, 175), (0.5, 0.5), "CC", np.random.default_rng(0))
    inside = outline.depth_mm > 5
    means = [
        glandular_fraction(outline, (0.5, 0.5), density, np.random.default_rng(1))[inside].mean()
        for density in (0.0, 0.5, 1.0)
    ]
    assert 0 < means[0] < means[1] < means[2] < 1


def draw_tube_twin(out, points, radius, gain, row_mm, col_mm):
    """Plain NumPy twin of the kernel: every segment over the whole image."""
    y = ((np.arange(out.shape[0]) + 0.5) * row_mm)[:, None]
    x = ((np.arange(out.shape[1]) + 0.5) * col_mm)[None, :]
    for i in range(len(points) - 1):
        a, along = points[i], points[i + 1] - points[i]
        share = (((y - a[0]) * along[0] + (x - a[1]) * along[1]) / (along @ along)).clip(0, 1)
        squared = (y - a[0] - share * along[0]) ** 2 + (x - a[1] - share * along[1]) ** 2
        room = (radius[i] + share * (radius[i + 1] - radius[i])) ** 2 - squared
        path = (gain[i] + share * (gain[i + 1] - gain[i])) * np.sqrt(room.clip(0))
        np.maximum(out, path, out=out, casting="same_kind")


def test_tube_kernel_equals_its_twin():
    rng = np.random.default_rng(1)
    drawn, expected = np.zeros((90, 70), np.float32), np.zeros((90, 70), np.float32)
    for _ in range(6):
        tube = (rng.uniform(-3, 14, (8, 2)), rng.uniform(0.1, 0.9, 8), rng.uniform(0.2, 2, 8), 0.13, 0.17)
        draw_tube(drawn, *tube)
        draw_tube_twin(expected, *tube)
    assert (expected > 0).mean() > 0.1
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_tube_keeps_its_cross_section():
    for radius, smallest in ((0.1, 0.1), (0.5, 0.1), (0.75, 0.05)):
        points = np.stack([np.linspace(3, 27, 13), np.linspace(10, 12, 13)], axis=1)
        path = draw_tubes_mm(
            (300, 220), (0.1, 0.1), [Tube(points, np.full(13, radius))], smallest_mm=smallest
        )
        slant = np.cos(np.arctan2(2, 24))
        area = path[100:200].sum(axis=1) * 0.1 * slant
        np.testing.assert_allclose(area.mean(), np.pi * radius**2, rtol=0.03)


def test_lines_are_between_stated_widths():
    rng = np.random.default_rng(0)
    size, nipple = (200.0, 160.0), (100.0, 120.0)
    outline = draw_outline((400, 320), (0.5, 0.5), "CC", rng)
    for tubes in (
        vessel_trees(5, size, nipple, rng),
        duct_trees(6, size, nipple, rng),
        ligaments(40, outline.depth_mm, (0.5, 0.5), nipple, rng),
    ):
        widths = 2 * np.concatenate([tube.radius_mm for tube in tubes])
        assert len(tubes) >= 5
        assert widths.min() > 0.01
        assert 0.3 < widths.max() <= 1.5


def test_noise_variance_is_linear_in_the_signal():
    """On FOR PROCESSING grey levels, Var = a y + b, with a and b from the acquisition."""
    taking = Acquisition(noise_blur_mm=0.05, electronic_quanta=30.0)
    spacing = (0.1, 0.1)
    air = 80_000.0
    signals, variances = [], []
    for index, level in enumerate((500.0, 2000.0, 8000.0, 20_000.0, 60_000.0)):
        quanta = np.full((500, 500), level, np.float32)
        raw = to_raw(record(quanta, spacing, taking, np.random.default_rng(index)), air, 16, 100)
        signals.append(raw.mean() - 100)
        variances.append(raw.astype(float).var())
    gain = (0.9 * 65535 - 100) / air
    np.testing.assert_allclose(signals, gain * np.array([500, 2000, 8000, 20_000, 60_000]), rtol=2e-3)
    slope, intercept = np.polyfit(signals, variances, 1, w=1 / np.array(variances))
    delta = np.zeros((41, 41), np.float32)
    delta[20, 20] = 1
    kernel_power = float((blur_mm(delta, spacing, 0.05) ** 2).sum())
    assert slope == pytest.approx(gain * kernel_power, rel=0.02)
    assert intercept == pytest.approx((gain * 30.0) ** 2, rel=0.15)
    fitted = slope * np.array(signals) + intercept
    np.testing.assert_allclose(variances, fitted, rtol=0.02)


def test_noise_is_correlated_by_the_detector():
    taking = Acquisition(noise_blur_mm=0.1, electronic_quanta=0.0)
    noise = record(np.full((400, 400), 1e4, np.float32), (0.1, 0.1), taking, np.random.default_rng(0)) - 1e4
    correlation = (noise[:, 1:] * noise[:, :-1]).mean() / noise.var()
    assert correlation == pytest.approx(np.exp(-1 / 4), abs=0.03)
    sharp = Acquisition(noise_blur_mm=0.0, electronic_quanta=0.0)
    white = record(np.full((400, 400), 1e4, np.float32), (0.1, 0.1), sharp, np.random.default_rng(0)) - 1e4
    assert abs((white[:, 1:] * white[:, :-1]).mean() / white.var()) < 0.02
    assert white.var() == pytest.approx(1e4, rel=0.02)


def test_exposure_follows_attenuation():
    taking = Acquisition(heel=0.0)
    quanta = expected_quanta(
        np.array([[0.0, 1.0]], np.float32), (0.1, 0.2), taking, heel_effect((1, 2), taking)
    )
    np.testing.assert_allclose(quanta, [[taking.quanta_per_mm2 * 0.02, taking.quanta_per_mm2 * 0.02 / np.e]])


@pytest.mark.parametrize(
    "wrong", [{"thickness_mm": 0.0}, {"heel": 1.0}, {"noise_blur_mm": -1.0}, {"quanta_per_mm2": np.nan}]
)
def test_acquisition_rejects(wrong):
    with pytest.raises(ValueError, match=r"positive|negative"):
        Acquisition(blur=SystemBlur(), **wrong)


def test_film_darkens_with_exposure_and_keeps_its_range():
    look = FilmLook(grain=0.0)
    quanta = np.geomspace(10, 1e6, 50, dtype=np.float32)[None, :].repeat(4, 0)
    bright = film_brightness(quanta, 3000.0, (0.05, 0.05), look, np.random.default_rng(0))
    assert (np.diff(bright, axis=1) <= 0).all()
    assert bright.min() >= 0
    assert bright.max() <= 1


def test_dust_is_sharper_than_the_system():
    flat = np.full((600, 500), 0.3, np.float32)
    look = FilmLook(dust_specks=40, scratches=0, border_mm=0.0, grain=0.0)
    dusty = add_film_defects(flat, (0.05, 0.05), look, np.random.default_rng(0))
    changed = dusty > flat
    assert 40 <= changed.sum() <= 40 * 9
    assert (dusty[changed] >= 0.3 + 0.07).all()


def test_film_border_is_clear_on_three_sides():
    flat = np.full((600, 500), 0.2, np.float32)
    look = FilmLook(dust_specks=0, scratches=0, border_mm=3.0, grain=0.0)
    film = add_film_defects(flat, (0.1, 0.1), look, np.random.default_rng(3))
    assert (film[0] > 0.85).mean() > 0.95
    assert (film[-1] > 0.85).mean() > 0.95
    assert (film[:, -1] > 0.85).mean() > 0.95
    np.testing.assert_array_equal(film[100:500, :400], flat[100:500, :400])


def test_label_has_its_height_at_any_spacing():
    for spacing in ((0.05, 0.05), (0.1, 0.2)):
        letters = draw_label("R MLO", 7.0, spacing)
        inked = np.flatnonzero(letters.max(axis=1) > 0.5)
        assert (inked[-1] - inked[0] + 1) * spacing[0] == pytest.approx(7.0, abs=0.8)
        assert letters.max() == pytest.approx(1)
    with pytest.raises(ValueError, match="glyphs"):
        draw_label("XYZ", 7.0, (0.1, 0.1))
