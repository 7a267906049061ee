"""Film or digital detector: told by the header, or else by the air."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from mcdetect import Config, Mammogram, detect
from mcdetect.breast import find_breast, is_digital
from mcdetect.breast.air import FAR_MM, MOST_UNEVEN, UNEVEN, air_unevenness
from mcdetect.image.mammogram import Intent
from mcdetect.phantom import draw_mammogram
from mcdetect.spots.score import default_spot_model, digital_score

STEP = (0.5, 0.5)


def breast_beside_air() -> tuple[np.ndarray, np.ndarray]:
    share = np.zeros((120, 200), np.float32)
    mask = np.zeros(share.shape, bool)
    mask[:, :40] = True
    share[mask] = 1.0
    return share, mask


def unevenness(share: np.ndarray, mask: np.ndarray, exposed: np.ndarray | None = None) -> float:
    return air_unevenness(share, mask, np.ones_like(mask) if exposed is None else exposed, STEP)


def test_even_air_has_no_unevenness_at_whatever_grey_level() -> None:
    share, mask = breast_beside_air()
    assert unevenness(share, mask) == 0.0
    share[~mask] = 0.13
    assert unevenness(share, mask) == 0.0


def test_a_label_counts_by_its_area() -> None:
    share, mask = breast_beside_air()
    share[10:20, 150:170] = 1.0
    far = 200 - 40 - round(FAR_MM / STEP[0])
    assert unevenness(share, mask) == pytest.approx(200 / (120 * far), rel=1e-6)


def test_what_lies_near_the_breast_and_what_is_padding_do_not_count() -> None:
    share, mask = breast_beside_air()
    share[:, 40 : 40 + round(FAR_MM / STEP[0])] = 0.4
    assert unevenness(share, mask) == 0.0
    exposed = np.ones_like(mask)
    share[:60, 100:], exposed[:60, 100:] = 0.7, False
    assert unevenness(share, mask, exposed) == 0.0


def test_the_limit_of_another_grey_level() -> None:
    share, mask = breast_beside_air()
    share[:50, 100:] = 0.9 * UNEVEN
    assert unevenness(share, mask) == 0.0
    share[:50, 100:] = -1.1 * UNEVEN
    assert unevenness(share, mask) > 0.2


def test_too_little_air_tells_nothing() -> None:
    share, mask = breast_beside_air()
    mask[:, :185] = True
    assert math.isnan(unevenness(share, mask))
    assert not is_digital(Intent.UNKNOWN, math.nan)


@pytest.mark.parametrize(
    ("intent", "value", "digital"),
    [
        (Intent.UNKNOWN, 0.0, True),
        (Intent.UNKNOWN, 0.99 * MOST_UNEVEN, True),
        (Intent.UNKNOWN, 1.01 * MOST_UNEVEN, False),
        (Intent.FILM, 0.0, False),
        (Intent.FOR_PRESENTATION, 0.5, True),
        (Intent.FOR_PROCESSING, 0.5, True),
    ],
)
def test_the_header_goes_before_the_air(intent: Intent, value: float, digital: bool) -> None:
    assert is_digital(intent, value) is digital


def drawn(*, grain: float) -> Mammogram:
    image = draw_mammogram((900, 700), 0.1, seed=5, label=False).to_mammogram()
    pixels = image.pixels
    noise = np.random.default_rng(1).standard_normal((180, 140)).astype(np.float32)
    coarse = np.kron(noise, np.ones((5, 5), np.float32))
    step = np.float32(grain * (np.percentile(pixels, 95) - pixels.min()))
    return replace(image, pixels=pixels + step * coarse, intent=Intent.UNKNOWN)


def test_the_air_of_a_drawn_digital_image_is_even_and_with_grain_it_is_not() -> None:
    even, grainy = (find_breast(drawn(grain=grain), Config().breast) for grain in (0.0, 0.05))
    assert even.air_unevenness < MOST_UNEVEN < grainy.air_unevenness


@pytest.mark.parametrize(("intent", "digital"), [(Intent.FILM, False), (Intent.FOR_PRESENTATION, True)])
def test_each_image_is_scored_by_the_model_of_its_kind(intent: Intent, digital: bool) -> None:
    image = replace(drawn(grain=0.0), intent=intent)
    model = digital_score() if digital else default_spot_model()
    usual, given = detect(image), detect(image, spot_model=model)
    assert usual.candidates["own_score"].tolist() == given.candidates["own_score"].tolist()
    other = detect(image, spot_model=default_spot_model() if digital else digital_score())
    assert usual.candidates["own_score"].tolist() != other.candidates["own_score"].tolist()
    assert usual.summary().loc[0, "digital"] == digital


def test_the_score_of_digital_images_is_the_mean_of_two_but_for_what_is_hopeless() -> None:
    features = np.random.default_rng(0).normal(2.0, 3.0, (400, len(default_spot_model().features)))
    rows = features.astype(np.float32)
    score = digital_score()
    one, other, both = (model.log_odds(rows) for model in (score.general, score.digital, score))
    assert not np.allclose(one, other)
    hopeless = one <= -8.0
    assert 0 < hopeless.sum() < 400
    np.testing.assert_allclose(both, np.where(hopeless, one, (one + other) / 2.0))
