"""A model of clusters as data: numbers and names in JSON; loading one can never run code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnreadableFileError
from mcdetect.models.checking import Checker, FormatError
from mcdetect.models.trees import Forest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT", "MAX_BYTES", "ClusterModel", "Linear", "sigmoid"]

FORMAT = "mcdetect cluster model 1"
MAX_BYTES = 50_000_000  # Technical: larger files are refused unread; no model comes near
_AGAIN = "train it again on clusters of this version of mcdetect"

_Floats = npt.NDArray[np.float64]


def sigmoid(log_odds: _Floats) -> _Floats:
    """Return 1 / (1 + exp(-x)), without overflow."""
    out: _Floats = 0.5 + 0.5 * np.tanh(0.5 * log_odds)
    return out


@dataclass(frozen=True, eq=False)
class Linear:
    """Log-odds as a weighted sum of standardised features.

    Parameters
    ----------
    medians : (k,) float64 array
        What stands for a missing value, in the unit of the feature.
    means, scales : (k,) float64 arrays
        A feature is standardised as (value - mean) / scale.
    coefficients : (k,) float64 array
        Log-odds per standardised unit.
    intercept : float
    """

    medians: _Floats
    means: _Floats
    scales: _Floats
    coefficients: _Floats
    intercept: float

    def contributions(self, values: _Floats) -> _Floats:
        """Return what every feature adds to the log-odds; (n, k) float64 in and out."""
        filled = np.where(np.isfinite(values), values, self.medians)
        out: _Floats = (filled - self.means) / self.scales * self.coefficients
        return out

    def log_odds(self, values: _Floats) -> _Floats:
        """Return the log-odds; (n, k) float64 in, (n,) float64 out."""
        out: _Floats = self.contributions(values).sum(axis=1) + self.intercept
        return out

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the file."""
        names = ("medians", "means", "scales", "coefficients")
        return {name: getattr(self, name).tolist() for name in names} | {"intercept": self.intercept}


@dataclass(frozen=True, eq=False)
class ClusterModel:
    """How suspicious a cluster is, learned from labelled clusters.

    Parameters
    ----------
    features : tuple of str
        Columns of ``clusters.csv`` that it reads, in order.
    rule : Linear or Forest
        From features to log-odds.
    target : str
        What a high score speaks for, such as "malignant".
    calibration : (float, float), optional
        Slope (positive) and intercept that bring the log-odds to those of a probability, fitted on patients
        that the rule had not seen. None for a model that only ranks.
    about : mapping
        How it was made: plain values only.
    """

    features: tuple[str, ...]
    rule: Linear | Forest
    target: str = "malignant"
    calibration: tuple[float, float] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of model: "logistic" or "boosting"."""
        return "logistic" if isinstance(self.rule, Linear) else "boosting"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `apply` adds: a probability only where the model is calibrated."""
        return ("model_score",) if self.calibration is None else ("model_score", "probability")

    def values(self, clusters: pd.DataFrame) -> _Floats:
        """Return the features of clusters as an array.

        Parameters
        ----------
        clusters : DataFrame
            With the columns `features`, numbers or booleans; any others are ignored.

        Returns
        -------
        (n, k) float64 array
            Not-a-number for missing and for infinite values.

        Raises
        ------
        ValueError
            If a column is missing or holds text.
        """
        self.check_columns(clusters.columns)
        out = np.empty((len(clusters), len(self.features)))
        for index, name in enumerate(self.features):
            try:
                out[:, index] = clusters[name].to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError) as error:
                raise ValueError(f"the column {name} must hold numbers, as the model reads it") from error
        return np.where(np.isfinite(out), out, np.nan)

    def check_columns(self, names: Any) -> None:
        """Raise `ValueError` when a column that the model reads is not among `names`."""
        lacking = [name for name in self.features if name not in names]
        if lacking:
            raise ValueError(
                f"the model reads {lacking[0]}, a column that clusters do not have here; {_AGAIN}"
            )

    def log_odds(self, clusters: pd.DataFrame) -> _Floats:
        """Return the log-odds before calibration; (n,) float64."""
        return self.rule.log_odds(self.values(clusters))

    def score(self, clusters: pd.DataFrame) -> _Floats:
        """Return the score before calibration, 0 to 1; it ranks and is no probability; (n,) float64."""
        return sigmoid(self.log_odds(clusters))

    def probability(self, clusters: pd.DataFrame) -> _Floats:
        """Return the calibrated probability; (n,) float64.

        It holds for clusters as frequent as in the training data (`about` states how frequent).

        Raises
        ------
        ValueError
            If the model was not calibrated.
        """
        if self.calibration is None:
            raise ValueError("the model is not calibrated: it ranks clusters and gives no probability")
        slope, intercept = self.calibration
        return sigmoid(slope * self.log_odds(clusters) + intercept)

    def apply(self, clusters: pd.DataFrame) -> pd.DataFrame:
        """Return the clusters with the columns `model_score` and, if calibrated, `probability`."""
        added = {"model_score": self.score(clusters)}
        if self.calibration is not None:
            added["probability"] = self.probability(clusters)
        return clusters.assign(**added)

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into the file."""
        calibration = None
        if self.calibration is not None:
            calibration = {
                "method": "sigmoid",
                "slope": self.calibration[0],
                "intercept": self.calibration[1],
            }
        return {
            "format": FORMAT,
            "kind": self.kind,
            "target": self.target,
            "features": list(self.features),
            self.kind: self.rule.as_dict(),
            "calibration": calibration,
            "about": dict(self.about),
        }

    def to_json(self) -> str:
        """Return the model as JSON; `from_json` gives the same model back, to the last bit."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False) + "\n"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the model computes and says about itself, as 64 hexadecimal digits."""
        text = json.dumps(self.as_dict(), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> ClusterModel:
        """Read a model; only numbers and names are read, and all of them are checked.

        Raises
        ------
        UnreadableFileError
            If anything is not as it must be.
        """
        try:
            return _build(_parse(text))
        except FormatError as error:
            raise UnreadableFileError(
                str(error), "train the model again, or obtain the file again"
            ) from error

    @classmethod
    def load(cls, path: str | Path, *, reads: Collection[str] | None = None) -> ClusterModel:
        """Read a model from a file.

        Parameters
        ----------
        path : path-like
        reads : collection of str, optional
            Columns that clusters will have; a model that reads another is refused.

        Raises
        ------
        UnreadableFileError
            If the file cannot be read or is no valid model; the message names it, the cause and the remedy.
        """
        file = Path(path)
        try:
            if file.stat().st_size > MAX_BYTES:
                raise UnreadableFileError(
                    f"it is larger than {MAX_BYTES // 10**6} MB, which no model of clusters is",
                    "give a file that mcdetect train wrote",
                )
            model = cls.from_json(file.read_text(encoding="utf-8"))
        except UnreadableFileError as error:
            raise error.with_path(file) from error.__cause__
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise UnreadableFileError(f"cannot be opened ({reason})", "check the path", file) from error
        except UnicodeDecodeError as error:
            raise UnreadableFileError(
                "it is no JSON text", "give a file that mcdetect train wrote", file
            ) from error
        lacking = [name for name in model.features if reads is not None and name not in reads]
        if lacking:
            raise UnreadableFileError(
                f"the model reads {lacking[0]}, a column that clusters do not have here", _AGAIN, file
            )
        return model


def _parse(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise FormatError(f"it holds {constant}, which is no number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise FormatError("it names an entry twice")
        return found

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError("it is no JSON text") from error


def _build(data: Any) -> ClusterModel:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FormatError(f"it is no model of clusters (expected the format {FORMAT!r})")
    kind = data.get("kind")
    if kind not in ("logistic", "boosting"):
        raise FormatError("its kind is neither 'logistic' nor 'boosting'")
    top = Checker(data, "the model", {"format", "kind", "target", "features", kind, "calibration", "about"})
    features = top.names("features")
    part = top.mapping(kind)
    rule: Linear | Forest
    if kind == "logistic":
        lists = ("medians", "means", "scales", "coefficients")
        inner = Checker(part, "logistic", {*lists, "intercept"})
        numbers = {name: inner.numbers(name, len(features)) for name in lists}
        if np.any(numbers["scales"] <= 0):
            raise FormatError("a scale of logistic is not positive")
        rule = Linear(**numbers, intercept=inner.number("intercept"))
    else:
        rule = Forest.from_dict(part, len(features))
    calibration = None
    if data.get("calibration") is not None:
        inner = Checker(top.mapping("calibration"), "calibration", {"method", "slope", "intercept"})
        if inner.data["method"] != "sigmoid":
            raise FormatError("its calibration is of no known method")
        calibration = inner.number("slope"), inner.number("intercept")
        if calibration[0] <= 0:
            raise FormatError("the slope of its calibration is not positive")
    return ClusterModel(features, rule, top.text("target"), calibration, top.mapping("about"))
