"""What every patient weighs, and labels that are shuffled between patients."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["balanced_weights", "patient_labels", "plain_weights", "shuffled_labels"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def plain_weights(patient: _Ints) -> _Floats:
    """Return weights with which each patient weighs one, however many rows there are; (n,) float64."""
    _, inverse, count = np.unique(patient, return_inverse=True, return_counts=True)
    return 1.0 / count[inverse]


def balanced_weights(label: _Ints, patient: _Ints) -> _Floats:
    """Return weights with which all patients of a class weigh the same, and both classes the same.

    Parameters
    ----------
    label : (n,) int64 array
        0 and 1.
    patient : (n,) int64 array

    Returns
    -------
    (n,) float64 array
        A patient with rows of both classes counts in each. All together weigh 4 a b / (a + b) for a and b
        patients of the classes: what they tell of a coefficient.
    """
    cell = 2 * patient + label
    weight = plain_weights(cell)
    of_class = np.array([weight[label == value].sum() for value in (0, 1)])
    if of_class.min() > 0:
        weight *= (2.0 * of_class.prod() / of_class.sum() / of_class)[label]
    return weight


def patient_labels(label: _Ints, patient: _Ints) -> tuple[_Ints, _Ints]:
    """Return the patients in rising order, and whether any row of each is positive; both (p,) int64."""
    names, inverse = np.unique(patient, return_inverse=True)
    positive = np.zeros(names.size, np.int64)
    np.maximum.at(positive, inverse, label)
    return names, positive


def shuffled_labels(label: _Ints, patient: _Ints, seed: int) -> _Ints:
    """Give every patient the labels of another one, drawn at random.

    A patient of whose rows all, none or some were positive hands on just that: with other numbers of rows
    the share of positive ones is kept as far as it goes, and which rows they are is drawn, too.

    Parameters
    ----------
    label, patient : (n,) int64 arrays
    seed : int

    Returns
    -------
    (n,) int64 array
        As many patients with a positive row as before.
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(patient, return_inverse=True)
    rows = [np.flatnonzero(inverse == number) for number in range(names.size)]
    share = np.array([label[part].mean() for part in rows])[rng.permutation(names.size)]
    out = np.zeros_like(label)
    for part, positive in zip(rows, share, strict=True):
        count = int(np.floor(positive * part.size + rng.random()))
        if positive > 0:
            count = max(count, 1)
        if positive < 1:
            count = min(count, max(part.size - 1, int(positive > 0)))
        out[rng.permutation(part)[:count]] = 1
    return out
