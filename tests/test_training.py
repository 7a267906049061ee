"""Training: known AUC, no leak between patients, nothing learned from shuffled labels, true probabilities."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, ndtr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from training_examples import LINEAR, TREES, examples

from mcdetect.training import Examples, TrainingError, save, train
from mcdetect.training.calibration import fit_line, fit_sigmoid
from mcdetect.training.crossval import cross_validate, folds_of
from mcdetect.training.fitting import Recipe, fit, recipes, select
from mcdetect.training.learning import Training
from mcdetect.training.measures import auc, measure, reliability_bins, roc_curve, weighted_auc

QUICK = {"samples": 100, "stability_samples": 5}


@pytest.fixture(scope="module")
def linear() -> Training:
    return train(examples(200, 2), candidates=LINEAR[:1], **QUICK)


def test_the_known_auc_is_reached(linear: Training) -> None:
    best = float(ndtr(1.0 * math.sqrt(2 / 2)))  # 0.841
    found = linear.measures["auc"]
    assert abs(found.value - best) < 0.04
    assert found.low < best < found.high
    assert found.value == pytest.approx(roc_auc_score(linear.examples.label, linear.out_of_fold.log_odds))


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
    leaking = cross_validate(recipe, values, label, np.arange(n * per), folds=5, inner_folds=2)
    honest = cross_validate(recipe, values, label, patient, folds=5, inner_folds=2)
    assert auc(leaking.log_odds, label) > 0.9
    assert auc(honest.log_odds, label) < 0.65


def test_features_are_selected_inside_the_folds() -> None:
    """Of 400 features of noise, those that fit all labels would seem to predict them."""
    rng = np.random.default_rng(4)
    values, label = rng.normal(size=(60, 400)), (np.arange(60) % 2).astype(np.int64)
    patient = np.arange(60)
    outside = values[:, select(values, label, 8)]
    recipe = (Recipe("logistic", 8, 1.0),)
    assert auc(cross_validate(recipe, outside, label, patient, inner_folds=2).log_odds, label) > 0.8
    assert auc(cross_validate(recipe, values, label, patient, inner_folds=2).log_odds, label) < 0.68


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
        result = cross_validate(candidates, values, label, given_.patient, inner_folds=2, seed=seed)
        found.append(auc(result.log_odds, label))
    assert abs(np.mean(found) - 0.5) < 0.06, found


def test_a_model_of_noise_says_so(caplog: pytest.LogCaptureFixture) -> None:
    noise = examples(60, 2, informative=0, noise=5, seed=1)
    found = train(noise, candidates=LINEAR[:1], samples=200, stability_samples=0)
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
    )
    assert found.measures["auc"].value > 0.78
    assert not {"noise_0", "noise_1"} & set(found.features)
    assert any("never vary: noise_0, noise_1" in note for note in found.notes)
    assert np.isfinite(found.model.probability(table)).all()


def test_the_same_seed_gives_the_same_model() -> None:
    first, again = (
        train(examples(30, 1), candidates=LINEAR[:1], samples=20, stability_samples=2) for _ in "12"
    )
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
    with pytest.raises(TrainingError, match="fewer than two patients"):
        train(Examples(same.clusters, lone, same.patient))
    with pytest.raises(ValueError, match="no column 'nonsense'"):
        train(same, features=["nonsense"])
    with pytest.raises(ValueError, match="holds text"):
        train(same, features=["file"])
    with pytest.raises(ValueError, match="model must be one of"):
        train(same, model="oracle")
    with pytest.raises(ValueError, match="at least 2"):
        train(same, folds=1)


def test_the_report(linear: Training, tmp_path: Path) -> None:
    written = save(linear, tmp_path / "report")
    names = {path.name for path in written}
    assert names == {
        *("report.md", "report.json", "predictions.csv", "stability.csv"),
        *("roc.png", "reliability.png"),
    }
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert data["measures"]["auc"]["value"] == linear.measures["auc"].value
    assert data["model_sha256"] == linear.model.digest
    assert sum(data["reliability"]["n"]) == 400
    page = (tmp_path / "report" / "report.md").read_text()
    assert f"{linear.measures['auc'].value:.3f}" in page
    assert "`good_0`" in page
    table = pd.read_csv(tmp_path / "report" / "predictions.csv")
    assert roc_auc_score(table["label"], table["log_odds"]) == pytest.approx(
        linear.measures["auc"].value, abs=1e-3
    )
    assert not any("SECRET" in path.read_text() for path in written if path.suffix != ".png")


def test_an_uncalibrated_model_states_no_probability(tmp_path: Path) -> None:
    found = train(examples(60, 1), candidates=LINEAR[:1], calibrate=False, **QUICK)
    assert found.model.columns == ("model_score",)
    assert list(found.model.apply(found.examples.clusters).columns[-1:]) == ["model_score"]
    assert "probability" not in found.predictions
    with pytest.raises(ValueError, match="not calibrated"):
        found.model.probability(found.examples.clusters)
    written = save(found, tmp_path, plots=False)
    assert "calibration_slope" not in (tmp_path / "report.json").read_text()
    assert "is no probability" in (tmp_path / "report.md").read_text()
    assert not any(path.suffix == ".png" for path in written)


# ------------------------------------------------------------------------------------------ the parts


def test_recipes_go_from_simple_to_complex() -> None:
    assert [r.n_features for r in recipes("logistic", 10)] == [4, 4, 8, 8, 0, 0]
    assert all(r.kind == "boosting" for r in recipes("boosting", 10))


def test_selection_takes_no_feature_twice() -> None:
    rng = np.random.default_rng(0)
    label = (np.arange(200) % 2).astype(np.int64)
    good = rng.normal(size=200) + label
    values = np.column_stack([good, np.exp(good), rng.normal(size=200) + 0.5 * label, np.full(200, 3.0)])
    assert select(values, label, 2).tolist() == [0, 2]
    assert select(values, label, 0).tolist() == [0, 1, 2]


@given(st.integers(0, 10_000), st.integers(2, 60), st.booleans())
@settings(max_examples=25)
def test_auc_twin(seed: int, n: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(n) % 2).astype(np.int64)
    score = rng.normal(size=n)
    score = np.round(score) if ties else score
    weight = rng.integers(0, 3, (n, 3)).astype(np.float64)
    found = weighted_auc(score, label, weight)
    for column, value in zip(weight.T, found, strict=True):
        if column[label == 1].sum() > 0 and column[label == 0].sum() > 0:
            assert value == pytest.approx(roc_auc_score(label, score, sample_weight=column))
        else:
            assert np.isnan(value)
    x, y = roc_curve(score, label)
    assert np.trapezoid(y, x) == pytest.approx(roc_auc_score(label, score))


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


def test_measures_of_perfect_and_constant_predictions() -> None:
    label, patient = (np.arange(40) % 2).astype(np.int64), np.arange(40)
    perfect = measure(4.0 * label - 2.0, label.astype(float), label, patient, samples=20, seed=0)
    assert perfect["auc"].as_dict() == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert perfect["brier"].value == 0.0
    flat = measure(np.zeros(40), np.full(40, 0.5), label, patient, samples=0, seed=0)
    assert flat["auc"].value == 0.5
    assert flat["calibration_slope"].as_dict() == {"value": None, "low": None, "high": None}
    assert flat["brier_skill"].value == 0.0


def test_the_interval_is_over_patients() -> None:
    """Copies of a cluster add nothing: the interval stays as wide as with one."""
    rng = np.random.default_rng(5)
    label = (np.arange(60) % 2).astype(np.int64)
    score = rng.normal(size=60) + label
    once = measure(score, expit(score), label, np.arange(60), samples=400, seed=0)["auc"]
    rows = np.repeat(np.arange(60), 9)
    many = measure(score[rows], expit(score)[rows], label[rows], rows, samples=400, seed=0)["auc"]
    assert many.high - many.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_reliability_bins() -> None:
    rng = np.random.default_rng(0)
    probability = rng.random(1000)
    label = (rng.random(1000) < probability).astype(np.int64)
    bins = reliability_bins(probability, label)
    assert bins["n"].sum() == 1000
    assert np.abs(bins["predicted"] - bins["observed"]).max() < 0.12
    assert np.all((bins["low"] <= bins["observed"]) & (bins["observed"] <= bins["high"]))
    assert reliability_bins(probability[:4], label[:4])["n"].tolist() == [4.0]


def test_nothing_that_varies_gives_the_prevalence() -> None:
    label = np.array([0, 0, 0, 1] * 5, np.int64)
    fitted = fit(Recipe("logistic", 0, 1.0), np.ones((20, 3)), label)
    assert expit(fitted.log_odds(np.ones((2, 3)))) == pytest.approx([0.25, 0.25], abs=1e-3)
