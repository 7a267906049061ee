"""Large calcifications: one mark each, measured whole; specks beside each other stay apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage as ndi

from mcdetect.image.mammogram import PixelSpacing
from mcdetect.shapes.figures import border_step
from mcdetect.shapes.grown import MOST_LEFT
from mcdetect.shapes.large import (
    LEAST_MM,
    LargeBody,
    find_large_bodies,
    one_mark_per_large_body,
)
from mcdetect.shapes.loops import find_rings

SHAPE_MM = (34.0, 34.0)
Figure = Callable[[npt.NDArray[np.float64], npt.NDArray[np.float64]], npt.NDArray[np.bool_]]


def draw(figure: Figure, spacing: PixelSpacing, height: float = 60.0, blur_mm: float = 0.08) -> np.ndarray:
    """Return a figure behind blur over tissue, with noise of unit SD; (0, 0) mm is the middle."""
    fine = 3
    rows, cols = (
        round(side / step) for side, step in zip(SHAPE_MM, (spacing.row_mm, spacing.col_mm), strict=True)
    )
    row = ((np.arange(rows * fine) + 0.5) / fine - 0.5 * rows) * spacing.row_mm
    col = ((np.arange(cols * fine) + 0.5) / fine - 0.5 * cols) * spacing.col_mm
    inside = figure(row[:, None], col[None, :]).astype(np.float64)
    inside = inside.reshape(rows, fine, cols, fine).mean(axis=(1, 3))
    sigma = (blur_mm / spacing.row_mm, blur_mm / spacing.col_mm)
    rng = np.random.default_rng(0)
    tissue = ndi.gaussian_filter(rng.normal(size=(rows, cols)), 2.0 / spacing.col_mm)
    tissue *= 4.0 / tissue.std()
    image = height * ndi.gaussian_filter(inside, sigma) + tissue + rng.normal(size=(rows, cols))
    return image.astype(np.float32)


def marks(figure: Figure, spacing: PixelSpacing, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Return places on a figure, in px, spread over it."""
    rng = np.random.default_rng(1)
    span = rng.uniform(-6, 6, (20000, 2))
    on = span[figure(span[:, 0], span[:, 1])]
    place = on[:: max(1, len(on) // count)][:count]
    size = np.array(SHAPE_MM) / (spacing.row_mm, spacing.col_mm)
    row = (place[:, 0] / spacing.row_mm) + 0.5 * round(size[0]) - 0.5
    col = (place[:, 1] / spacing.col_mm) + 0.5 * round(size[1]) - 0.5
    return row, col


def found(figure: Figure, spacing: PixelSpacing, **how: float) -> tuple[list[LargeBody], int]:
    row, col = marks(figure, spacing)
    image = draw(figure, spacing, **how)
    return find_large_bodies(
        image, row, col, np.arange(float(row.size)), np.ones(row.size, np.bool_), spacing
    ), row.size


def disc(diameter: float) -> Figure:
    return lambda r, c: np.hypot(r, c) <= diameter / 2


def ring(diameter: float, wall: float) -> Figure:
    return lambda r, c: np.abs(np.hypot(r, c) - (diameter - wall) / 2) <= wall / 2


def rod(length: float, width: float, angle_deg: float) -> Figure:
    a = np.radians(angle_deg)

    def figure(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        along, across = c * np.cos(a) - r * np.sin(a), c * np.sin(a) + r * np.cos(a)
        return (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2)

    return figure


def lens(length: float, width: float) -> Figure:
    return lambda r, c: (2 * r / width) ** 2 + (2 * c / length) ** 2 <= 1


SPACINGS = [PixelSpacing(0.07, 0.07), PixelSpacing(0.1, 0.1), PixelSpacing(0.07, 0.1)]


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize("diameter", [1.0, 2.0, 5.0, 9.0])
def test_a_disc_is_one_body_of_its_size(diameter: float, spacing: PixelSpacing) -> None:
    (body,), n = found(disc(diameter), spacing)
    assert body.marks.tolist() == list(range(n))
    assert body.measures["diameter_mm"] == pytest.approx(diameter, rel=0.1)
    assert body.measures["aspect"] == pytest.approx(1.0, abs=0.1)
    assert body.measures["circularity"] > 0.85
    assert body.row_px * spacing.row_mm == pytest.approx(17.0, abs=0.1)
    assert body.col_px * spacing.col_mm == pytest.approx(17.0, abs=0.1)


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize(("diameter", "wall"), [(1.2, 0.3), (3.0, 0.4), (8.0, 0.5)])
def test_a_ring_is_closed(diameter: float, wall: float, spacing: PixelSpacing) -> None:
    (body,), n = found(ring(diameter, wall), spacing)
    assert len(body.marks) == n
    assert body.measures["diameter_mm"] == pytest.approx(diameter, rel=0.1)
    assert body.measures["rim_ratio"] > 1.2


@pytest.mark.parametrize("angle", [-60.0, 0.0, 30.0, 90.0])
def test_a_rod_is_long_and_lies_as_it_was_drawn(angle: float) -> None:
    (body,), n = found(rod(6.0, 1.0, angle), PixelSpacing(0.07, 0.07))
    assert len(body.marks) == n
    # The ellipse of the moments of a rectangle is 2 / sqrt(3) times as long and wide.
    assert body.measures["major_axis_mm"] == pytest.approx(6.0 * 2 / np.sqrt(3), rel=0.1)
    assert body.measures["aspect"] == pytest.approx(6.0, rel=0.2)
    difference = (body.measures["orientation_deg"] - angle + 90) % 180 - 90
    assert abs(difference) < 5


def test_specks_stay_apart() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    rng = np.random.default_rng(5)
    places = np.empty((0, 2))
    while len(places) < 25:  # at least half a diameter between any two
        place = rng.uniform(-2.5, 2.5, 2)
        if len(places) == 0 or np.hypot(*(places - place).T).min() >= 0.45:
            places = np.vstack([places, place])

    def cluster(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        return np.any([np.hypot(r - p[0], c - p[1]) <= 0.15 for p in places], axis=0)

    row = places[:, 0] / 0.07 + 243 - 0.5
    col = places[:, 1] / 0.07 + 243 - 0.5
    image = draw(cluster, spacing, height=40.0)
    assert find_large_bodies(image, row, col, np.ones(25), np.ones(25, np.bool_), spacing) == []


def test_tissue_is_no_body() -> None:
    spacing = PixelSpacing(0.1, 0.1)
    image = draw(disc(3.0), spacing, blur_mm=1.2)
    row, col = marks(disc(3.0), spacing)
    assert find_large_bodies(image, row, col, np.ones(row.size), np.ones(row.size, np.bool_), spacing) == []


def test_faint_marks_in_the_halo_belong_to_the_body_and_bright_ones_do_not() -> None:
    spacing = PixelSpacing(0.07, 0.07)

    def body_and_speck(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        return (np.hypot(r, c) <= 2.0) | (np.hypot(r, c - 2.6) <= 0.2)

    image = draw(body_and_speck, spacing, height=100.0)
    middle = 243 - 0.5
    row = np.array([middle, middle - 2.5 / 0.07, middle, middle])
    col = np.array([middle, middle, middle + 2.6 / 0.07, middle + 8.0 / 0.07])
    strength, certain = np.array([9.0, 1.0, 5.0, 2.0]), np.ones(4, np.bool_)
    (body,) = find_large_bodies(image, row, col, strength, certain, spacing)
    assert body.marks.tolist() == [0, 1]
    keep, number = one_mark_per_large_body([body], strength, certain)
    assert keep.tolist() == [True, False, True, True]
    assert number.tolist() == [0, 0, -1, -1]


def test_a_body_at_the_corner_and_nothing_at_all() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image = draw(disc(3.0), spacing)[243:, 243:]
    bodies = find_large_bodies(
        image, np.array([3.0]), np.array([3.0]), np.ones(1), np.ones(1, np.bool_), spacing
    )
    assert all(np.isfinite(body.row_px) for body in bodies)
    none, certain = np.empty(0), np.empty(0, np.bool_)
    assert find_large_bodies(image[:2, :2], none, none, none, certain, spacing) == []
    keep, number = one_mark_per_large_body([], none, certain)
    assert keep.size == number.size == 0


@pytest.mark.parametrize("flip", [(1, -1), (-1, 1), (-1, -1)])
def test_flips_change_nothing(flip: tuple[int, int]) -> None:
    spacing = PixelSpacing(0.07, 0.1)
    figure = ring(2.5, 0.4)
    row, col = marks(figure, spacing)
    image = draw(figure, spacing)
    turned = np.ascontiguousarray(image[:: flip[0], :: flip[1]])
    row2 = row if flip[0] == 1 else image.shape[0] - 1 - row
    col2 = col if flip[1] == 1 else image.shape[1] - 1 - col
    (one,) = find_large_bodies(image, row, col, np.arange(6.0), np.ones(6, np.bool_), spacing)
    (two,) = find_large_bodies(turned, row2, col2, np.arange(6.0), np.ones(6, np.bool_), spacing)
    for name in ("area_mm2", "major_axis_mm", "solidity", "rim_ratio"):
        assert one.measures[name] == pytest.approx(two.measures[name], rel=0.02)


@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_what_is_large_is_so_in_mm(gain: float) -> None:
    bodies, _ = found(disc(LEAST_MM * 0.8), PixelSpacing(0.07, 0.07), height=60.0 * gain)
    assert bodies == []


# --- marks that are not certain, and kinds ----------------------------------------------------------


@pytest.mark.parametrize(("height", "expected"), [(60.0, 1), (20.0, 1), (5.0, 0)])
def test_a_body_needs_no_certain_mark(height: float, expected: int) -> None:
    spacing = PixelSpacing(0.07, 0.07)
    row, col = marks(disc(2.0), spacing)
    image = draw(disc(2.0), spacing, height=height)
    unsure = find_large_bodies(image, row, col, np.ones(row.size), np.zeros(row.size, np.bool_), spacing)
    assert len(unsure) == expected
    none = np.empty(0)
    bare = find_large_bodies(image, none, none, none, np.empty(0, np.bool_), spacing)
    assert [body.marks.size for body in bare] == [0] * expected


def test_bodies_are_looked_for_where_is_searched() -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image, none = draw(disc(2.0), spacing), np.empty(0)
    searched = np.zeros(image.shape, np.bool_)
    searched[:200] = True
    assert find_large_bodies(image, none, none, none, np.empty(0, np.bool_), spacing, searched) == []


def ligaments(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """A knot of four lines, as tissue has them, sharp as it never is."""
    lines = [np.abs(r * np.cos(a) + c * np.sin(a)) <= 0.4 for a in (0.0, 0.8, 1.6, 2.4)]
    knot: npt.NDArray[np.bool_] = np.any(lines, axis=0) & (np.hypot(r, c) <= 9.0)
    return knot


def test_a_crossing_of_lines_is_no_body() -> None:
    spacing, none = PixelSpacing(0.07, 0.07), np.empty(0)
    image = draw(ligaments, spacing, height=25.0, blur_mm=0.4)
    assert find_large_bodies(image, none, none, none, np.empty(0, np.bool_), spacing) == []


def test_a_body_keeps_its_certain_mark() -> None:
    body = LargeBody(np.array([0, 1, 2]), 0.0, 0.0, {}, "coarse")
    strength = np.array([5.0, 1.0, 2.0, -3.0])
    for certain, kept in (([0, 1, 1, 1], [2, 3]), ([0, 0, 0, 1], [0, 3]), ([0, 0, 0, 0], [0])):
        keep, _ = one_mark_per_large_body([body], strength, np.array(certain, np.bool_))
        assert np.flatnonzero(keep).tolist() == kept


@pytest.mark.parametrize("spacing", SPACINGS, ids=str)
@pytest.mark.parametrize(
    ("figure", "kind"),
    [
        (disc(3.0), "coarse"),
        (ring(3.0, 0.5), "rim"),
        (rod(4.0, 0.8, 30.0), "object"),
        (lens(4.0, 1.5), "rod"),
    ],
    ids=["disc", "ring", "bar", "lens"],
)
def test_kinds(figure: Figure, kind: str, spacing: PixelSpacing) -> None:
    (body,), _ = found(figure, spacing, blur_mm=0.05)
    assert body.kind == kind


def bent(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """A hook: two rods of 3 mm, 0.9 mm wide, at a right angle."""
    return ((np.abs(r) <= 0.45) & (c >= -0.45) & (c <= 3.0)) | (
        (np.abs(c) <= 0.45) & (r >= -0.45) & (r <= 3.0)
    )


def test_a_bent_rod_is_one_body() -> None:
    (body,), n = found(bent, PixelSpacing(0.07, 0.07))
    assert len(body.marks) == n
    assert body.measures["solidity"] < 0.8


def test_what_goes_on_beyond_its_border_needs_a_certain_mark() -> None:
    """The bright end of a vessel."""
    spacing = PixelSpacing(0.07, 0.07)
    mask = np.hypot(*np.indices((31, 31)) - 15.0) <= 12.0

    def steps(beside: float) -> tuple[float, float]:
        image = np.zeros((80, 80), np.float32)
        image[33:48, 40:] = beside
        image[25:56, 25:56][mask] = 50.0
        return border_step(image, mask, 25, 25, spacing)

    step, left = steps(0.0)
    assert (step, left) == (50.0, 0.0)
    assert steps(20.0)[1] == 0.0
    assert steps(40.0)[1] > 2.0 * MOST_LEFT


def drawn(figure: Callable[[np.ndarray, np.ndarray], np.ndarray], **how: float) -> np.ndarray:
    """Return an image of a figure whose height differs from place to place."""
    spacing = PixelSpacing(0.07, 0.07)
    return draw(figure, spacing, **how)  # type: ignore[arg-type]


def ring_in_pieces(r: np.ndarray, c: np.ndarray) -> np.ndarray:
    """A shell of 1.6 mm whose one side is a fifth as dense as the other."""
    bright = 0.6 + 0.4 * np.cos(np.arctan2(r, c))
    return np.where(np.abs(np.hypot(r, c) - 0.72) <= 0.1, bright, 0.0)


def specks_on_a_circle(r: np.ndarray, c: np.ndarray) -> np.ndarray:
    turn = np.linspace(0.0, 2.0 * np.pi, 9)[:-1]
    return np.any([np.hypot(r - 0.8 * np.sin(a), c - 0.8 * np.cos(a)) <= 0.13 for a in turn], axis=0)


def on_circle(radius_mm: float, degrees: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return places on a circle about the middle, in px."""
    turn, middle = np.radians(degrees), 0.5 * round(SHAPE_MM[0] / 0.07) - 0.5
    return middle + radius_mm / 0.07 * np.sin(turn), middle + radius_mm / 0.07 * np.cos(turn)


def test_a_ring_of_uneven_height_is_one_rim() -> None:
    place = on_circle(0.72, [-50.0, 10.0, 60.0, 120.0])
    rings = find_rings(drawn(ring_in_pieces), place, np.zeros(4), np.arange(4), 6.0, PixelSpacing(0.07, 0.07))
    assert rings[0].ring
    assert 2.0 * np.sqrt(rings[0].mask.sum() / np.pi) * 0.07 == pytest.approx(1.65, rel=0.1)


def test_specks_on_a_circle_are_no_ring() -> None:
    place = on_circle(0.8, [0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0])
    image = drawn(specks_on_a_circle, height=40.0)
    assert find_rings(image, place, np.zeros(8), np.arange(8), 6.0, PixelSpacing(0.07, 0.07)) == []


def bent_wire(angle_deg: float) -> Figure:
    def figure(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        turn = np.radians(angle_deg)
        arms = []
        for along_r, along_c in ((0.0, 1.0), (np.sin(turn), np.cos(turn))):
            way = np.clip(r * along_r + c * along_c, 0.0, 1.3)
            arms.append(np.hypot(r - way * along_r, c - way * along_c) <= 0.28)
        return arms[0] | arms[1]

    return figure


@pytest.mark.parametrize("angle", [180.0, 130.0, 100.0])
def test_a_wire_is_an_object_and_what_is_round_on_top_is_not(angle: float) -> None:
    spacing = PixelSpacing(0.07, 0.07)
    image = np.minimum(draw(bent_wire(angle), spacing, height=4000.0), 120.0)
    nothing = np.zeros(0)
    (body,) = find_large_bodies(image, nothing, nothing, nothing, np.zeros(0, np.bool_), spacing)
    assert body.kind == "object"
    (body,), _ = found(rod(3.0, 0.6, 30.0), spacing, blur_mm=0.12)
    assert body.kind == "rod"


def test_a_strand_that_crosses_a_body_is_cut_off() -> None:
    def crossed(r: npt.NDArray[np.float64], c: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        strand = np.abs(r - 0.3 * c) <= 0.15
        return np.maximum(1.0 * rod(5.0, 1.0, 60.0)(r, c), 0.5 * strand)

    nothing = np.zeros(0)
    (body,) = find_large_bodies(
        drawn(crossed), nothing, nothing, nothing, np.zeros(0, np.bool_), PixelSpacing(0.07, 0.07)
    )
    assert body.kind == "rod"
    assert body.measures["major_axis_mm"] == pytest.approx(5.0 * 2 / np.sqrt(3), rel=0.1)


@pytest.mark.parametrize(
    ("figure", "diameter_mm"), [(ring(6.0, 0.9), 6.0), (disc(4.0), 4.0)], ids=["ring", "disc"]
)
def test_a_body_across_the_border_of_bright_tissue(figure: Figure, diameter_mm: float) -> None:
    spacing, none = PixelSpacing(0.07, 0.07), np.empty(0)
    image = draw(figure, spacing, height=30.0)
    col = (np.arange(image.shape[1]) - 0.5 * image.shape[1]) * spacing.col_mm
    image += (40.0 / (1.0 + np.exp(-col / 0.8))).astype(np.float32)  # no level parts both sides from it
    bodies = find_large_bodies(image, none, none, none, np.empty(0, np.bool_), spacing)
    (body,) = (one for one in bodies if abs(one.col_px * spacing.col_mm - 17.0) < 1.0)
    assert body.measures["diameter_mm"] == pytest.approx(diameter_mm, rel=0.1)
