"""Labels of images and patients: pooled fits against plain twins, and planted truth is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from training_examples import examples

from mcdetect.models.pooling import Pooled, pool
from mcdetect.training import Examples, read_clusters, read_labels, train
from mcdetect.training.fitting import Recipe, fit
from mcdetect.training.logistic import Pools, fit_groups, fit_pools
from mcdetect.training.null import GRID, curve
from mcdetect.training.rows import Rows
from mcdetect.training.tables import label_units
from mcdetect.validation.evaluation import TableError

QUICK = {"samples": 50, "stability_samples": 2, "permutations": 3, "repeats": 1}


def planted(
    seed: int, images: int = 240, *, odds: float | None = None, shift: float = 2.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return values, label of each group's image, image, and which groups are truly positive.

    In a positive image one group is (then it is far out in the first value), among one to six; with `odds`
    each group is positive by its own chance, and an image when any of its groups is.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 7, images)
    image = np.repeat(np.arange(images), sizes)
    values = rng.normal(size=(image.size, 3))
    if odds is None:
        truth = np.zeros(image.size, np.int64)
        truth[np.cumsum(sizes)[: images // 2] - 1] = 1
        values[truth == 1, 0] += shift
    else:
        truth = (rng.random(image.size) < expit(odds + shift * values[:, 0])).astype(np.int64)
    label = np.zeros(images, np.int64)
    np.maximum.at(label, image, truth)
    return values, label[image], image, truth


def pooled_rows(values: np.ndarray, label: np.ndarray, image: np.ndarray, by: str) -> Rows:
    k = values.shape[1]
    return Rows(values, label, image, np.zeros(k), np.ones(k), image, Pooled("image", by))


# ------------------------------------------------------------------------------------------ the parts


def test_pooling_twin() -> None:
    rng = np.random.default_rng(0)
    unit, x = rng.integers(5, 12, 40), rng.normal(size=40)
    names = np.unique(unit)
    assert pool(x, unit, "max") == pytest.approx([x[unit == u].max() for u in names])
    assert pool(x, unit, "log-sum") == pytest.approx([logsumexp(x[unit == u]) for u in names])
    assert pool(np.array([800.0, -800.0]), np.zeros(2, np.int64), "log-sum").tolist() == [800.0]
    soft, share = Pools.of(unit).soft(x, 3.0)
    assert soft == pytest.approx([logsumexp(3 * x[unit == u]) / 3 for u in names])
    assert np.bincount(Pools.of(unit).index, share) == pytest.approx(np.ones(names.size))


def test_what_does_not_pool_is_refused() -> None:
    for level, by in (("group", "max"), ("image", "none"), ("breast", "max"), ("image", "mean")):
        with pytest.raises(ValueError, match="level must be one of group, image, patient"):
            Pooled(level, by)


def test_fit_of_groups_twin() -> None:
    rng = np.random.default_rng(1)
    values, weight = rng.normal(size=(90, 3)), rng.random(90)
    label = (rng.random(90) < expit(values[:, 0])).astype(np.int64)
    theirs = LogisticRegression(C=0.7, tol=1e-12, solver="newton-cholesky").fit(values, label, weight)
    beta, intercept = fit_groups(values, label, weight, np.zeros(3), np.full(3, 0.7))
    assert beta == pytest.approx(theirs.coef_[0], abs=1e-7)
    assert intercept == pytest.approx(theirs.intercept_[0], abs=1e-7)


def test_the_prior_draws() -> None:
    """The strongest pull gives the prior itself, none gives the data, and each column has its own."""
    rng = np.random.default_rng(1)
    values, prior = rng.normal(size=(200, 3)), np.array([0.5, -1.0, 0.0])
    label = (rng.random(200) < expit(values[:, 1])).astype(np.int64)
    weight = np.ones(200)
    at_prior, intercept = fit_groups(values, label, weight, prior, np.full(3, 1e-9))
    assert at_prior == pytest.approx(prior, abs=1e-6)
    offset = minimize(
        lambda b: np.sum(np.logaddexp(0, values @ prior + b) - label * (values @ prior + b)), 0.0, tol=1e-12
    )
    assert intercept == pytest.approx(offset.x[0], abs=1e-4)
    free, _ = fit_groups(values, label, weight, prior, np.full(3, 1e9))
    assert free == pytest.approx(fit_groups(values, label, weight, 0 * prior, np.full(3, 1e9))[0], abs=1e-5)
    mixed, _ = fit_groups(values, label, weight, prior, np.array([1e-9, 1e9, 1.0]))
    assert mixed[0] == pytest.approx(0.5, abs=1e-6)
    assert mixed[1] > 0.5
    twin = minimize(
        lambda b: float(
            np.sum(np.logaddexp(0, values @ b[:3] + b[3]) - label * (values @ b[:3] + b[3]))
            + 0.5 * np.sum((b[:3] - prior) ** 2) / 0.3
        ),
        np.zeros(4),
        tol=1e-12,
    )
    assert fit_groups(values, label, weight, prior, np.full(3, 0.3))[0] == pytest.approx(twin.x[:3], abs=1e-4)


@pytest.mark.parametrize("by", ["max", "log-sum"])
def test_fit_of_pools_twin(by: str) -> None:
    """The loss that is made small is that of the pooled log-odds, whatever the start."""
    values, of_row, image, _ = planted(3, 60)
    pools = Pools.of(image)
    label, weight = of_row[pools.first], np.linspace(0.5, 1.5, pools.names.size)
    prior, strength = np.array([0.2, 0.0, 0.0]), np.array([0.5, 0.5, 2.0])

    def loss(b: np.ndarray) -> float:
        z = np.array(
            [(logsumexp if by == "log-sum" else np.max)(values[image == u] @ b[:3]) for u in pools.names]
        )
        z = z + b[3]
        fit_ = float(weight @ (np.logaddexp(0, z) - label * z))
        return fit_ + 0.5 * float(np.sum((b[:3] - prior) ** 2 / strength))

    found = fit_pools(values, label, weight, prior, strength, pools, by, (np.zeros(3), 0.0))
    other = minimize(loss, np.append(*found), method="Nelder-Mead", options={"xatol": 1e-6, "maxiter": 2000})
    assert loss(np.append(*found)) < 1.001 * other.fun
    again = fit_pools(values, label, weight, prior, strength, pools, by, (np.array([2.0, 0.5, -0.5]), -1.0))
    assert loss(np.append(*again)) == pytest.approx(loss(np.append(*found)), rel=0.02)


def test_pools_of_one_row_are_groups() -> None:
    values, label, image, _ = planted(4)
    first = np.unique(image, return_index=True)[1]
    one = pooled_rows(values[first], label[first], image[first], "log-sum")
    recipe = Recipe("logistic", 0, 0.5)
    groups = Rows.of_groups(values[first], label[first])
    assert fit(recipe, one).log_odds(values) == pytest.approx(fit(recipe, groups).log_odds(values), abs=1e-3)


# -------------------------------------------------------------------------------------- planted truth


def test_one_positive_group_is_found() -> None:
    """Labels of images teach which group it is: better than taking all groups for positive."""
    values, label, image, truth = planted(0)
    unseen = planted(100)
    recipe = Recipe("logistic", 0, 1.0)
    found = fit(recipe, pooled_rows(values, label, image, "max"))
    naive = fit(recipe, Rows.of_groups(values, label, image))
    areas = [roc_auc_score(unseen[3], model.log_odds(unseen[0])) for model in (found, naive)]
    assert areas[0] > 0.95
    slopes = [model.rule.coefficients / model.rule.scales for model in (found, naive)]  # type: ignore[union-attr]
    assert slopes[0][0] > 2.0 * slopes[1][0]
    assert np.abs(slopes[0][1:]).max() < 0.35 * slopes[0][0]
    best = [values[image == u, 0].argmax() for u in np.unique(image[truth == 1])]
    taken = [found.log_odds(values[image == u]).argmax() for u in np.unique(image[truth == 1])]
    assert np.mean(np.equal(best, taken)) > 0.85


def test_odds_that_add_up_are_recovered() -> None:
    """Each group is positive by its own chance: the log-sum gives back the slope of the groups."""
    values, label, image, _ = planted(1, 1500, odds=-3.0, shift=1.5)
    found = fit(Recipe("logistic", 0, 100.0), pooled_rows(values, label, image, "log-sum")).rule
    slope = found.coefficients / found.scales  # type: ignore[union-attr]
    assert slope == pytest.approx([1.5, 0.0, 0.0], abs=0.25)


@pytest.mark.parametrize(("level", "pooling"), [("image", "max"), ("patient", "log-sum")])
def test_training_on_labels_of_units(level: str, pooling: str) -> None:
    values, label, image, truth = planted(2, 120, shift=3.0)
    table = pd.DataFrame(values, columns=["a", "b", "c"])
    table.insert(0, "cluster_id", np.arange(len(table)))
    table.insert(0, "file", [f"{number}.png" for number in image])
    patient = image if level == "patient" else image // 2  # two images of a patient
    given = Examples(table, label, patient)
    found = train(given, level=level, pooling=pooling, candidates=[Recipe("logistic", 0, 1.0)], **QUICK)
    assert roc_auc_score(truth, found.model.log_odds(table)) > 0.93
    assert found.measures["auc"].value > 0.85
    assert ("auc_patient" in found.measures) == (level == "image")
    assert found.model.pooled == Pooled(level, pooling)
    assert found.model.columns == ("model_score",)
    assert found.out_of_fold.probability.size == 120
    rows = found.design.rows
    scores = found.out_of_fold.log_odds
    drawn = np.trapezoid(curve(scores, rows, found.out_of_fold.fold), GRID)
    folds = [  # by the pooled scores of each
        roc_auc_score(rows.unit_label[part], rows.of_units(scores[0])[part])
        for part in (found.out_of_fold.fold[0][rows.pools.first] == k for k in range(5))
    ]
    assert drawn == pytest.approx(np.mean(folds), abs=0.05)
    of_unit = found.model.of_units(table.assign(patient=patient), "file" if level == "image" else "patient")
    known = pd.Series(label).groupby(table["file"] if level == "image" else patient).first()
    order = of_unit.iloc[:, 0].map(known)
    assert roc_auc_score(order, of_unit["probability"]) > 0.9
    assert found.predictions.groupby("file")["probability"].nunique().max() == 1
    assert (
        0.0 < found.measures["calibration_slope"].low < 1.5 < found.measures["calibration_slope"].high + 1.0
    )


def test_units_shuffle_whole() -> None:
    rows = pooled_rows(*planted(5)[:3], "max")
    other = rows.shuffled(1)
    assert not np.array_equal(other.label, rows.label)
    assert other.unit_label.sum() == rows.unit_label.sum()
    for unit in rows.pools.names:
        assert np.unique(other.label[rows.unit == unit]).size == 1


def test_drawn_twice_is_two_patients() -> None:
    rows = pooled_rows(*planted(5, 4)[:3], "max")
    drawn = rows.again(np.array([2, 0, 1, 3]))
    sizes = np.bincount(rows.patient)
    assert drawn.label.size == 2 * sizes[0] + sizes[2] + 3 * sizes[3]
    assert sorted(np.unique(drawn.unit, return_counts=True)[1]) == sorted(
        [sizes[0]] * 2 + [sizes[2]] + [sizes[3]] * 3
    )
    assert np.array_equal(drawn.unit_patient, drawn.pools.names)
    assert np.array_equal(drawn.values[drawn.unit == drawn.unit[0]], rows.values[rows.unit == 0])


# ------------------------------------------------------------------------------------------ the labels


def test_labels_of_images_and_patients(tmp_path: Path) -> None:
    pd.DataFrame({"file": ["a", "a", "b", "c", "d"], "cluster_id": [1, 2, 1, 1, 1]}).to_csv(
        tmp_path / "clusters.csv", index=False
    )
    rows = pd.DataFrame(
        {"file": ["a", "b", "c", "empty"], "label": [1, 0, 0, 0], "patient": ["p", "p", "q", "q"]}
    )
    path = tmp_path / "labels.csv"
    rows.to_csv(path, index=False)
    tables, labels = read_clusters(tmp_path), read_labels(path)
    found, notes = label_units(tables, labels, "image", path)
    assert found["label"].tolist() == [1, 1, 0, 0]
    assert found["patient"].tolist() == ["p", "p", "p", "q"]
    assert notes == [
        "4 labelled images, 3 with clusters",
        "1 labelled images have no cluster and teach nothing",
    ]
    found, _ = label_units(tables, labels, "patient", path)
    assert found["label"].tolist() == [1, 1, 1, 0]
    later = labels.assign(label=[0, 1, 0, 0])
    assert label_units(tables, later, "patient", path)[0]["label"].tolist() == [1, 1, 1, 0]
    with pytest.raises(TableError, match="has no column 'patient'"):
        label_units(tables, labels.drop(columns="patient"), "patient", path)
    twice = pd.concat([labels, labels.head(1).assign(label=0)])
    with pytest.raises(TableError, match="an image has two labels"):
        label_units(tables, twice, "image", path)
    assert label_units(tables, twice, "patient", path)[0]["label"].tolist() == [1, 1, 1, 0]


def test_images_are_numbered() -> None:
    given = examples(3, 2)
    assert given.image.tolist() == [0, 0, 1, 1, 2, 2]
