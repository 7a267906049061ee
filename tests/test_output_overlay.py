"""Pictures: marks sit where the findings are, hide none of them, and names are safe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from output_fakes import fake_image, fake_result, ring

from mcdetect.image.mammogram import Mammogram, PixelSpacing
from mcdetect.output.overlays import overlay_names, write_png
from mcdetect.pictures import drawing
from mcdetect.pictures.display import shrink, take_crop
from mcdetect.pictures.drawing import MOST_PANELS
from mcdetect.pictures.overlay import _first_to_see, draw_overlay

Picture = npt.NDArray[np.uint8]


def coloured(picture: Picture) -> npt.NDArray[np.bool_]:
    """True where a picture is clearly not grey."""
    spread = picture.max(axis=2).astype(int) - picture.min(axis=2).astype(int)
    return np.asarray(spread > 60)


def close_to(picture: Picture, colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(picture.astype(int) - np.array(colour)).max(axis=2) < 40)


def test_form() -> None:
    picture = fake_result(groups=[ring(300, 90)], others=[(200, 60)]).overlay()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[1:] == (1600, 3)


@pytest.mark.parametrize("groups", [1, 3, 4, MOST_PANELS + 2])
@pytest.mark.parametrize("shape", [(600, 400), (400, 600), (900, 300), (40, 30)])
@pytest.mark.parametrize("width", [800, 1200])
def test_every_layout_holds_its_panels(groups: int, shape: tuple[int, int], width: int) -> None:
    image = fake_image(*shape)
    rng = np.random.default_rng(groups)
    centres = rng.uniform((0, 0), shape, (groups, 2))
    picture = fake_result(image, [ring(r, c, radius=5) for r, c in centres]).overlay(width_px=width)
    assert picture.shape[1] <= width
    assert picture.shape[0] < 3 * width
    assert picture.flags.c_contiguous


def test_input_is_not_changed() -> None:
    result = fake_result(groups=[ring(300, 90)])
    before = result.mammogram.pixels.copy(), result.calcifications.copy(), result.clusters.copy()
    result.overlay()
    np.testing.assert_array_equal(before[0], result.mammogram.pixels)
    assert before[1].equals(result.calcifications)
    assert before[2].equals(result.clusters)


def test_nothing_found_draws_no_mark_on_the_mammogram() -> None:
    picture = fake_result().overlay()
    assert not coloured(picture[40:-62]).any()


def test_a_lone_calcification_is_circled_and_not_hidden() -> None:
    image = fake_image()
    image.pixels[150, 50] = 5000.0
    picture = fake_result(image, others=[(150.0, 50.0)]).overlay()
    body = picture[40:-62]
    rows, cols = np.nonzero(coloured(body))
    assert len(rows) > 10
    middle = rows.mean(), cols.mean()
    radii = np.hypot(rows - middle[0], cols - middle[1])
    assert radii.min() > 2.0
    scale = body.shape[0] / 600
    assert middle[0] == pytest.approx((150 + 0.5) * scale - 0.5, abs=0.75)
    spot = body[round(middle[0]), round(middle[1])]
    assert spot.min() > 150


def test_members_and_others_have_different_colours() -> None:
    with_group = fake_result(groups=[ring(300, 90)]).overlay()[40:-62]
    without = fake_result(others=ring(300, 90)).overlay()[40:-62]
    assert close_to(with_group, (255, 150, 40)).any()
    assert not close_to(with_group, (86, 180, 233)).any()
    assert close_to(without, (86, 180, 233)).any()
    assert not close_to(without, (255, 150, 40)).any()


def test_unmarked_crop_equals_marked_crop_away_from_the_marks() -> None:
    picture = fake_result(groups=[ring(300, 90)]).overlay()
    marks = close_to(picture, (255, 150, 40))
    cols = np.flatnonzero(marks[:, 800:].any(axis=0)) + 800
    rows = np.flatnonzero(marks[:, 800:].any(axis=1))
    rows = rows[rows < 600]
    centre = (rows.min() + rows.max()) // 2, (cols.min() + cols.max()) // 2
    half = 100
    window = np.s_[centre[0] - half : centre[0] + half, centre[1] - half : centre[1] + half]
    marked = picture[window]
    grey = np.ptp(marked, axis=2) == 0
    plain = [
        picture[window[0], left : left + 2 * half]
        for left in range(795, centre[1] - half - 150)
        if (picture[window[0], left : left + 2 * half][grey] == marked[grey]).all()
    ]
    assert len(plain) == 1
    assert not coloured(plain[0]).any()


def test_best_groups_are_magnified_and_the_rest_counted() -> None:
    groups = [ring(60 + 60 * index, 60, radius=10) for index in range(MOST_PANELS + 2)]
    many = fake_result(groups=groups).overlay()
    fewer = fake_result(groups=groups[:MOST_PANELS]).overlay()
    assert many.shape == fewer.shape
    lower_right = np.s_[-24:, 1200:]
    assert coloured(many[lower_right]).any()
    assert not coloured(fewer[lower_right]).any()


def test_groups_of_benign_kinds_are_magnified_last() -> None:
    groups = [ring(60 + 60 * index, 60, radius=10) for index in range(MOST_PANELS + 2)]
    result = fake_result(groups=groups)
    plain = result.overlay()
    result.clusters.loc[:3, "benign_kind"] = "vascular"
    others_first = result.overlay()
    assert not np.array_equal(plain, others_first)
    seen = _first_to_see(result.clusters)["cluster_id"].head(MOST_PANELS)
    assert list(seen) == [5, 6, 7, 8, 1, 2]


@pytest.mark.parametrize("spacing", [(0.05, 0.1), (0.1, 0.05), (0.03, 0.03), (0.2, 0.2)])
def test_a_crop_shows_the_place_asked_for_at_its_true_size(spacing: tuple[float, float]) -> None:
    pixels = np.zeros((400, 300), np.float32)
    pixels[200:208, 150:158] = 1000.0
    image = Mammogram(pixels, PixelSpacing(*spacing))
    size, side_mm = 301, 5.0
    crop = take_crop(image, (203.5, 153.5), side_mm, size)
    rows, cols = np.nonzero(crop > 127)
    assert rows.mean() == pytest.approx(150, abs=0.6)
    assert cols.mean() == pytest.approx(150, abs=0.6)
    per_mm = size / side_mm
    assert np.ptp(rows) + 1 == pytest.approx(8 * spacing[0] * per_mm, abs=3)
    assert np.ptp(cols) + 1 == pytest.approx(8 * spacing[1] * per_mm, abs=3)


def test_anisotropic_pixels_are_shown_in_true_proportion() -> None:
    image = Mammogram(np.ones((400, 400), np.float32), PixelSpacing(0.1, 0.05))
    picture = fake_result(image).overlay()
    body = picture[40:-62]
    inside = (body != picture[0, 0]).any(axis=2)
    height, width = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    assert height / width == pytest.approx(2.0, rel=0.02)


def test_constant_and_padded_images_can_be_drawn() -> None:
    flat = Mammogram(np.zeros((50, 40), np.float32), PixelSpacing(0.1, 0.1))
    hollow = Mammogram(
        np.zeros((50, 40), np.float32), PixelSpacing(0.1, 0.1), valid=np.zeros((50, 40), dtype=bool)
    )
    for image in (flat, hollow):
        fake_result(image, groups=[ring(20, 20, radius=4)]).overlay()


def test_padding_is_black() -> None:
    valid = np.ones((100, 80), dtype=bool)
    valid[:, 40:] = False
    image = Mammogram(np.full((100, 80), 7, np.float32), PixelSpacing(0.1, 0.1), valid=valid)
    image.pixels[:50] = 9
    assert shrink(image, (50, 40))[:, 20:].max() == 0
    assert take_crop(image, (50, 70), 3.0, 30).max() == 0
    for far in ((-500.0, 50.0), (50.0, 1e6), (-1e9, -1e9)):
        assert take_crop(image, far, 3.0, 30).shape == (30, 30)
        assert take_crop(image, far, 3.0, 30).max() == 0


def test_the_window_of_the_image_is_used() -> None:
    image = fake_image()
    windowed = Mammogram(image.pixels, image.spacing, display_window=(0.0, 1000.0))
    grey = shrink(windowed, (600, 400))
    assert int(grey[300, 100]) == pytest.approx(128, abs=8)
    useless = Mammogram(image.pixels, image.spacing, display_window=(1e6, 2e6))
    assert np.ptp(shrink(useless, (600, 400))) > 100


def test_linear_raw_images_are_shown_on_a_logarithmic_scale() -> None:
    attenuation = np.tile(np.linspace(0, 4, 200, dtype=np.float32), (200, 1))
    signal = 10000.0 * np.exp(-attenuation)
    raw = Mammogram(
        (20000.0 - signal).astype(np.float32), PixelSpacing(0.1, 0.1), zero_exposure_level=20000.0
    )
    grey = shrink(raw, (200, 200))[100].astype(float)
    inner = grey[(grey > 5) & (grey < 250)]
    steps = np.diff(inner)
    assert inner.size > 80
    assert steps.std() < 0.6
    crop = take_crop(raw, (100, 100), 10.0, 100)[50].astype(float)
    middle = crop[10:-10]
    assert np.corrcoef(middle, np.arange(middle.size))[0, 1] > 0.999


def test_too_narrow_pictures_are_refused() -> None:
    result = fake_result()
    with pytest.raises(ValueError, match="width_px"):
        draw_overlay(result.mammogram, result.calcifications, result.clusters, width_px=100)


def test_png_round_trip(tmp_path: Path) -> None:
    picture = fake_result(groups=[ring(300, 90)]).overlay()
    write_png(tmp_path / "a.png", picture)
    back = cv2.cvtColor(cv2.imread(str(tmp_path / "a.png")), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(back, picture)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_scale_bars_have_round_lengths() -> None:
    assert [drawing.round_length_mm(x) for x in (0.9, 1.0, 3.3, 7.0, 19.9, 20.0, 99.0)] == [
        pytest.approx(x) for x in (0.5, 1, 2, 5, 10, 20, 50)
    ]


def test_long_names_are_shortened_in_the_middle() -> None:
    words = "folder/" * 30 + "name.dcm"
    short = drawing.fit_text(words, 300)
    assert short.startswith("folder")
    assert short.endswith("name.dcm")
    assert drawing.text_width(short) <= 300


def written(words: str, **style: object) -> Picture:
    """Return words on black, base line at row 30, from column 10 on."""
    paper = np.zeros((50, 400, 3), np.uint8)
    drawing.text(paper, words, 30, 10, (255, 255, 255), **style)  # type: ignore[arg-type]
    return paper


def test_letters_stand_on_the_base_line_and_have_the_height_asked_for() -> None:
    for height in (9, 12, 20):
        rows, cols = np.nonzero(written("HHH", height=height)[..., 0] > 100)
        assert rows.max() == 29
        assert np.ptp(rows) + 1 == pytest.approx(height, abs=1)
        width = drawing.text_width("HHH", height=height)
        assert cols.min() >= 10
        assert 10 + 0.8 * width < cols.max() < 10 + width
    assert (written("H", bold=True) > 100).sum() > 1.3 * (written("H") > 100).sum()


@pytest.mark.parametrize("pair", ["éÉeE", "üÜuU", "łŁlL", "ñÑnN", "çÇcC", "øØoO"])
def test_names_in_latin_letters_are_drawn_as_they_are(pair: str) -> None:
    assert drawing.readable(pair) == pair
    for accented, plain in zip(pair[:2], pair[2:], strict=True):
        assert not np.array_equal(written(accented), written(plain))
        assert not np.array_equal(written(accented), written("?"))


def test_what_the_font_lacks_is_written_as_an_escape() -> None:
    assert drawing.readable("Müller Żółć Ελένη Груди 5 µm ± 1°") == "Müller Żółć Ελένη Груди 5 µm ± 1°"
    assert drawing.readable("胸.dcm") == "\\u80f8.dcm"
    assert drawing.readable("a\nb\x1b[0m\u202e") == "a\\nb\\x1b[0m\\u202e"
    assert drawing.readable(b"\xff.dcm".decode("utf-8", "surrogateescape")) == "\\udcff.dcm"
    np.testing.assert_array_equal(written("胸"), written("\\u80f8"))
    assert drawing.text_width("胸") == drawing.text_width("\\u80f8")


@pytest.mark.parametrize(("row", "col"), [(5, 10), (30, -40), (30, 390), (55, 10), (-20, 0), (30, 500)])
def test_words_may_reach_beyond_the_picture(row: int, col: int) -> None:
    whole, part = np.zeros((250, 1200, 3), np.uint8), np.zeros((50, 400, 3), np.uint8)
    drawing.text(whole, "Müller gj", row + 100, col + 400, (9, 99, 255))
    drawing.text(part, "Müller gj", row, col, (9, 99, 255))
    np.testing.assert_array_equal(part, whole[100:150, 400:800])


@given(st.text(max_size=30))
@settings(max_examples=60)
def test_any_words_can_be_drawn(words: str) -> None:
    picture = written(words)
    assert picture[:, : 10 - 3].max() == 0
    assert drawing.readable(drawing.readable(words)) == drawing.readable(words)


def test_the_font_comes_with_its_licence() -> None:
    folder = Path(drawing.__file__).parent / "fonts"
    assert (folder / "DejaVuSans.ttf").is_file()
    assert "Bitstream Vera Fonts Copyright" in (folder / "LICENSE_DEJAVU").read_text(encoding="utf-8")


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=20))
@settings(max_examples=40)
def test_picture_names_are_flat_portable_and_unique(files: list[str]) -> None:
    names = overlay_names(files)
    assert len({name.casefold() for name in names}) == len(files)
    for name in names:
        assert name.endswith(".png")
        assert len(name) < 150
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
        assert not name.startswith(".")


def test_picture_names_are_readable_and_stay_in_their_folder() -> None:
    names = overlay_names(["a/IM1.dcm", "../../etc/passwd", "b.png", "b.dcm", "B.dcm", "CON"])
    assert names[0] == "a__IM1.png"
    assert all("/" not in name and not name.startswith("..") for name in names)
    assert names[2].startswith("b-")
    assert names[3].startswith("b-")
    assert names[5] == "_CON.png"
