"""Labelled clusters whose best possible AUC is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mcdetect.training import Examples
from mcdetect.training.fitting import Recipe

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
