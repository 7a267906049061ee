"""From columns of clusters to the numbers that a model may use, and which of them it should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.clusters.features import unstable_features
from mcdetect.models.pooling import GROUPS, Pooled
from mcdetect.models.transforms import transform
from mcdetect.training.crossval import TrainingError
from mcdetect.training.fitting import FEW, few_features
from mcdetect.training.rows import Rows
from mcdetect.training.tables import Examples, feature_columns

__all__ = ["Design", "make_design"]

_EXTENTS = ("n_foci", "region_")
_FIXED = {"suspicion": "logit percent", "n_calcifications": "log", "score": "logit", "benign_share": "none"}
"""With few patients these are the features, from the first on, and their scales: the suspicion index, the
number of members, how sure the detector is, the share of members of typically benign kinds."""

# Judged: log-odds per standard deviation from which the fit departs as the labels say. The index is worth
# about half a log-odds on real groups, where larger groups are more often malignant, too.
_PRIOR = {"suspicion": 0.5, "n_calcifications": 0.2}
_SUPPORT = 5  # patients of each class that must differ from the commonest value of a column

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Design:
    """What can be learned from.

    Parameters
    ----------
    names, transforms : tuple of str
        Of the columns of `rows.values`, and the scales on which they are read.
    rows : Rows
    fixed : tuple of int
        Columns that a logistic model takes in any case.
    joined : tuple of str
        Columns that are none of the tables of detect.
    given : bool
        The columns were named by the user.
    patients : int
        Of the rarer class.
    notes : tuple of str
    """

    names: tuple[str, ...]
    transforms: tuple[str, ...]
    rows: Rows
    fixed: tuple[int, ...]
    joined: tuple[str, ...]
    given: bool
    patients: int
    notes: tuple[str, ...]


def make_design(
    examples: Examples,
    wanted: Sequence[str] = (),
    unwanted: Sequence[str] = (),
    pooled: Pooled = GROUPS,
    *,
    all_columns: bool = False,
) -> Design:
    """Choose the columns that can be features.

    With fewer than `FEW` patients of the rarer class these are two to four fixed ones; with more all columns
    of numbers that repeat (`mcdetect.clusters.features.unstable_features`) and that enough patients support.
    Those that were joined (of patients, of the comparison with an earlier image) are always among them, but
    the fewer patients there are, the less they may weigh: they are
    the same in all groups of a patient, so that a few patients seem to prove anything.

    Parameters
    ----------
    examples : Examples
    wanted, unwanted : sequence of str
        Columns to use instead, and columns not to use.
    pooled : Pooled
        What the labels belong to.
    all_columns : bool
        Also with few patients.

    Raises
    ------
    TrainingError
        If no column varies.
    ValueError
        If a column asked for is missing or holds text.
    """
    clusters, label, patient = examples.clusters, examples.label, examples.patient
    rarer = min(np.unique(patient[label == value]).size for value in (0, 1))
    own = [name for name in _FIXED if name in clusters and name not in unwanted]
    joined = [name for name in examples.joined if name not in unwanted]
    notes: list[str] = []
    few = rarer < FEW and not (wanted or all_columns) and len(own) >= 1 and own[0] == "suspicion"
    if few:
        names = list(dict.fromkeys([*own[: few_features(rarer)], *joined]))
    else:
        base = feature_columns(clusters, wanted, unwanted)
        if not wanted:
            repeat = [name for name in base if name not in unstable_features("cluster")]
            if len(repeat) < len(base):
                notes.append(f"left out, since they do not repeat: {len(base) - len(repeat)} columns")
            base = repeat
        extra = [] if wanted else [name for name in own if name not in base and name == "suspicion"]
        names = list(dict.fromkeys([*extra, *base, *([] if wanted else joined)]))
    values, scales = _values(clusters, names)
    varies = _varies(values)
    if not varies.all():
        dropped = [name for name, good in zip(names, varies, strict=True) if not good]
        notes.append(f"left out, since they never vary: {', '.join(dropped)}")
    if not varies.any():
        raise TrainingError("no feature varies between the labelled clusters; give other features")
    keep = varies.copy()
    if not (few or wanted):
        keep &= _supported(values, names, label, patient, rarer) | np.isin(names, joined)
        if not keep.any():
            keep = varies
        thin = int((varies & ~keep).sum())
        if thin:
            notes.append(f"left out, since too few patients tell anything of them: {thin} columns")
    values, names = values[:, keep], [name for name, good in zip(names, keep, strict=True) if good]
    if (missing := (~np.isfinite(values)).mean()) > 0:
        notes.append(f"{100 * missing:.1f} % of the values are missing")
    prior = np.array([_PRIOR.get(name, 0.0) for name in names])
    freedom = np.array([min(rarer / FEW, 1.0) if name in joined else 1.0 for name in names])
    number = np.arange(label.size)
    unit = {"group": number, "image": examples.image, "patient": patient}[pooled.level]
    always = names if few else [name for name in names if name in joined or name in own[:2]]
    return Design(
        names=tuple(names),
        transforms=tuple(scale for scale, good in zip(scales, keep, strict=True) if good),
        rows=Rows(values, label, patient, prior, freedom, unit, pooled),
        fixed=() if wanted else tuple(names.index(name) for name in always),
        joined=tuple(name for name in names if name in examples.joined),
        given=bool(wanted),
        patients=rarer,
        notes=tuple(notes),
    )


def _values(clusters: pd.DataFrame, names: Sequence[str]) -> tuple[_Floats, list[str]]:
    scales = [_FIXED.get(name, "none") for name in names]
    columns = []
    for name, scale in zip(names, scales, strict=True):
        column = clusters[name].to_numpy(dtype=np.float64, na_value=np.nan)
        columns.append(transform(np.where(np.isfinite(column), column, np.nan), scale))
    return np.column_stack(columns), scales


def _varies(values: _Floats) -> npt.NDArray[np.bool_]:
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(axis=0)
    high = np.where(known, values, -np.inf).max(axis=0)
    out: npt.NDArray[np.bool_] = high > low
    return out


def _supported(
    values: _Floats,
    names: Sequence[str],
    label: npt.NDArray[np.int64],
    patient: npt.NDArray[np.int64],
    rarer: int,
) -> npt.NDArray[np.bool_]:
    """Tell which columns have other than their commonest value in enough patients of each class.

    Measures of how far disease extends grow without bound in few patients, so they need as many patients
    of the rarer class as a choice of features does.
    """
    out = np.zeros(len(names), np.bool_)
    needed = min(_SUPPORT, max(rarer // 2, 1))
    for index, name in enumerate(names):
        column = values[:, index]
        known = np.isfinite(column)
        found, counts = np.unique(column[known], return_counts=True)
        if counts.size < 2:
            continue
        other = known & (column != found[counts.argmax()])
        patients = [np.unique(patient[other & (label == value)]).size for value in (0, 1)]
        out[index] = min(patients) >= (FEW if name.startswith(_EXTENTS) else needed)
    return out
