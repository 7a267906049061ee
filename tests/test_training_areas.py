"""Areas within folds and at equal numbers, against plain twins; noise of uneven patients gives half."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from mcdetect.training.areas import PairCount, fold_curve, group_pairs, unit_pairs
from mcdetect.training.weights import balanced_weights, plain_weights, shuffled_labels


def drawn(seed: int, *, ties: bool = False, patients: int = 7) -> tuple[np.ndarray, ...]:
    """Return scores, labels, patients and folds of few patients, some of whom have both labels."""
    rng = np.random.default_rng(seed)
    patient = np.sort(np.append(np.arange(patients), rng.integers(0, patients, 9)))
    label = rng.integers(0, 2, patient.size)
    label[patient == 0], label[patient == 1] = 1, 0
    score = rng.normal(size=patient.size)
    return np.round(score) if ties else score, label, patient, (patient % 2) * rng.integers(0, 2)


def win(a: float, b: float) -> float:
    return 1.0 if a > b else 0.5 if a == b else 0.0


def plain_pairs(score: np.ndarray, label: np.ndarray, patient: np.ndarray, fold: np.ndarray) -> dict:
    """Return how much each pair of patients is won, by loops."""
    out = {}
    for p, q in itertools.product(np.unique(patient), repeat=2):
        above, below = ((patient == p) & (label == 1)), ((patient == q) & (label == 0))
        if above.any() and below.any() and fold[above][0] == fold[below][0]:
            out[p, q] = np.mean([[win(a, b) for b in score[below]] for a in score[above]])
    return out


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25)
def test_group_pairs_twin(seed: int, ties: bool) -> None:
    score, label, patient, fold = drawn(seed, ties=ties)
    plain = plain_pairs(score, label, patient, fold)
    found = group_pairs(score, label, patient, fold)
    assert found.won == pytest.approx(sum(plain.values()))
    assert found.pairs == len(plain)
    for one in np.unique(patient):
        taking = {pair: won for pair, won in plain.items() if one in pair}
        assert found.won_of[one] == pytest.approx(sum(taking.values()))
        assert found.pairs_of[one] == len(taking)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25)
def test_unit_pairs_twin(seed: int, ties: bool) -> None:
    """All draws of equally many groups are tried."""
    score, _, patient, fold = drawn(seed, ties=ties, patients=5)
    label = (patient % 3 == 0).astype(np.int64)
    unit = 10 * patient + np.random.default_rng(seed).integers(0, 2, patient.size)
    won: dict[tuple[int, int], list[float]] = {}
    for u, v in itertools.product(np.unique(unit), repeat=2):
        above, below = score[unit == u], score[unit == v]
        p, q = patient[unit == u][0], patient[unit == v][0]
        if label[unit == u][0] == 1 and label[unit == v][0] == 0 and fold[unit == u][0] == fold[unit == v][0]:
            k = min(above.size, below.size)
            draws = itertools.product(itertools.combinations(above, k), itertools.combinations(below, k))
            won.setdefault((p, q), []).append(float(np.mean([win(max(a), max(b)) for a, b in draws])))
    found = unit_pairs(score, label, patient, unit, fold)
    assert found.won == pytest.approx(sum(np.mean(values) for values in won.values()))
    assert found.pairs == len(won)


def test_a_positive_group_makes_its_unit_positive() -> None:
    score, label, patient = np.array([2.0, 1.0, 0.0]), np.array([0, 1, 0]), np.array([0, 0, 1])
    assert unit_pairs(score, label, patient, patient, np.zeros(3, np.int64)).area == 1.0
    assert group_pairs(score, label, patient, np.zeros(3, np.int64)).area == 0.5  # one of 2 patients' pairs


def test_one_group_each_gives_the_usual_area() -> None:
    rng = np.random.default_rng(0)
    label, patient = rng.integers(0, 2, 80), np.arange(80)
    score, fold = rng.normal(size=80) + label, np.zeros(80, np.int64)
    for found in (group_pairs(score, label, patient, fold), unit_pairs(score, label, patient, patient, fold)):
        assert found.area == pytest.approx(roc_auc_score(label, score))


def test_no_patient_dominates() -> None:
    """A patient with a hundred groups counts as one."""
    score = np.concatenate([[1.0], np.full(100, 2.0), [0.0, 0.5, 0.7]])
    label = np.array([1] + [0] * 103)
    patient = np.array([0] + [1] * 100 + [2, 3, 4])
    assert group_pairs(score, label, patient, np.zeros(104, np.int64)).area == 0.75


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0])
def test_noise_of_uneven_units_gives_half(alike: float) -> None:
    """The highest of many groups is higher; compared at equal numbers it is not, however alike they are."""
    rng = np.random.default_rng(1)
    sizes = np.repeat([20, 1], [6, 14])
    patient = np.repeat(np.arange(20), sizes)
    label, fold = (patient < 6).astype(np.int64), np.zeros(patient.size, np.int64)
    raw, fair = [], []
    for _ in range(300):
        score = alike**0.5 * rng.normal(size=20)[patient] + (1 - alike) ** 0.5 * rng.normal(size=patient.size)
        top = np.full(20, -np.inf)
        np.maximum.at(top, patient, score)
        raw.append(roc_auc_score(np.arange(20) < 6, top))
        fair.append(unit_pairs(score, label, patient, patient, fold).area)
    assert np.mean(fair) == pytest.approx(0.5, abs=4 * np.std(fair) / 300**0.5)
    assert np.mean(raw) > (0.7 if alike < 1 else 0.45)


def test_the_curve_has_the_area_of_the_pairs() -> None:
    grid = np.linspace(0, 1, 20_001)
    for seed in range(5):
        given_ = drawn(seed, ties=seed % 2 == 0, patients=9)
        assert np.trapezoid(fold_curve(*given_, grid), grid) == pytest.approx(
            group_pairs(*given_).area, abs=1e-3
        )
    rng = np.random.default_rng(0)
    label, score = np.arange(50) % 2, rng.normal(size=50)
    x, y, _ = roc_curve(label, score)
    found = fold_curve(score, label, np.arange(50), np.zeros(50, np.int64), np.array([0.2, 0.61, 1.0]))
    assert found == pytest.approx([y[x <= at + 1e-9].max() for at in (0.2, 0.61, 1.0)])
    assert np.isnan(fold_curve(score, label, np.arange(50), label, grid)).all()


def test_partitions_add_up() -> None:
    score, label, patient, fold = drawn(3)
    one, other = group_pairs(score, label, patient, fold), group_pairs(score, label, patient, 0 * fold)
    both = one + other
    assert (both.won, both.pairs) == (one.won + other.won, one.pairs + other.pairs)
    assert np.array_equal(both.pairs_of, one.pairs_of + other.pairs_of)
    assert np.array_equal(both.won_of, one.won_of + other.won_of)


# ------------------------------------------------------------------------------------------ intervals


def test_interval_twin() -> None:
    """With one group each it is DeLong's variance, by the jackknife, on log-odds with Student's t."""
    from scipy.stats import t

    rng = np.random.default_rng(2)
    label, patient = (np.arange(60) < 8).astype(np.int64), np.arange(60)
    score = rng.normal(size=60) + label
    won = np.array([[win(a, b) for b in score[label == 0]] for a in score[label == 1]])
    parts = [won.mean(axis=1).var(ddof=1) / 8, won.mean(axis=0).var(ddof=1) / 52]
    area = won.mean()
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / 7 + parts[1] ** 2 / 51)
    half = t.ppf(0.975, freedom) * sum(parts) ** 0.5 / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    found = group_pairs(score, label, patient, np.zeros(60, np.int64))
    assert found.interval(0.95) == pytest.approx(tuple(expected), rel=1e-9)
    assert found.interval(0.95, 0.01) == found.interval(0.95)
    wider = found.interval(0.95, 0.3)
    assert wider[0] < expected[0] < expected[1] < wider[1]


def test_intervals_that_do_not_exist() -> None:
    score, fold = np.arange(4.0), np.zeros(4, np.int64)
    lone = group_pairs(score, np.array([1, 0, 0, 0]), np.arange(4), fold)
    assert np.isnan(lone.interval(0.95)).all()  # without the only positive one nothing is left
    nobody = group_pairs(score, np.zeros(4, np.int64), np.arange(4), fold)
    assert np.isnan(nobody.area)
    assert np.isnan(nobody.interval(0.95)).all()
    perfect = group_pairs(score, np.array([0, 0, 1, 1]), np.arange(4), fold)
    assert perfect.interval(0.95) == (1.0, 1.0)
    low, high = perfect.interval(0.95, 0.1)
    assert 0.4 < low < 0.75
    assert high == 1.0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Six positive patients of fifty: 95 % of the intervals hold the true area, 0.76."""
    rng = np.random.default_rng(3)
    label, patient = (np.arange(50) < 6).astype(np.int64), np.arange(50)
    held = 0
    for _ in range(400):
        low, high = group_pairs(rng.normal(size=50) + label, label, patient, 0 * patient).interval(0.95)
        held += low < 0.7602 < high
    assert 0.93 < held / 400 < 0.99


# ------------------------------------------------------------------------------------------ weights


def test_weights() -> None:
    label, patient = np.array([1, 1, 0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1, 2])
    assert plain_weights(patient) == pytest.approx([1 / 3] * 6 + [1])
    found = balanced_weights(label, patient)
    assert found[label == 1].sum() == pytest.approx(found[label == 0].sum())
    assert found.sum() == pytest.approx(4 * 2 * 2 / 4)
    assert found == pytest.approx([0.5, 0.5, 1, 1 / 3, 1 / 3, 1 / 3, 1])
    more = balanced_weights(np.array([1, 0, 0, 0]), np.arange(4))
    assert more == pytest.approx([1.5, 0.5, 0.5, 0.5])


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_shuffled_labels_keep_patients(seed: int) -> None:
    _, label, patient, _ = drawn(seed)
    found = shuffled_labels(label, patient, seed)

    def kinds(of: np.ndarray) -> list[int]:
        return sorted(int(of[patient == p].max()) for p in np.unique(patient))

    assert kinds(found) == kinds(label)
    assert set(found) <= {0, 1}
    whole = (patient % 2).astype(np.int64)  # every patient of one kind: so they stay
    found = shuffled_labels(whole, patient, seed)
    assert all(np.unique(found[patient == p]).size == 1 for p in np.unique(patient))


def test_labels_are_really_shuffled() -> None:
    patient = np.repeat(np.arange(40), 3)
    label = (patient < 10).astype(np.int64)
    several = [shuffled_labels(label, patient, seed)[::3] for seed in range(200)]
    assert np.mean(several, axis=0) == pytest.approx(np.full(40, 0.25), abs=0.13)
    mixed = np.tile([1, 0, 0], 40)
    again = shuffled_labels(mixed, patient, 0).reshape(40, 3)
    assert again.sum(axis=1).tolist() == [1] * 40
    assert again.sum(axis=0).min() > 5


def test_pairs_are_data() -> None:
    none = PairCount(0.0, 0.0, np.zeros(1), np.zeros(1), np.zeros(1, np.bool_))
    assert np.isnan(none.area)
