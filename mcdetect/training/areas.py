"""Areas under the ROC curve that favour nobody: pairs within folds, equal numbers of groups, equal patients.

Scores of different folds come from models that saw different patients: the fewer positive ones are left for
training, the more lie in the test. Pooled, chance alone then gives areas well off one half. So only rows of
one fold are compared, whose order is that of one model. Every pair of patients weighs the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, ndtri
from scipy.stats import t as student

__all__ = ["PairCount", "fold_curve", "group_pairs", "unit_pairs"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PairCount:
    """How many pairs of a positive and a negative patient were compared and won.

    Parameters
    ----------
    won, pairs : float
        Over all pairs; a tie is half won.
    won_of, pairs_of : (patients,) float64 arrays
        Those in which a patient takes part.
    positive : (patients,) bool array
        Patients who have something positive.
    """

    won: float
    pairs: float
    won_of: _Floats
    pairs_of: _Floats
    positive: npt.NDArray[np.bool_]

    def __add__(self, other: PairCount) -> PairCount:
        """Return both together, as of two partitions of the same patients into folds."""
        return PairCount(
            self.won + other.won,
            self.pairs + other.pairs,
            self.won_of + other.won_of,
            self.pairs_of + other.pairs_of,
            self.positive,
        )

    @property
    def area(self) -> float:
        """Share of the pairs that is won; not-a-number without pairs."""
        return self.won / self.pairs if self.pairs > 0 else float("nan")

    def interval(self, confidence: float, chance: float = 0.0) -> tuple[float, float]:
        """Return an interval over patients, by leaving out each of them in turn.

        On the scale of log-odds, with Student's t and the degrees of freedom of Welch, since the rarer class
        is often a handful of patients (after Obuchowski 1997, doi:10.2307/2533958; jackknife by class).

        Parameters
        ----------
        confidence : float
            Such as 0.95.
        chance : float
            Standard deviation of the area when labels are shuffled. Leaving out patients does not tell what
            training itself adds to the spread: the interval is no narrower than that of chance.
        """
        area, taking = self.area, self.pairs_of > 0
        rest = self.pairs - self.pairs_of
        if not np.isfinite(area) or np.any(rest[taking] <= 1e-9 * self.pairs):
            return float("nan"), float("nan")
        without = (self.won - self.won_of) / np.where(rest > 0, rest, 1.0)
        variance, small = 0.0, 0.0
        for kind in (without[taking & self.positive], without[taking & ~self.positive]):
            if kind.size >= 2:
                one = float((kind.size - 1) / kind.size * ((kind - kind.mean()) ** 2).sum())
                variance += one
                small += one**2 / (kind.size - 1)
        if small <= 0.0 and chance <= 0.0:
            return area, area
        # Log-odds have no end: as if half a patient of the rarer class were on the other side.
        part = 0.5 / max(min(int(self.positive.sum()), int((~self.positive).sum())), 1)
        inner = min(max(area, part), 1.0 - part)
        half = float(ndtri(0.5 + confidence / 2)) * chance / 0.25
        if small > 0.0:
            quantile = float(student.ppf(0.5 + confidence / 2, variance**2 / small))
            half = max(half, quantile * variance**0.5 / (inner * (1.0 - inner)))
        middle = np.log(inner / (1.0 - inner))
        low, high = (0.5 + 0.5 * np.tanh(0.5 * (middle + side * half)) for side in (-1, 1))
        return min(float(low), area), max(float(high), area)


def group_pairs(score: _Floats, label: _Ints, patient: _Ints, fold: _Ints) -> PairCount:
    """Compare the positive with the negative groups of each fold.

    Parameters
    ----------
    score : (n,) float64 array
    label : (n,) int64 array
        0 and 1.
    patient : (n,) int64 array
        Numbers from 0.
    fold : (n,) int64 array

    Returns
    -------
    PairCount
        A pair of patients is won to the share of their pairs of groups in which the positive one is above.
        The groups of both kinds of one patient are such a pair, too.
    """
    count = _nobody(label, patient)
    for number in np.unique(fold):
        here = fold == number
        level, owner = _levels(score[here]), patient[here]
        positive = label[here] == 1
        above, below = owner[positive], owner[~positive]
        if above.size and below.size:
            shares = [
                _shares(level[rows], of, int(level.max()) + 1)
                for rows, of in ((positive, above), (~positive, below))
            ]
            won = shares[0] @ _at_most(shares[1]).T
            count += _block(won, np.unique(above), np.unique(below), count)
    return count


def unit_pairs(score: _Floats, label: _Ints, patient: _Ints, unit: _Ints, fold: _Ints) -> PairCount:
    """Compare images or patients, by their highest group, as if they had equally many groups.

    The more groups, the higher the highest, in noise as well. So of the unit with more groups as many are
    drawn as the other has; the share of such draws that is won is computed exactly.

    Parameters
    ----------
    score, label, patient, fold
        As for `group_pairs`.
    unit : (n,) int64 array
        Number of the image or patient of each group; positive when any of its groups is.

    Returns
    -------
    PairCount
        A pair of patients is won to the share of their pairs of units.
    """
    count = _nobody(label, patient)
    for number in np.unique(fold):
        here = fold == number
        level, names = _levels(score[here]), np.unique(unit[here])
        index = np.searchsorted(names, unit[here])
        members = np.zeros((names.size, int(level.max()) + 1))
        np.add.at(members, (index, level), 1.0)
        positive, owner = np.zeros(names.size, np.bool_), np.zeros(names.size, np.int64)
        np.logical_or.at(positive, index, label[here] == 1)
        owner[index] = patient[here]
        if positive.any() and not positive.all():
            won = _equal_numbers(members[positive], members[~positive])
            above, below = owner[positive], owner[~positive]
            won = _means(above) @ won @ _means(below).T
            count += _block(won, np.unique(above), np.unique(below), count)
    return count


def _equal_numbers(above: _Floats, below: _Floats) -> _Floats:
    """Return the chance that the highest of equally many is above; counts by level in, (a, b) out."""
    reached = [np.cumsum(part, axis=1) for part in (above, below)]
    sizes = [part[:, -1] for part in reached]
    fewer = np.minimum(sizes[0][:, None], sizes[1][None, :])
    won = np.zeros(fewer.shape)
    for number in np.unique(fewer):
        rows, cols = (np.flatnonzero(size >= number) for size in sizes)
        highest = [
            _highest_of(number, part[chosen], size[chosen])
            for part, chosen, size in zip(reached, (rows, cols), sizes, strict=True)
        ]
        chance = highest[0] @ _at_most(highest[1]).T
        this = fewer[np.ix_(rows, cols)] == number
        won[np.ix_(rows, cols)] += np.where(this, chance, 0.0)
    return won


def _highest_of(number: float, reached: _Floats, size: _Floats) -> _Floats:
    """Return how likely each level is the highest of `number` groups drawn; rows sum to 1."""
    enough = reached >= number
    m = np.where(enough, reached, number)
    n = size[:, None]
    log = gammaln(m + 1) - gammaln(m - number + 1) - gammaln(n + 1) + gammaln(n - number + 1)
    return np.diff(np.where(enough, np.exp(log), 0.0), axis=1, prepend=0.0)


def _levels(score: _Floats) -> _Ints:
    level: _Ints = np.unique(score, return_inverse=True)[1].astype(np.int64)
    return level


def _shares(level: _Ints, owner: _Ints, levels: int) -> _Floats:
    """Return the share of each owner's rows at each level; rows sum to 1."""
    names, index, counts = np.unique(owner, return_inverse=True, return_counts=True)
    out = np.zeros((names.size, levels))
    np.add.at(out, (index, level), 1.0 / counts[index])
    return out


def _at_most(shares: _Floats) -> _Floats:
    """Return what lies below each level, and half of what lies at it."""
    out: _Floats = np.cumsum(shares, axis=1) - 0.5 * shares
    return out


def _means(owner: _Ints) -> _Floats:
    """Return the matrix that takes the mean over each owner's units; (owners, units)."""
    names, index, counts = np.unique(owner, return_inverse=True, return_counts=True)
    out = np.zeros((names.size, owner.size))
    out[index, np.arange(owner.size)] = 1.0 / counts[index]
    return out


def _nobody(label: _Ints, patient: _Ints) -> PairCount:
    positive = np.zeros(int(patient.max(initial=-1)) + 1, np.bool_)
    np.logical_or.at(positive, patient, label == 1)
    return PairCount(0.0, 0.0, np.zeros(positive.size), np.zeros(positive.size), positive)


def _block(won: _Floats, above: _Ints, below: _Ints, like: PairCount) -> PairCount:
    """Return the pairs of one fold: `won` of (above, below) patients."""
    won_of, pairs_of = np.zeros(like.positive.size), np.zeros(like.positive.size)
    won_of[above] += won.sum(axis=1)
    won_of[below] += won.sum(axis=0)
    pairs_of[above] += below.size
    pairs_of[below] += above.size
    # A patient of both kinds was counted twice in the pair with themselves.
    _, own, other = np.intersect1d(above, below, return_indices=True)
    won_of[above[own]] -= won[own, other]
    pairs_of[above[own]] -= 1
    return PairCount(float(won.sum()), float(won.size), won_of, pairs_of, like.positive)


def fold_curve(score: _Floats, label: _Ints, patient: _Ints, fold: _Ints, grid: _Floats) -> _Floats:
    """Return the sensitivity at each false-positive fraction, averaged over folds by their pairs of patients.

    The area under it is that of `group_pairs`.

    Parameters
    ----------
    score, label, patient, fold
        As for `group_pairs`.
    grid : (g,) float64 array
        False-positive fractions, rising.

    Returns
    -------
    (g,) float64 array
        Patients weigh one in each class; not-a-number without pairs.
    """
    total, out = 0.0, np.zeros(grid.size)
    for number in np.unique(fold):
        here = fold == number
        order = np.argsort(-score[here], kind="stable")
        values, known, owner = (part[here][order] for part in (score, label, patient))
        weight = np.zeros(values.size)
        patients = [1, 1]
        for value in (0, 1):
            names, index, counts = np.unique(owner[known == value], return_inverse=True, return_counts=True)
            weight[known == value] = 1.0 / counts[index]
            patients[value] = names.size
        if min(patients) == 0:
            continue
        ends = np.append(np.flatnonzero(np.diff(values)), values.size - 1)
        false, hits = (
            np.append(0.0, np.cumsum(weight * (known == value))[ends] / patients[value]) for value in (0, 1)
        )
        # Where the curve rises straight up, the higher end counts.
        last = np.append(np.flatnonzero(np.diff(false) > 1e-12), false.size - 1)
        first = np.append(0, last[:-1] + 1)
        low, high = hits[first], hits[last]
        pairs = float(patients[0] * patients[1])
        x = np.repeat(false[last], 2)
        x[::2] -= 1e-12
        out += pairs * np.interp(grid, x, np.column_stack([low, high]).ravel())
        total += pairs
    return out / total if total > 0 else np.full(grid.size, np.nan)
