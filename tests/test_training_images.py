"""The images that the individual score is fitted on: films relit as digital images, displays."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.common import backgrounds, displays
from benchmarks.fit import real_spots, relit, spot_model, training_spots


def film_like(rng: np.random.Generator, mm: float = 0.07) -> np.ndarray:
    """Smooth tissue with grain that is not white, and dust."""
    import cv2

    shape = (600, 500)
    tissue = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 1.5 / mm)
    middle = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 0.25 / mm)
    grain = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), 1.2)
    parts = ((1500.0, tissue), (300.0, middle), (250.0, grain))
    pixels = 30000.0 + sum(height * part / part.std() for height, part in parts)
    pixels[:, :120] = 500.0
    for row, col in rng.integers((20, 160), (580, 480), (60, 2)):
        pixels[row : row + 2, col : col + 2] += 12000.0
    return np.rint(pixels).astype(np.float32)


def autocorrelation(image: np.ndarray) -> float:
    """Correlation of neighbours in what is finer than 3 pixels."""
    import cv2

    fine = image - cv2.GaussianBlur(image, (0, 0), 3.0)
    part = fine[50:-50, 200:-50]
    part = np.clip(part - np.median(part), *np.percentile(part, [1, 99]))
    return float((part[:, 1:] * part[:, :-1]).mean() / (part**2).mean())


def test_a_relit_film_has_no_dust_and_nearly_white_noise() -> None:
    rng = np.random.default_rng(0)
    film = backgrounds.Background("a", "p", "film", film_like(rng), 0.07, (0.0, 65535.0), 1.0)
    new = relit.relit(film, np.random.default_rng(5))
    assert (new.kind, new.name, new.patient) == ("digital", "a relit", "p")
    assert new.pixels.shape == film.pixels.shape
    inside = np.s_[50:-50, 200:-50]
    assert film.pixels[inside].max() > 40000.0 > new.pixels[inside].max()
    assert autocorrelation(new.pixels) < autocorrelation(film.pixels) - 0.1
    # The tissue stays where it is.
    coarse = [relit._band(image.pixels, 1.0, 0.07)[inside].ravel() for image in (film, new)]
    assert np.corrcoef(coarse)[0, 1] > 0.9


def test_multi_scale_enhancement_makes_no_speckle_of_dark_noise() -> None:
    rng = np.random.default_rng(0)
    share = np.full((400, 400), 0.5, np.float32)
    share[:, :200] = np.abs(rng.normal(0.004, 0.002, (400, 200)))
    out = displays.flattened(0.6, 1.2, 1.5)(share, 0.1)
    air = out[50:-50, 20:100]
    assert np.abs(np.diff(air, axis=1)).max() < 0.06  # a step would make speckles of 0.3
    assert out[:, 300:].mean() > 0.3


def test_multi_scale_enhancement_shows_no_halo_beside_the_skin_line() -> None:
    share = np.zeros((400, 400), np.float32)
    share[:, 200:] = 0.5
    out = displays.flattened(0.6, 1.2, 1.5)(share, 0.1)
    assert out[:, :165].max() < 0.001  # from 3.5 mm beside the skin line on


def test_noise_makes_no_tissue_darker_than_air() -> None:
    rng = np.random.default_rng(0)
    share = np.zeros((200, 200), np.float32)
    share[:, 100:] = rng.normal(0.05, 0.02, (200, 100)).clip(0.001)
    breast = share > 0
    noisy = displays.noisier(3.0)(share, 0.1, breast, rng)
    assert noisy.min() == 0.0
    assert noisy[breast].std() > 1.5 * share[breast].std()


def test_no_spot_on_a_long_calcification_is_a_false_one() -> None:
    truth = pd.DataFrame(
        {
            "row_px": [100.0, 300.0],
            "col_px": [100.0, 300.0],
            "diameter_mm": 1.0,
            "elongation": [4.0, 1.5],
            "orientation": np.pi / 2,
            "snr": 20.0,
            "group_id": 0,
        }
    )
    rows = np.array([100.0, 109.0, 91.0, 100.0, 300.0, 309.0, 118.0])
    cols = np.array([101.0, 100.0, 100.0, 109.0, 300.0, 300.0, 100.0])
    spots = SimpleNamespace(row_px=rows, col_px=cols, snr=np.linspace(30.0, 10.0, rows.size))
    found = SimpleNamespace(spots=spots, features=np.zeros((rows.size, 1)), area_cm2=1.0)
    labelled = training_spots.label_spots(found, truth, 0.1)
    # the body; its ends along the rows; beside it; the round one; beside that; beyond the end
    assert labelled.label.tolist() == [1, -1, -1, 0, 1, 0, 0]
    assert labelled.truth["spot"].tolist() == [0, 4]


def test_some_random_displays_are_lossy(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    monkeypatch.setattr(displays, "lossy", lambda quality: kept.append(quality) or displays.curve(1.0))
    rng = np.random.default_rng(3)
    share = np.linspace(0.0, 1.0, 400, dtype=np.float32).reshape(20, 20)
    assert all(np.isfinite(displays.random_display(rng)(share, 0.1)).all() for _ in range(300))
    assert 0.25 < len(kept) / 300 < 0.42
    assert 75 <= min(kept) < 78
    assert 93 < max(kept) <= 95


def test_of_the_spots_on_a_readers_mark_the_strongest_is_the_calcification() -> None:
    points = pd.DataFrame(
        {"row_px": [100.0, 300.0], "col_px": 100.0, "width_px": [0.0, 30.0], "height_px": 0.0}
    )
    rows = np.array([103.0, 100.0, 109.0, 112.0, 316.0, 321.0])
    cols = np.full(rows.size, 100.0)
    spots = SimpleNamespace(row_px=rows, col_px=cols, snr=np.array([9.0, 5.0, 8.0, 8.0, 4.0, 8.0]))
    found = SimpleNamespace(spots=spots, features=np.zeros((rows.size, 1)), area_cm2=1.0)
    labelled = real_spots.label_marked(found, points, 0.1)
    # the stronger of two on a point; the other; beside it; away; on the outline; beside that
    assert labelled.label.tolist() == [1, -1, -1, 0, 1, -1]
    assert labelled.truth["spot"].tolist() == [0, 4]


def test_all_images_of_a_woman_are_in_one_fold_of_the_insertions() -> None:
    nothing = np.zeros((1, 1), np.float32)

    def background(name: str, patient: str, kind: str, spacing_mm: float = 0.1) -> backgrounds.Background:
        return backgrounds.Background(name, patient, kind, nothing, spacing_mm, (0.0, 0.0), 1.0)

    women = [background(f"{w}-{k}", w, real_spots.KIND) for w in "abcdefgh" for k in range(2)]
    films = [background(f"film {p}", p, "film") for p in ("p", "q")]
    fold = spot_model.folds_of([(b, None) for b in [*women, *films]])
    assert fold[-2:].tolist() == [0, 1]
    assert (fold[:-2:2] == fold[1:-2:2]).all()
    assert set(fold[:-2]) == {0, 1}
