"""Labelled clusters whose best possible AUC is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mcdetect.training import Examples
from mcdetect.training.fitting import Recipe
from mcdetect.training.rows import Rows

LINEAR = (Recipe("logistic", 4, 1.0), Recipe("logistic", 0, 1.0))
TREES = (Recipe("boosting", n_trees=30, n_leaves=3),)


def clusters(
    n_patients: int = 120,
    per_patient: int = 2,
    *,
    informative: int = 2,
    noise: int = 6,
    shift: float = 1.0,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return clusters with normal features and their labels, one label per patient.

    Each informative feature is shifted by `shift` standard deviations in positives, so the best AUC is
    Phi(shift * sqrt(informative / 2)).
    """
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), per_patient)
    label = (np.arange(n_patients) % 5 < 2).astype(np.int64)[patient]
    values = rng.normal(size=(patient.size, informative + noise))
    values[:, :informative] += shift * label[:, None]
    names = [f"good_{i}" for i in range(informative)] + [f"noise_{i}" for i in range(noise)]
    table = pd.DataFrame(values, columns=names)
    table.insert(0, "cluster_id", np.tile(np.arange(1, per_patient + 1), n_patients))
    table.insert(0, "file", [f"case{p}/a.dcm" for p in patient])
    labels = table[["file", "cluster_id"]].assign(label=label, patient=[f"SECRET-{p}" for p in patient])
    return table, labels


def examples(n_patients: int = 120, per_patient: int = 2, **options: float) -> Examples:
    """Return the same ready for training."""
    table, labels = clusters(n_patients, per_patient, **options)  # type: ignore[arg-type]
    patient = np.repeat(np.arange(n_patients), per_patient).astype(np.int64)
    return Examples(table, labels["label"].to_numpy(np.int64), patient)


def rows_of(values: np.ndarray, label: np.ndarray, patient: np.ndarray | None = None) -> Rows:
    """Return numbers as rows to train on, without anything known before."""
    return Rows.of_groups(values.astype(np.float64), label.astype(np.int64), patient)


# As uneven as a real table: 29 suspicious and 349 benign groups of 48 women, six of them positive, one benign
# woman with 124 groups.
PATIENTS, GROUPS, LARGEST = (42, 6), (349, 29), 124
SPREADS = (1.5, 0.6)  # of the log-odds of the index and the logarithm of the number
ALIKE = 0.3  # share of the variance that is the patient's


def uneven(
    seed: int,
    shifts: tuple[float, float] = (0.0, 0.0),
    *,
    more: int = 0,
    patients: tuple[int, int] = PATIENTS,
    groups: tuple[int, int] = GROUPS,
) -> Examples:
    """Return a table as uneven as a real one, with the index and the number of members.

    Parameters
    ----------
    shifts : (float, float)
        How many standard deviations the log-odds of the index and the logarithm of the number are higher in
        positive groups. A score of both, weighed by these, is the best that can be had.
    more : int
        Further columns, of noise.
    patients, groups : (int, int)
        Negative and positive ones.
    """
    rng = np.random.default_rng(seed)
    rest = groups[0] - LARGEST - (patients[0] - 1)
    smaller = 1 + rng.multinomial(rest, rng.dirichlet(np.full(patients[0] - 1, 0.7)))
    positive = 1 + rng.multinomial(groups[1] - patients[1], rng.dirichlet(np.full(patients[1], 1.5)))
    sizes = np.concatenate([positive, [LARGEST], smaller])
    patient = np.repeat(np.arange(sizes.size), sizes).astype(np.int64)
    label = (patient < patients[1]).astype(np.int64)

    def column(shift: float) -> np.ndarray:
        own = rng.normal(size=sizes.size)[patient]
        return ALIKE**0.5 * own + (1 - ALIKE) ** 0.5 * rng.normal(size=label.size) + shift * label

    index, number = (column(shift) for shift in shifts)
    columns = {
        "file": [f"case{p}/a.dcm" for p in patient],
        "cluster_id": np.concatenate([np.arange(1, size + 1) for size in sizes]),
        "suspicion": 100.0 / (1.0 + np.exp(1.0 - SPREADS[0] * index)),
        "n_calcifications": np.exp(2.0 + SPREADS[1] * number),
    }
    columns |= {f"noise_{k}": column(0.0) for k in range(more)}
    return Examples(pd.DataFrame(columns), label, patient)


def best_score(given: Examples, shifts: tuple[float, float]) -> np.ndarray:
    """Return the score of `uneven` tables that nothing can beat."""
    share = given.clusters["suspicion"].to_numpy() / 100.0
    index = (np.log(share / (1.0 - share)) + 1.0) / SPREADS[0]
    number = (np.log(given.clusters["n_calcifications"].to_numpy()) - 2.0) / SPREADS[1]
    return shifts[0] * index + shifts[1] * number
