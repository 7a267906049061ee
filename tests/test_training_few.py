"""Few patients, as uneven as real ones: which features are offered, noise gives half, effects are learned."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from training_examples import best_score, uneven

from mcdetect.clusters.features import unstable_features
from mcdetect.schema import CLUSTERS
from mcdetect.training import Examples, train
from mcdetect.training.areas import group_pairs, unit_pairs
from mcdetect.training.crossval import cross_validate, folds_of
from mcdetect.training.design import make_design
from mcdetect.training.fitting import recipes
from mcdetect.training.measures import areas


def offered(patients: int, **options: object) -> tuple[str, ...]:
    """Return the features of a table of all columns with so many positive patients."""
    rng = np.random.default_rng(0)
    count = 60 + patients
    columns = {c.name: rng.random(count) for c in CLUSTERS if c.dtype != "str"}
    table = pd.DataFrame({"file": [f"{k}.png" for k in range(count)], **columns})
    label = (np.arange(count) < patients).astype(np.int64)
    return make_design(Examples(table, label, np.arange(count)), **options).names  # type: ignore[arg-type]


def test_few_patients_have_fixed_features() -> None:
    four = ("suspicion", "n_calcifications", "score", "benign_share")
    assert offered(6) == offered(9) == four[:2]
    assert offered(10) == offered(14) == four[:3]
    assert offered(15) == offered(19) == four
    assert offered(6, unwanted=["n_calcifications"]) == ("suspicion", "score")
    assert offered(6, wanted=["aspect_mean", "suspicion"]) == ("aspect_mean", "suspicion")
    assert len(offered(6, all_columns=True)) > 100  # for trees
    many = offered(20)
    assert many[0] == "suspicion"
    assert len(many) > 100
    assert "score" not in many


def test_what_does_not_repeat_is_left_out_unless_asked_for() -> None:
    unstable = unstable_features("cluster")
    assert "aspect_iqr" in unstable
    assert "n_calcifications" not in unstable
    assert not unstable & set(offered(20))
    assert offered(20, wanted=["aspect_iqr"]) == ("aspect_iqr",)


def test_scales_of_features() -> None:
    given = uneven(0)
    design = make_design(given)
    share = (given.clusters["suspicion"] / 100.0).clip(0.001, 0.999)
    assert design.transforms == ("logit percent", "log")
    assert design.rows.values[:, 0] == pytest.approx(np.log(share / (1 - share)), abs=1e-6)
    assert design.rows.values[:, 1] == pytest.approx(np.log(given.clusters["n_calcifications"]))
    assert design.rows.prior.tolist() == [0.5, 0.2]
    assert design.patients == 6
    assert design.fixed == (0, 1)


def test_columns_need_support() -> None:
    """A value that four patients have is left out; extent needs twenty of the rarer class."""
    count = 60
    label, patient = (np.arange(2 * count) % 3 == 0).astype(np.int64), np.arange(2 * count)
    rng = np.random.default_rng(1)

    def some(positive: int, negative: int) -> np.ndarray:
        out = np.zeros(2 * count)
        out[np.flatnonzero(label == 1)[:positive]] = 1.0
        out[np.flatnonzero(label == 0)[:negative]] = 1.0
        return out

    table = pd.DataFrame(
        {
            "file": "x",
            "cluster_id": patient,
            "usual": rng.normal(size=2 * count),
            "supported": some(5, 5),
            "thin_in_positive": some(4, 40),
            "thin_in_negative": some(30, 4),
            "n_foci": some(19, 40),
            "region_area_mm2": some(20, 20),
            "joined": some(1, 1),
        }
    )
    found = make_design(Examples(table, label, patient, joined=("joined",)))
    assert found.names == ("usual", "supported", "region_area_mm2", "joined")
    assert found.fixed == (3,)
    assert found.notes == ("left out, since too few patients tell anything of them: 3 columns",)
    wanted = make_design(Examples(table, label, patient), wanted=["n_foci", "thin_in_positive"])
    assert wanted.names == ("n_foci", "thin_in_positive")


def test_nothing_is_said_beyond_what_was_seen() -> None:
    found = train(uneven(0, (0.8, 0.4)), samples=0, permutations=0, stability_samples=0, repeats=1)
    table = found.examples.clusters
    most = table["n_calcifications"].max()
    far = table.head(2).assign(n_calcifications=[most, 1e6])
    assert found.model.log_odds(far.assign(suspicion=50.0)).tolist() == pytest.approx(
        [found.model.log_odds(far.assign(suspicion=50.0))[0]] * 2
    )


def test_folds_do_not_heed_how_many_groups() -> None:
    """Which patients of a fold are positive is left to chance, so every fold has each as often."""
    given = uneven(0)
    together = np.zeros(6)
    for seed in range(300):
        fold = folds_of(given.label, given.patient, 5, seed)
        largest = fold[given.patient == 6][0]
        together += [fold[given.patient == p][0] == largest for p in range(6)]
        assert np.bincount(fold[np.unique(given.patient, return_index=True)[1]]).tolist() == [
            10,
            10,
            10,
            9,
            9,
        ]
    assert together / 300 == pytest.approx(np.full(6, 0.2), abs=0.08)


# --------------------------------------------------------------------------------- noise, and effects


TABLES = {
    "few": {"more": 4},
    "more": {"more": 25, "patients": (60, 24), "groups": (400, 110)},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TABLES)
def test_noise_gives_half(kind: str) -> None:
    """In each printed area, within its interval and beside its null, whatever the seed."""
    seeds, shuffled, repeats = (20, 30, 2) if kind == "few" else (10, 20, 1)
    values: dict[str, list[float]] = {"auc": [], "auc_patient": []}
    nulls: dict[str, list[float]] = {"auc": [], "auc_patient": []}
    held = {"auc": 0, "auc_patient": 0}
    surprising = 0
    options = {"samples": 1, "permutations": shuffled, "stability_samples": 0, "repeats": repeats}
    for seed in range(seeds):
        given = uneven(seed, **TABLES[kind])  # type: ignore[arg-type]
        found = train(given, **options, seed=seed)
        for name in values:
            area = found.measures[name]
            values[name].append(area.value)
            nulls[name].append(area.null)
            held[name] += area.low < 0.5 < area.high
            surprising += area.p <= 0.05
    for name in values:
        error = np.std(values[name]) / seeds**0.5
        assert abs(np.mean(values[name]) - 0.5) < 3 * error, (name, values[name])
        assert abs(np.mean(nulls[name]) - 0.5) < 0.03, (name, nulls[name])
        assert held[name] >= 0.85 * seeds, (name, held)
    assert surprising <= 0.2 * 2 * seeds


@pytest.mark.slow
@pytest.mark.parametrize("shifts", [(0.6, 0.4), (0.8, 0.0), (1.0, 0.5)])
def test_planted_effects_are_learned(shifts: tuple[float, float]) -> None:
    """Six positive patients of 48: on average within 0.03 of what the best score has on the same tables."""
    found, best = [], []
    for seed in range(40):
        given = uneven(seed, shifts, more=20)
        design = make_design(given)
        options = recipes("logistic", len(design.names), design.patients, design.fixed)
        counted = areas(cross_validate(options, design.rows, repeats=2, seed=seed), design.rows)
        found.append([counted["auc"].area, counted["auc_patient"].area])
        score, one = best_score(given, shifts), np.zeros(given.label.size, np.int64)
        best.append(
            [
                group_pairs(score, given.label, given.patient, one).area,
                unit_pairs(score, given.label, given.patient, given.patient, one).area,
            ]
        )
    short = np.mean(best, axis=0) - np.mean(found, axis=0)
    assert short.max() < 0.03, (np.mean(best, axis=0), np.mean(found, axis=0))
