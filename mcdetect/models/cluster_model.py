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
from mcdetect.models.linear import BOUNDS, LISTS, Linear, sigmoid
from mcdetect.models.pooling import GROUPS, Pooled, pool
from mcdetect.models.transforms import TRANSFORMS, transform
from mcdetect.models.trees import Forest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT", "MAX_BYTES", "ClusterModel", "Linear", "Pooled", "pool", "sigmoid"]

FORMAT = "mcdetect cluster model 2"
_EARLIER = "mcdetect cluster model 1"  # without scales, bounds, joined columns and level
_WIDEST = float(np.finfo(np.float64).max)
MAX_BYTES = 50_000_000  # Technical: larger files are refused unread; no model comes near
_AGAIN = "train it again on clusters of this version of mcdetect"

_Floats = npt.NDArray[np.float64]


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
    transforms : tuple of str, optional
        Scale on which each feature is read, see `mcdetect.models.transforms`; "none" for all when empty.
    joined : tuple of str
        Features that clusters do not have by themselves (age of the patient, new since the last exam). Where
        such a column is not there, it is missing.
    pooled : Pooled
        What the labels belonged to. Unless to groups, the calibration is that of images or patients.
    """

    features: tuple[str, ...]
    rule: Linear | Forest
    target: str = "malignant"
    calibration: tuple[float, float] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)
    transforms: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()
    pooled: Pooled = GROUPS

    @property
    def kind(self) -> str:
        """The kind of model: "logistic" or "boosting"."""
        return "logistic" if isinstance(self.rule, Linear) else "boosting"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `apply` adds: a probability only where the model is calibrated."""
        return ("model_score", "probability") if self._of_groups else ("model_score",)

    @property
    def _of_groups(self) -> bool:
        return self.calibration is not None and self.pooled.level == "group"

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
        scales = self.transforms or ("none",) * len(self.features)
        for index, (name, scale) in enumerate(zip(self.features, scales, strict=True)):
            if name not in clusters.columns:
                out[:, index] = np.nan
                continue
            try:
                column = clusters[name].to_numpy(dtype=np.float64, na_value=np.nan)
            except (TypeError, ValueError) as error:
                raise ValueError(f"the column {name} must hold numbers, as the model reads it") from error
            out[:, index] = transform(np.where(np.isfinite(column), column, np.nan), scale)
        return np.where(np.isfinite(out), out, np.nan)

    def check_columns(self, names: Any) -> None:
        """Raise `ValueError` when a column that the model reads is not among `names`."""
        lacking = [name for name in self.features if name not in names and name not in self.joined]
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
            If the model was not calibrated, or on images or patients: see `of_units`.
        """
        if self.calibration is None:
            raise ValueError("the model is not calibrated: it ranks clusters and gives no probability")
        if not self._of_groups:
            raise ValueError(f"the probability of this model is that of {self.pooled.level}s; use of_units")
        slope, intercept = self.calibration
        return sigmoid(slope * self.log_odds(clusters) + intercept)

    def apply(self, clusters: pd.DataFrame) -> pd.DataFrame:
        """Return the clusters with the columns `model_score` and, if calibrated, `probability`."""
        added = {"model_score": self.score(clusters)}
        if self._of_groups:
            added["probability"] = self.probability(clusters)
        return clusters.assign(**added)

    def of_units(self, clusters: pd.DataFrame, by: str = "file") -> pd.DataFrame:
        """Return one row per image or patient: its score from all its groups and, if calibrated, probability.

        Parameters
        ----------
        clusters : DataFrame
            Also with the column `by`.
        by : str
            Column that names the image or patient.

        Returns
        -------
        DataFrame
            `by`, `model_score`, and `probability` of a model trained on labels of images or patients.
        """
        import pandas as pd

        codes, names = pd.factorize(clusters[by], sort=True)
        how = "max" if self.pooled.by == "none" else self.pooled.by
        log_odds = pool(self.log_odds(clusters), codes.astype(np.int64), how)
        out = pd.DataFrame({by: names, "model_score": sigmoid(log_odds)})
        if self.calibration is not None and self.pooled.level != "group":
            slope, intercept = self.calibration
            out["probability"] = sigmoid(slope * log_odds + intercept)
        return out

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
            "transforms": list(self.transforms or ("none",) * len(self.features)),
            "joined": list(self.joined),
            "pooled": {"level": self.pooled.level, "by": self.pooled.by},
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
        lacking = [
            name
            for name in model.features
            if reads is not None and name not in reads and name not in model.joined
        ]
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
    if not isinstance(data, dict) or data.get("format") not in (FORMAT, _EARLIER):
        raise FormatError(f"it is no model of clusters (expected the format {FORMAT!r})")
    kind = data.get("kind")
    if kind not in ("logistic", "boosting"):
        raise FormatError("its kind is neither 'logistic' nor 'boosting'")
    earlier = data["format"] == _EARLIER
    more = set() if earlier else {"transforms", "joined", "pooled"}
    keys = {"format", "kind", "target", "features", kind, "calibration", "about", *more}
    top = Checker(data, "the model", keys)
    features = top.names("features")
    part = top.mapping(kind)
    rule = (
        _linear(part, len(features), earlier) if kind == "logistic" else Forest.from_dict(part, len(features))
    )
    calibration = None
    if data.get("calibration") is not None:
        inner = Checker(top.mapping("calibration"), "calibration", {"method", "slope", "intercept"})
        if inner.data["method"] != "sigmoid":
            raise FormatError("its calibration is of no known method")
        calibration = inner.number("slope"), inner.number("intercept")
        if calibration[0] <= 0:
            raise FormatError("the slope of its calibration is not positive")
    target, about = top.text("target"), top.mapping("about")
    if earlier:
        return ClusterModel(features, rule, target, calibration, about)
    return ClusterModel(features, rule, target, calibration, about, *_further(top, features))


def _linear(part: dict[str, Any], count: int, earlier: bool) -> Linear:
    inner = Checker(part, "logistic", {*LISTS, *(() if earlier else BOUNDS), "intercept"})
    numbers = {name: inner.numbers(name, count) for name in LISTS}
    if np.any(numbers["scales"] <= 0):
        raise FormatError("a scale of logistic is not positive")
    if earlier:
        bounds = {"lows": np.full(count, -_WIDEST), "highs": np.full(count, _WIDEST)}
    else:
        bounds = {name: inner.numbers(name, count) for name in BOUNDS}
        if np.any(bounds["lows"] > bounds["highs"]):
            raise FormatError("a low of logistic exceeds its high")
    return Linear(**numbers, **bounds, intercept=inner.number("intercept"))


def _further(top: Checker, features: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...], Pooled]:
    scales, joined = (top.items(key, len(features)) for key in ("transforms", "joined"))
    if len(scales) != len(features) or any(scale not in TRANSFORMS for scale in scales):
        raise FormatError("its transforms are not a known scale for each feature")
    if any(name not in features for name in joined) or len(set(map(str, joined))) < len(joined):
        raise FormatError("it joins a column that is no feature, or one twice")
    part = Checker(top.mapping("pooled"), "pooled", {"level", "by"})
    try:
        pooled = Pooled(part.text("level"), part.text("by"))
    except ValueError as error:
        raise FormatError(str(error)) from error
    return tuple(scales), tuple(joined), pooled
