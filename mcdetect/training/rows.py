"""What a model is fitted to: groups, their labels, whose they are, and what the labels belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mcdetect.models.pooling import GROUPS, Pooled, pool
from mcdetect.training.logistic import Pools
from mcdetect.training.selection import Ranking, medians_of
from mcdetect.training.weights import balanced_weights, shuffled_labels

__all__ = ["Rows"]

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Rows:
    """Groups as numbers.

    Parameters
    ----------
    values : (n, features) float64 array
        Not-a-number for missing.
    label : (n,) int64 array
        0 and 1. Of an image or a patient, all its groups have its label.
    patient : (n,) int64 array
        Numbers of the patients.
    prior : (features,) float64 array
        Log-odds per standard deviation towards which a logistic model is drawn.
    freedom : (features,) float64 array
        How far a coefficient may depart from that, as a share of the variance that a recipe allows.
    unit : (n,) int64 array
        Number of what the label belongs to: the group itself, its image or its patient.
    pooled : Pooled
        What that is, and how its groups make one score.
    """

    values: _Floats
    label: _Ints
    patient: _Ints
    prior: _Floats
    freedom: _Floats
    unit: _Ints
    pooled: Pooled = GROUPS

    @classmethod
    def of_groups(cls, values: _Floats, label: _Ints, patient: _Ints | None = None) -> Rows:
        """Return rows that have labels of their own; without patients each is of another one."""
        number, ones = np.arange(label.size), np.ones(values.shape[1])
        return cls(values, label, number if patient is None else patient, 0.0 * ones, ones, number)

    def take(self, which: npt.NDArray[np.bool_]) -> Rows:
        """Return some of the rows; images and patients are never parted."""
        return replace(
            self,
            values=self.values[which],
            label=self.label[which],
            patient=self.patient[which],
            unit=self.unit[which],
        )

    def again(self, times: _Ints) -> Rows:
        """Return the rows of patients drawn several times, each draw as a patient of its own.

        Parameters
        ----------
        times : (patients,) int64 array
            How often every patient is taken.
        """
        rows = np.repeat(np.arange(self.label.size), times[self.patient])
        turn = np.concatenate([np.arange(count) for count in times[self.patient]] or [np.zeros(0)]).astype(
            np.int64
        )
        most = max(int(times.max(initial=1)), 1)
        return replace(
            self,
            values=self.values[rows],
            label=self.label[rows],
            patient=self.patient[rows] * most + turn,
            unit=self.unit[rows] * most + turn,
        )

    def shuffled(self, seed: int) -> Rows:
        """Return the same with labels shuffled between patients."""
        label = shuffled_labels(self.unit_label, self.unit_patient, seed)
        return replace(self, label=label[self.unit_index])

    @cached_property
    def unit_weight(self) -> _Floats:
        """Weight of each unit in a fit: all patients of a class weigh the same, and both classes; (u,)."""
        return balanced_weights(self.unit_label, self.unit_patient)

    @cached_property
    def weight(self) -> _Floats:
        """Weight of each row, an equal part of its unit's; (n,) float64."""
        index = self.unit_index
        return (self.unit_weight / np.bincount(index))[index]

    @cached_property
    def medians(self) -> _Floats:
        """Weighted median of each column, zero where nothing is known; (features,) float64."""
        return medians_of(self.values, self.weight)

    @cached_property
    def ranking(self) -> Ranking:
        """How well each column separates the classes."""
        return Ranking.of(self.values, self.label, self.weight)

    @cached_property
    def pools(self) -> Pools:
        """The rows of each unit."""
        return Pools.of(self.unit)

    @property
    def unit_label(self) -> _Ints:
        """Label of each unit; (u,) int64."""
        return self.label[self.pools.first]

    @property
    def unit_patient(self) -> _Ints:
        """Patient of each unit; (u,) int64."""
        return self.patient[self.pools.first]

    @property
    def unit_index(self) -> _Ints:
        """Place of each row's unit among the units; (n,) int64."""
        return np.searchsorted(self.pools.names, self.unit)

    def of_units(self, log_odds: _Floats) -> _Floats:
        """Return the log-odds of each unit from those of its groups; (n,) in, (u,) out."""
        return log_odds if self.pooled.level == "group" else pool(log_odds, self.unit, self.pooled.by)
