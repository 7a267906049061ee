"""Training: known AUC, no leak between patients, nothing learned from shuffled labels, true probabilities."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from scipy.stats import spearmanr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from training_examples import LINEAR, TREES, examples, rows_of

from mcdetect.training import Examples, TrainingError, save, train
from mcdetect.training.calibration import fit_line, fit_sigmoid
from mcdetect.training.crossval import OutOfFold, choose, cross_validate, folds_of
from mcdetect.training.fitting import Recipe, fit, recipes
from mcdetect.training.learning import Training
from mcdetect.training.measures import figures, measure, reliability_bins
from mcdetect.training.null import GRID, Null, curve
from mcdetect.training.selection import Ranking
from mcdetect.training.weights import balanced_weights

QUICK = {"samples": 100, "stability_samples": 5, "permutations": 4, "repeats": 1}


@pytest.fixture(scope="module")
def linear() -> Training:
    return train(examples(200, 2), candidates=LINEAR[:1], **QUICK)


def test_the_known_auc_is_reached(linear: Training) -> None:
    best = float(ndtr(1.0 * math.sqrt(2 / 2)))  # 0.841
    found = linear.measures["auc"]
    assert abs(found.value - best) < 0.04
    assert found.low < best < found.high
    table = linear.predictions
    areas = [roc_auc_score(part["label"], part["log_odds"]) for _, part in table.groupby("fold")]
    pairs = [part["label"].sum() * (1 - part["label"]).sum() for _, part in table.groupby("fold")]
    assert found.value == pytest.approx(np.average(areas, weights=pairs))  # every patient has two clusters
    assert found.null_low < 0.5 < found.null_high
    assert len(set(linear.null.figures["auc"])) == len(set(map(tuple, linear.null.curves))) == 4
    assert found.p == 1 / 5


def test_curves_have_the_areas(linear: Training) -> None:
    rows, tested_, null = linear.design.rows, linear.out_of_fold, linear.null
    drawn = curve(tested_.log_odds, rows, tested_.fold)
    assert np.trapezoid(drawn, GRID) == pytest.approx(linear.measures["auc"].value, abs=0.02)
    assert np.trapezoid(null.curves, GRID, axis=1) == pytest.approx(null.figures["auc"], abs=0.02)


def test_probabilities_are_true(linear: Training) -> None:
    found = linear.measures
    assert linear.model.calibration is not None
    assert found["calibration_slope"].low < 1.0 < found["calibration_slope"].high
    assert abs(found["calibration_in_the_large"].value) < 0.03
    assert found["brier"].value == pytest.approx(
        brier_score_loss(linear.examples.label, linear.out_of_fold.probability)
    )
    assert found["brier_skill"].value > 0.2


def test_the_informative_features_are_the_stable_ones(linear: Training) -> None:
    table = linear.stability.set_index("feature")
    assert list(table.index[:2]) in (["good_0", "good_1"], ["good_1", "good_0"])
    for name in ("good_0", "good_1"):
        assert table.loc[name, ["selected", "positive", "selected_folds"]].tolist() == [1.0, 1.0, 1.0]
        assert table.loc[name, "weight"] > 0.5
    assert set(linear.model.features) >= {"good_0", "good_1"}
    shares = table["positive"] + table["negative"]
    assert np.allclose(shares, table["selected"])


def test_no_patient_is_in_two_folds(linear: Training) -> None:
    table = linear.predictions
    assert table.groupby("patient_number")["fold"].nunique().max() == 1
    assert table["fold"].nunique() == 5


@given(st.integers(4, 30), st.integers(1, 5), st.integers(2, 6), st.integers(0, 5))
@settings(max_examples=15)
def test_folds_keep_patients_whole(patients: int, most: int, folds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), rng.integers(1, most + 1, patients)).astype(np.int64)
    label = (patient % 2).astype(np.int64)
    fold = folds_of(label, patient, folds, seed)
    assert fold.min() == 0
    for number in range(patients):
        assert np.unique(fold[patient == number]).size == 1
    for number in np.unique(fold):
        assert np.unique(label[fold != number]).size == 2


def test_a_fingerprint_of_the_patient_does_not_help() -> None:
    """Clusters of a patient are alike and labels random: to part them would leak."""
    rng = np.random.default_rng(3)
    n, per, dims = 60, 4, 40
    patient = np.repeat(np.arange(n), per).astype(np.int64)
    values = rng.normal(size=(n, dims))[patient] + 0.01 * rng.normal(size=(n * per, dims))
    label = rng.permutation(np.arange(n) % 2)[patient].astype(np.int64)
    recipe = (Recipe("logistic", 0, 10.0),)
    leaking = cross_validate(recipe, rows_of(values, label), folds=5, inner_folds=2)
    honest = cross_validate(recipe, rows_of(values, label, patient), folds=5, inner_folds=2)
    assert roc_auc_score(label, leaking.log_odds[0]) > 0.9
    assert roc_auc_score(label, honest.log_odds[0]) < 0.65


def test_features_are_selected_inside_the_folds() -> None:
    """Of 400 features of noise, those that fit all labels would seem to predict them."""
    rng = np.random.default_rng(4)
    values, label = rng.normal(size=(60, 400)), (np.arange(60) % 2).astype(np.int64)
    outside = values[:, select(values, label, 8)]
    recipe = (Recipe("logistic", 8, 1.0),)
    areas = [
        figures(cross_validate(recipe, rows, inner_folds=2), rows)["auc"]
        for rows in (rows_of(outside, label), rows_of(values, label))
    ]
    assert areas[0] > 0.8
    assert areas[1] < 0.68


@pytest.mark.parametrize(
    "candidates", [LINEAR[:1], pytest.param(TREES, marks=pytest.mark.slow)], ids=["logistic", "boosting"]
)
def test_shuffled_labels_give_half(candidates: tuple[Recipe, ...]) -> None:
    found = []
    for seed in range(3):
        given_ = examples(150, 2, seed=seed)
        order = np.random.default_rng(seed).permutation(150)
        values = given_.clusters.iloc[:, 2:].to_numpy()
        label = given_.label.reshape(150, 2)[order].ravel()
        rows = rows_of(values, label, given_.patient)
        found.append(figures(cross_validate(candidates, rows, inner_folds=2, seed=seed), rows)["auc"])
    assert abs(np.mean(found) - 0.5) < 0.06, found


def test_a_model_of_noise_says_so(caplog: pytest.LogCaptureFixture) -> None:
    noise = examples(60, 2, informative=0, noise=5, seed=1)
    found = train(noise, candidates=LINEAR[:1], samples=200, stability_samples=0, permutations=20)
    assert any("may tell nothing" in note for note in found.notes)
    assert "may tell nothing" in caplog.text
    if found.chosen.calibration is None:
        assert found.model.calibration is None
        assert any("not calibrated" in note for note in found.notes)


@pytest.mark.parametrize("candidates", [LINEAR[:1], TREES], ids=["logistic", "boosting"])
def test_missing_values_are_handled(candidates: tuple[Recipe, ...]) -> None:
    given_ = examples(100, 2, shift=1.5)
    rng = np.random.default_rng(0)
    table = given_.clusters.copy()
    for name in table.columns[2:]:
        table.loc[rng.random(len(table)) < 0.2, name] = np.nan
    table["noise_0"] = np.nan
    table["noise_1"] = np.inf
    found = train(
        Examples(table, given_.label, given_.patient),
        model=candidates[0].kind,
        candidates=candidates,
        samples=20,
        stability_samples=2,
        permutations=0,
        repeats=1,
    )
    assert found.measures["auc"].value > 0.78
    assert not {"noise_0", "noise_1"} & set(found.features)
    assert any("never vary: noise_0, noise_1" in note for note in found.notes)
    assert np.isfinite(found.model.probability(table)).all()


def test_the_same_seed_gives_the_same_model() -> None:
    first, again = (train(examples(30, 1), candidates=LINEAR[:1], **QUICK) for _ in "12")
    assert again.model.digest == first.model.digest
    pd.testing.assert_frame_equal(again.predictions, first.predictions)
    pd.testing.assert_frame_equal(again.stability, first.stability)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(TrainingError, match="9 patients"):
        train(examples(9, 2))
    same = examples(20, 1)
    with pytest.raises(TrainingError, match="all labels are the same"):
        train(Examples(same.clusters, np.ones(20, np.int64), same.patient))
    lone = np.zeros(20, np.int64)
    lone[0] = 1
    with pytest.raises(TrainingError, match="of 1 patients only"):
        train(Examples(same.clusters, lone, same.patient))
    lone[1] = 1
    with pytest.raises(TrainingError, match="of 2 patients only"):
        train(Examples(same.clusters, lone, same.patient))
    lone[2] = 1
    assert train(Examples(same.clusters, lone, same.patient), **QUICK).settings["folds"] == 3
    with pytest.raises(TrainingError, match="fewer than two patients"):
        folds_of(np.array([1, 0, 0]), np.arange(3), 2, 0)
    with pytest.raises(ValueError, match="no column 'nonsense'"):
        train(same, features=["nonsense"])
    with pytest.raises(ValueError, match="holds text"):
        train(same, features=["file"])
    with pytest.raises(ValueError, match="model must be one of"):
        train(same, model="oracle")
    with pytest.raises(ValueError, match="at least 2"):
        train(same, folds=1)
    with pytest.raises(ValueError, match="repeats must"):
        train(same, repeats=0)
    with pytest.raises(ValueError, match="level must be one of"):
        train(same, level="hospital")
    with pytest.raises(ValueError, match="for logistic models"):
        train(same, level="image", model="boosting")


def test_an_uncalibrated_model_states_no_probability(tmp_path: Path) -> None:
    found = train(examples(60, 1), candidates=LINEAR[:1], calibrate=False, **QUICK)
    assert found.model.columns == ("model_score",)
    assert list(found.model.apply(found.examples.clusters).columns[-1:]) == ["model_score"]
    assert "probability" not in found.predictions
    with pytest.raises(ValueError, match="not calibrated"):
        found.model.probability(found.examples.clusters)
    written = save(found, tmp_path, plots=False)
    assert "calibration_slope" not in (tmp_path / "report.json").read_text()
    assert "is no probability" in (tmp_path / "report.html").read_text()
    assert not any(path.suffix == ".png" for path in written)


# ------------------------------------------------------------------------------------------ the parts


def select(
    values: np.ndarray, label: np.ndarray, count: int, weight: object = None, fixed: tuple[int, ...] = ()
) -> np.ndarray:
    weights = np.ones(label.size) if weight is None else np.asarray(weight)
    return Ranking.of(values, label, weights).take(count, fixed)


def test_separation_is_that_of_areas() -> None:
    rng = np.random.default_rng(0)
    label = (np.arange(60) % 3 == 0).astype(np.int64)
    values = np.round(rng.normal(size=(60, 9)) + np.linspace(-1, 0.6, 9) * label[:, None], 1)
    areas = [abs(roc_auc_score(label, column) - 0.5) for column in values.T]
    found = Ranking.of(values, label, np.ones(60))
    assert found.order.tolist() == np.argsort(-np.array(areas)).tolist()
    times = rng.integers(1, 4, 60)
    rows = np.repeat(np.arange(60), times)
    weighted = Ranking.of(values, label, times.astype(np.float64))
    assert weighted.order.tolist() == Ranking.of(values[rows], label[rows], np.ones(rows.size)).order.tolist()
    ranks = spearmanr(values[rows][:, :2]).statistic
    assert weighted.unit[:, 0] @ weighted.unit[:, 1] == pytest.approx(ranks)


def test_recipes_go_from_simple_to_complex() -> None:
    """The more patients of the rarer class, the more features."""

    def counts(n_features: int, patients: int, **options: Any) -> list[tuple[int, int]]:
        found = recipes("logistic", n_features, patients, **options)
        return list(dict.fromkeys((len(recipe.fixed), recipe.n_features) for recipe in found))

    assert counts(200, 9) == [(0, 2)]
    assert counts(200, 10) == [(0, 3)]
    assert counts(200, 15) == [(0, 4)]
    assert counts(200, 19, fixed=(0, 1, 2)) == [(3, 0)]
    assert counts(200, 19, given=True) == [(0, 0)]
    assert counts(200, 20, fixed=(0, 1)) == [(2, 0), (2, 4)]
    assert counts(200, 40) == [(0, 4), (0, 8)]
    assert counts(10, 50) == [(0, 4), (0, 8), (0, 0)]
    assert counts(10, 49) == [(0, 4), (0, 8)]
    assert counts(3, 20) == [(0, 0)]
    assert all(r.kind == "boosting" for r in recipes("boosting", 10, 5))
    assert [str(r) for r in recipes("logistic", 99, 20, (0, 1))[::2]] == [
        "2 fixed features, C = 0.25",
        "2 fixed features and up to 4 more, C = 0.1",
    ]


def test_selection_takes_no_feature_twice() -> None:
    rng = np.random.default_rng(0)
    label = (np.arange(200) % 2).astype(np.int64)
    good = rng.normal(size=200) + label
    values = np.column_stack([good, np.exp(good), rng.normal(size=200) + 0.5 * label, np.full(200, 3.0)])
    assert select(values, label, 2).tolist() == [0, 2]
    assert select(values, label, 0).tolist() == [0, 1, 2]
    assert select(values, label, 1, fixed=(1,)).tolist() == [1, 2]
    fixed = Recipe("logistic", 0, 1.0, fixed=(3, 1))
    assert fit(fixed, rows_of(values, label)).columns.tolist() == [1, 3]
    assert select(values, label, 1, fixed=(3,)).tolist() == [0, 3]
    assert select(values[:, [0, 3]], label, 1, fixed=(1,)).tolist() == [0, 1]


def test_selection_heeds_weights() -> None:
    """One patient owns most rows; what tells them apart is worth one patient."""
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], [300, 100]).astype(np.int64)
    patient = np.where(np.arange(400) < 250, 0, np.arange(400))
    of_one, of_all = rng.normal(size=(2, 400))
    of_one[patient == 0] -= 2.0
    of_all += 0.8 * label
    values = np.column_stack([of_one, of_all])
    assert select(values, label, 1).tolist() == [0]
    assert select(values, label, 1, balanced_weights(label, patient)).tolist() == [1]


def test_line_twin() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    label = (rng.random(300) < expit(1.7 * x - 0.4)).astype(np.int64)
    plain = LogisticRegression(C=1e12, tol=1e-12, max_iter=1000).fit(x[:, None], label)
    slope, intercept = fit_line(x, label.astype(np.float64))
    assert slope == pytest.approx(plain.coef_[0, 0], rel=1e-5)
    assert intercept == pytest.approx(plain.intercept_[0], abs=1e-5)
    assert np.isnan(fit_line(x, np.ones(300))).all()
    assert np.isnan(fit_line(np.ones(300), label.astype(np.float64))).all()
    assert np.isnan(fit_line(x, (x > 0).astype(np.float64))).all()


def test_calibration_twin() -> None:
    """scikit-learn's calibration of the same unseen log-odds gives the same line."""
    rng = np.random.default_rng(2)
    values, patient = rng.normal(size=(200, 3)), np.arange(200)
    label = (rng.random(200) < expit(values[:, 0])).astype(np.int64)
    fold = folds_of(label, patient, 4, 0)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(4)]
    theirs = CalibratedClassifierCV(LogisticRegression(), method="sigmoid", cv=splits, ensemble=False)
    theirs.fit(values, label)
    unseen = np.empty(200)
    for known, test in splits:
        unseen[test] = LogisticRegression().fit(values[known], label[known]).decision_function(values[test])
    slope, intercept = fit_sigmoid(unseen, label)
    calibrator = theirs.calibrated_classifiers_[0].calibrators[0]
    assert slope == pytest.approx(-calibrator.a_, rel=1e-3)
    assert intercept == pytest.approx(-calibrator.b_, abs=1e-3)


def predicted(score: np.ndarray, probability: np.ndarray, label: np.ndarray, patient: np.ndarray) -> Any:
    """Return predictions as one fold, and the rows they are of."""
    rows = rows_of(score[:, None], label, patient)
    return OutOfFold(np.zeros((1, label.size), np.int64), score[None], probability, (), ()), rows


def test_measures_of_perfect_and_constant_predictions() -> None:
    label, patient = (np.arange(40) % 2).astype(np.int64), np.arange(40)
    given_ = predicted(4.0 * label - 2.0, label.astype(float), label, patient)
    perfect = measure(*given_, samples=20, seed=0)
    none = {"null": None, "null_low": None, "null_high": None, "p": None}
    assert perfect["auc"].as_dict() == {"value": 1.0, "low": 1.0, "high": 1.0} | none
    assert perfect["brier"].value == 0.0
    flat = measure(*predicted(np.zeros(40), np.full(40, 0.5), label, patient), samples=0, seed=0)
    assert flat["auc"].value == 0.5
    assert flat["calibration_slope"].as_dict() == {"value": None, "low": None, "high": None} | none
    assert flat["brier_skill"].value == 0.0
    null = Null({"auc": np.linspace(0.3, 0.7, 41)}, np.zeros((41, 3)))
    beside = measure(*given_, null, samples=20, seed=0)["auc"]
    assert (beside.null, beside.p) == (pytest.approx(0.5), 1 / 42)
    assert (beside.null_low, beside.null_high) == pytest.approx((0.31, 0.69))
    assert 0.5 < beside.low < 0.99
    assert beside.high == 1.0
    half = predicted(np.zeros(40), np.full(40, 0.5), label, patient)
    assert measure(*half, null, samples=0, seed=0)["auc"].p == (1 + 21) / 42


def test_every_patient_weighs_one() -> None:
    """Copies of a cluster add nothing, to figures and intervals, however they are spread over patients."""
    rng = np.random.default_rng(5)
    label = (np.arange(60) % 2).astype(np.int64)
    score = rng.normal(size=60) + label
    once = measure(*predicted(score, expit(score), label, np.arange(60)), samples=400, seed=0)
    rows = np.repeat(np.arange(60), rng.integers(1, 40, 60))
    many = measure(*predicted(score[rows], expit(score)[rows], label[rows], rows), samples=400, seed=0)
    for name, value in once.items():
        assert [many[name].value, many[name].low, many[name].high] == pytest.approx(
            [value.value, value.low, value.high], rel=1e-6
        ), name
    bins = [
        reliability_bins(expit(score)[r], label[r], p)
        for r, p in ((rows, rows), (np.arange(60), np.arange(60)))
    ]
    for name in bins[0]:
        assert bins[0][name] == pytest.approx(bins[1][name]), name


@pytest.mark.parametrize("recipe", [Recipe("logistic", 2, 0.5), Recipe("logistic", 0, 0.5, fixed=(0, 3))])
def test_copies_do_not_change_the_fit(recipe: Recipe) -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(80, 4))
    values[rng.random(values.shape) < 0.1] = np.nan
    label = (rng.random(80) < expit(np.nan_to_num(values[:, 0]))).astype(np.int64)
    rows = np.repeat(np.arange(80), rng.integers(1, 30, 80))
    once = fit(recipe, rows_of(values, label))
    many = fit(recipe, rows_of(values[rows], label[rows], rows))
    assert many.columns.tolist() == once.columns.tolist()
    assert many.log_odds(values) == pytest.approx(once.log_odds(values), abs=1e-6)
    chosen = [
        choose((recipe,), given_, folds=4, seed=1)
        for given_ in (rows_of(values, label), rows_of(values[rows], label[rows], rows))
    ]
    assert chosen[1].losses[recipe] == pytest.approx(chosen[0].losses[recipe])
    assert chosen[1].calibration == pytest.approx(chosen[0].calibration, rel=1e-5)


def test_reliability_bins() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(1000)
    label = (rng.random(1000) < probability).astype(np.int64)
    bins = reliability_bins(probability, label)
    assert bins["n"].tolist() == [100.0] * 10
    assert np.abs(bins["predicted"] - bins["observed"]).max() < 0.12
    assert np.all((bins["low"] <= bins["observed"]) & (bins["observed"] <= bins["high"]))
    assert reliability_bins(probability[:4], label[:4])["n"].tolist() == [4.0]


def test_partitions_are_averaged() -> None:
    rows = rows_of(np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2)
    several = cross_validate(LINEAR[:1], rows, repeats=3, inner_folds=2)
    assert several.fold.shape == several.log_odds.shape == (3, 60)
    assert not np.array_equal(several.fold[0], several.fold[1])
    first = cross_validate(LINEAR[:1], rows, repeats=1, inner_folds=2)
    assert np.array_equal(first.log_odds[0], several.log_odds[0])
    assert len(several.fitted) == 15
    alone = [cross_validate(LINEAR[:1], rows, inner_folds=2, seed=1000 * turn) for turn in range(3)]
    assert several.probability == pytest.approx(np.mean([one.probability for one in alone], axis=0))
    counts = [
        figures(OutOfFold(several.fold[[k]], several.log_odds[[k]], several.probability, (), ()), rows)["auc"]
        for k in range(3)
    ]
    assert figures(several, rows)["auc"] == pytest.approx(np.mean(counts))  # folds of equal size


def test_progress_is_told() -> None:
    steps: list[tuple[int, int]] = []
    train(
        examples(30, 1),
        candidates=LINEAR[:1],
        progress=lambda done, total: steps.append((done, total)),
        **QUICK,
    )
    assert steps == [(k, 10) for k in range(1, 11)] + [(10, 10)]


def test_nothing_that_varies_gives_a_constant() -> None:
    label = np.array([0, 0, 0, 1] * 5, np.int64)
    fitted = fit(Recipe("logistic", 0, 1.0), rows_of(np.ones((20, 3)), label))
    assert expit(fitted.log_odds(np.ones((2, 3)))) == pytest.approx([0.5, 0.5], abs=1e-3)
