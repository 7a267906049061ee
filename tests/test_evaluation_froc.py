"""Free-response curves, partial areas, JAFROC and the bootstrap: hand-worked, and against plain twins."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_tables import images_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from mcdetect.validation.evaluation.bootstrap import difference_p_value, interval, patient_weights
from mcdetect.validation.evaluation.froc import count, found_at, partial_area, rates, thresholds
from mcdetect.validation.evaluation.jafroc import figure_of_merit
from mcdetect.validation.evaluation.tally import Axis, Tally, axes_of

ALL, NORMAL = Axis("all", "image"), Axis("normal", "image")
AREA = Axis("all", "cm2")


def hand() -> Tally:
    """Four images, two of them normal; four lesions, one of them missed; four false marks."""
    return Tally(
        rating=np.array([0.9, 0.6, 0.6, -np.inf]),
        rating_image=np.array([0, 0, 1, 1]),
        false_score=np.array([0.8, 0.6, 0.3, 0.1]),
        false_image=np.array([2, 0, 3, 1]),
        images=images_of(4, normal=[2, 3], area=50.0),
    )


def one_curve(tally: Tally, axes: list[Axis] | None = None) -> object:
    ones = np.ones((tally.images.n_patients, 1))
    return count(tally, ones, thresholds(tally), axes or [ALL, NORMAL, AREA])


def test_a_curve_worked_by_hand() -> None:
    curve = one_curve(hand())
    assert curve.threshold.tolist() == [0.9, 0.8, 0.6, 0.3, 0.1]
    assert (curve.found[:, 0] / curve.lesions).tolist() == [0.25, 0.25, 0.75, 0.75, 0.75]
    assert rates(curve, ALL)[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1.0]
    assert rates(curve, NORMAL)[:, 0].tolist() == [0, 0.5, 0.5, 1.0, 1.0]
    assert rates(curve, AREA)[:, 0].tolist() == [0, 0.005, 0.01, 0.015, 0.02]


def test_sensitivity_at_a_rate_is_had_by_a_threshold() -> None:
    curve = one_curve(hand())
    value, steps = found_at(curve, ALL, np.array([0.1, 0.49, 0.5, np.inf]))
    assert value[:, 0].tolist() == [0.25, 0.25, 0.75, 0.75]
    assert curve.threshold[steps[:, 0] - 1].tolist() == [0.9, 0.8, 0.6, 0.1]
    assert found_at(curve, NORMAL, np.array([0.5]))[0][0, 0] == 0.75


def test_partial_area_worked_by_hand() -> None:
    curve = one_curve(hand())
    # 0.25 from 0 to 0.5 false positives per image, 0.75 from there on, also past the end at 1.
    assert partial_area(curve, ALL, 1.0)[0] == pytest.approx(0.5)
    assert partial_area(curve, ALL, 0.4)[0] == pytest.approx(0.25)
    assert partial_area(curve, ALL, 2.0)[0] == pytest.approx((0.5 * 0.25 + 1.5 * 0.75) / 2)
    assert partial_area(curve, NORMAL, 1.0)[0] == pytest.approx(0.5 * 0.25 + 0.5 * 0.75)


def test_jafroc_worked_by_hand() -> None:
    ones = np.ones((4, 1))
    # Normal images: highest false marks 0.8 and 0.3; lesions 0.9 (2), 0.6 (1), 0.6 (1), missed (0).
    assert figure_of_merit(hand(), ones, "normal")[0] == pytest.approx(4 / 8)
    # All images: 0.6, 0.1, 0.8, 0.3; lesions 4, 2.5, 2.5, 0.
    assert figure_of_merit(hand(), ones, "all")[0] == pytest.approx(9 / 16)


def test_jafroc_of_single_lesions_equals_the_rank_sum() -> None:
    rng = np.random.default_rng(0)
    lesion, false = np.round(rng.normal(1, 1, 40), 1), np.round(rng.normal(0, 1, 30), 1)
    tally = Tally(lesion, np.arange(40), false, np.arange(40, 70), images_of(70, normal=list(range(40, 70))))
    expected = mannwhitneyu(lesion, false).statistic / (40 * 30)
    assert figure_of_merit(tally, np.ones((70, 1)), "normal")[0] == pytest.approx(expected)


def test_unmarked_lesions_and_clean_images_tie() -> None:
    tally = Tally(np.array([-np.inf]), np.array([0]), np.zeros(0), np.zeros(0, int), images_of(2, normal=[1]))
    assert figure_of_merit(tally, np.ones((2, 1)), "normal")[0] == 0.5


def random_tally(seed: int) -> Tally:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 9))
    k, f = int(rng.integers(0, 15)), int(rng.integers(0, 30))
    normal = np.flatnonzero(rng.random(n) < 0.4).tolist()
    diseased = [i for i in range(n) if i not in normal]
    k = k if diseased else 0
    rating = np.where(rng.random(k) < 0.3, -np.inf, np.round(rng.normal(1, 1, k), 1))
    where = rng.choice(diseased, k) if k else np.zeros(0, dtype=np.int64)
    patient = np.sort(rng.integers(0, n, n))
    patient = np.unique(patient, return_inverse=True)[1].tolist()
    images = images_of(n, patient=patient, normal=normal, area=float(rng.uniform(10, 90)))
    return Tally(rating, where, np.round(rng.normal(0, 1, f), 1), rng.integers(0, n, f), images)


def copies(tally: Tally, times: np.ndarray) -> tuple[list[float], list[float], list[float], int, int]:
    """Write every image of a patient down as often as the patient was drawn; plain lists."""
    lesions, false, false_normal, images, normals = [], [], [], 0, 0
    for image in range(len(tally.images.names)):
        for _ in range(int(times[tally.images.patient[image]])):
            images += 1
            normals += int(tally.images.normal[image])
            lesions += tally.rating[tally.rating_image == image].tolist()
            own = tally.false_score[tally.false_image == image].tolist()
            false += own
            false_normal += own if tally.images.normal[image] else []
    return lesions, false, false_normal, images, normals


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), rate=st.floats(0.01, 4))
def test_weighted_curves_equal_curves_of_copied_images(seed: int, rate: float) -> None:
    tally = random_tally(seed)
    weight = patient_weights(tally.images.n_patients, 5, seed)
    curves = count(tally, weight, thresholds(tally), [ALL, NORMAL])
    value = {axis: found_at(curves, axis, np.array([rate]))[0][0] for axis in (ALL, NORMAL)}
    area = partial_area(curves, ALL, rate)
    for b in range(5):
        lesions, false, false_normal, images, normals = copies(tally, weight[:, b])
        for axis, wrong, amount in ((ALL, false, images), (NORMAL, false_normal, normals)):
            best = 0.0
            for score in {*lesions, *false} - {-np.inf}:
                if amount and sum(w >= score for w in wrong) / amount <= rate + 1e-12 and lesions:
                    best = max(best, sum(r >= score for r in lesions) / len(lesions))
            if amount and lesions:
                assert value[axis][b] == pytest.approx(best)
            else:
                assert np.isnan(value[axis][b])
        if lesions:
            fine = np.linspace(0, rate, 4001)[:-1] + rate / 8000
            steps = sorted(
                (sum(w >= s for w in false) / images, sum(r >= s for r in lesions) / len(lesions))
                for s in {*lesions, *false} - {-np.inf}
            )
            xs, ys = [0.0, *(x for x, _ in steps)], [0.0, *(y for _, y in steps)]
            mean = np.array(ys)[np.searchsorted(xs, fine, side="right") - 1].mean()
            assert area[b] == pytest.approx(mean, abs=0.01)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_weighted_jafroc_equals_double_loops(seed: int) -> None:
    tally = random_tally(seed)
    weight = patient_weights(tally.images.n_patients, 4, seed)
    for pool in ("normal", "all"):
        found = figure_of_merit(tally, weight, pool)
        for b in range(4):
            total = pairs = 0.0
            for k, image in enumerate(tally.rating_image):
                for other in range(len(tally.images.names)):
                    if pool == "normal" and not tally.images.normal[other]:
                        continue
                    top = max([-np.inf, *tally.false_score[tally.false_image == other]])
                    both = weight[tally.images.patient[image], b] * weight[tally.images.patient[other], b]
                    pairs += both
                    total += both * (1.0 if tally.rating[k] > top else 0.5 if tally.rating[k] == top else 0.0)
            assert np.isnan(found[b]) if not pairs else found[b] == pytest.approx(total / pairs)


def test_thinned_thresholds_change_little() -> None:
    rng = np.random.default_rng(1)
    images = images_of(200)
    tally = Tally(
        rng.normal(2, 1, 3000),
        rng.integers(0, 200, 3000),
        rng.normal(0, 1, 40000),
        rng.integers(0, 200, 40000),
        images,
    )
    weight = patient_weights(200, 3, 0)
    asked = np.array([0.1, 1.0, 10.0, 100.0])
    full = found_at(count(tally, weight, thresholds(tally), [ALL]), ALL, asked)[0]
    thin_set = thresholds(tally, 4096)
    assert len(thin_set) <= 4096
    thin = found_at(count(tally, weight, thin_set, [ALL]), ALL, asked)[0]
    assert np.abs(full - thin).max() < 0.004
    assert (thin <= full).all()


def test_axes_need_their_denominator() -> None:
    assert axes_of(images_of(2, normal=[1]), ("cm2", "image")) == [
        AREA,
        ALL,
        Axis("normal", "cm2"),
        NORMAL,
    ]
    assert axes_of(images_of(2), ("cm2", "image")) == [AREA, ALL]
    assert axes_of(images_of(2, area=np.nan), ("cm2", "image")) == [ALL]


def test_patients_are_drawn_whole() -> None:
    weight = patient_weights(7, 50, 3)
    assert weight.shape == (7, 50)
    assert (weight.sum(axis=0) == 7).all()
    assert (weight == patient_weights(7, 50, 3)).all()
    assert (weight != patient_weights(7, 50, 4)).any()


def test_images_of_one_patient_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(5)
    rating = np.where(rng.random(100) < 0.6, 1.0, -np.inf)
    none = np.zeros(0), np.zeros(0, dtype=np.int64)
    single = Tally(rating, np.arange(100), *none, images_of(100))
    fourfold = Tally(
        np.repeat(rating, 4), np.arange(400), *none, images_of(400, patient=np.repeat(np.arange(100), 4))
    )
    apart = Tally(np.repeat(rating, 4), np.arange(400), *none, images_of(400))
    width = []
    for tally in (single, fourfold, apart):
        curves = count(tally, patient_weights(tally.images.n_patients, 2000, 0), thresholds(tally), [ALL])
        low, high = interval(found_at(curves, ALL, np.array([1.0]))[0], 0.95)
        width.append(float(high[0] - low[0]))
    p = np.isfinite(rating).mean()
    assert width[0] == width[1]
    assert width[0] == pytest.approx(2 * 1.96 * np.sqrt(p * (1 - p) / 100), rel=0.1)
    assert width[2] == pytest.approx(width[0] / 2, rel=0.1)


def test_intervals_leave_out_samples_without_a_value() -> None:
    samples = np.array([[np.nan, *np.arange(101.0)], [np.nan] * 101 + [3.0]])
    low, high = interval(samples, 0.9)
    assert (low[0], high[0]) == pytest.approx((5.0, 95.0))
    assert np.isnan(low[1])
    assert np.isnan(high[1])
    assert np.isnan(interval(np.zeros((2, 0)), 0.95)[0]).all()


def test_p_value_of_a_difference() -> None:
    assert difference_p_value(np.full(999, 0.1)) == pytest.approx(0.002)
    assert difference_p_value(np.zeros(999)) == 1.0
    assert np.isnan(difference_p_value(np.array([np.nan])))
