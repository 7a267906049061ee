"""Suspicion index of a group: a sum of readable contributions, with the evidence for each."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from mcdetect.errors import UnreadableFileError
from mcdetect.schema import CLUSTERS

__all__ = ["CONTRIBUTIONS", "Feature", "Scorer", "Term", "default_scorer"]

_FORMAT = "mcdetect suspicion index 1"
_REMEDY = "use a file that Scorer.to_json wrote, or mend it after mcdetect/models/suspicion.json"
_FITTING = "use the file that belongs to this version of mcdetect: install mcdetect again"
_LARGEST_BYTES = 1_000_000  # Technical: larger files are refused unread
_SCALES = ("linear", "log")
_COMBINE = ("sum", "strongest")
_MOST = 20.0  # Technical: log-odds beyond it are a mistake in the file

CONTRIBUTIONS: tuple[str, ...] = (
    "distribution",
    "morphology",
    "density",
    "benign",
    "casting",
    "crowding",
    "breadth",
)
"""Features of the scorer that comes with the package, in the order of their columns in clusters.csv."""


@dataclass(frozen=True)
class Term:
    """What one column of clusters.csv adds: coefficient * (value - reference).

    Parameters
    ----------
    column : str
        Name of the column.
    coefficient : float
        Log-odds per unit of the scaled value.
    reference : float
        Value that adds nothing, in the unit of the column.
    scale : {"linear", "log"}
        Whether the value or its natural logarithm counts.
    low, high : float
        The value is taken as no less and no more than these.
    """

    column: str
    coefficient: float
    reference: float = 0.0
    scale: str = "linear"
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.coefficient, self.reference, self.low, self.high)
        if not (self.column and all(math.isfinite(number) for number in numbers)):
            raise ValueError(f"{self.column or 'a term'}: needs a column and finite numbers")
        if abs(self.coefficient) > _MOST:
            raise ValueError(f"{self.column}: a coefficient beyond {_MOST:g} is no log-odds of a feature")
        if self.scale not in _SCALES:
            raise ValueError(f"{self.column}: scale must be one of {', '.join(_SCALES)}, got {self.scale!r}")
        if not self.low <= self.high:
            raise ValueError(f"{self.column}: low must not exceed high")
        if self.scale == "log" and not (self.low > 0 and self.reference > 0):
            raise ValueError(f"{self.column}: low and reference must be positive on a log scale")

    def contribution(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the log-odds that values add; 0 for a value that is not known."""
        known = np.isfinite(values)
        inside = np.clip(np.where(known, values, self.reference), self.low, self.high)
        on_log = self.scale == "log"
        change = np.log(inside) - math.log(self.reference) if on_log else inside - self.reference
        added: npt.NDArray[np.float64] = np.where(known, self.coefficient * change, 0.0)
        return added


@dataclass(frozen=True)
class Feature:
    """A reason: one or several terms, reported as one contribution.

    Parameters
    ----------
    name : str
        Its contribution is the column ``suspicion_<name>``.
    terms : tuple of Term
    combine : {"sum", "strongest"}
        Whether the terms add up, or only the one farthest from 0 counts.
    evidence : tuple of dict
        Where the coefficients come from: claim, source, and whether it was verified.
    """

    name: str
    terms: tuple[Term, ...]
    combine: str = "sum"
    evidence: tuple[dict[str, Any], ...] = ()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"{self.name!r} is no name for a feature: use letters, digits and _")
        if not self.terms:
            raise ValueError(f"{self.name}: needs at least one term")
        if self.combine not in _COMBINE:
            raise ValueError(
                f"{self.name}: combine must be one of {', '.join(_COMBINE)}, got {self.combine!r}"
            )


@dataclass(frozen=True)
class Scorer:
    """Additive log-odds over a few features of a group.

    The index is 100 / (1 + exp(-(base + sum of contributions))). It orders groups by how suspicious they
    look; it was not calibrated on labelled cases and is no probability.

    Parameters
    ----------
    name : str
        Name of this set of coefficients.
    base : float
        Log-odds of a group whose every feature has its reference value.
    features : tuple of Feature
    about : dict
        Remarks on how the coefficients were chosen.

    Examples
    --------
    >>> scored = default_scorer().score(result.clusters)  # doctest: +SKIP
    """

    name: str
    base: float
    features: tuple[Feature, ...]
    about: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not math.isfinite(self.base) or abs(self.base) > _MOST:
            raise ValueError(f"base must be finite and within {_MOST:g}")
        names = [feature.name for feature in self.features]
        if not names or len(set(names)) != len(names):
            raise ValueError("features must be given, each name once")

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of clusters.csv that the scorer reads."""
        return tuple(term.column for feature in self.features for term in feature.terms)

    def score(self, clusters: pd.DataFrame | Mapping[str, npt.ArrayLike]) -> pd.DataFrame:
        """Score groups.

        Parameters
        ----------
        clusters : DataFrame or mapping of str to (n,) array-like
            Columns of `mcdetect.schema.CLUSTERS`. A value that is missing adds nothing; a column that is
            missing is an error, since then every group would look as if the feature had its reference value.

        Returns
        -------
        DataFrame
            suspicion (0 to 100) and one column suspicion_<feature> of log-odds for each feature, with the
            index of `clusters`.
        """
        lacking = sorted(set(self.columns) - set(clusters.keys()))
        if lacking:
            raise ValueError(f"the scorer {self.name!r} needs the columns {', '.join(lacking)}")
        index = clusters.index if isinstance(clusters, pd.DataFrame) else None
        added: dict[str, npt.NDArray[np.float64]] = {}
        for feature in self.features:
            parts = np.stack(
                [
                    term.contribution(np.asarray(clusters[term.column], dtype=np.float64))
                    for term in feature.terms
                ]
            )
            if feature.combine == "sum":
                added[feature.name] = parts.sum(axis=0)
            else:
                strongest = np.argmax(np.abs(parts), axis=0)
                added[feature.name] = np.take_along_axis(parts, strongest[None], axis=0)[0]
        total = self.base + np.sum(list(added.values()), axis=0)
        columns = {"suspicion": 100.0 * expit(total)}
        columns |= {f"suspicion_{name}": values for name, values in added.items()}
        return pd.DataFrame(columns, index=index)

    def as_dict(self) -> dict[str, Any]:
        """Return the scorer as plain dictionaries, lists, text and numbers."""
        return {
            "format": _FORMAT,
            "name": self.name,
            "about": self.about,
            "base": self.base,
            "features": [
                {
                    "name": feature.name,
                    "combine": feature.combine,
                    "terms": [asdict(term) for term in feature.terms],
                    "evidence": list(feature.evidence),
                }
                for feature in self.features
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scorer:
        """Build a scorer from what `as_dict` returns; `ValueError` says what is wrong."""
        if not isinstance(data, Mapping) or data.get("format") != _FORMAT:
            raise ValueError(f"not a suspicion index (expected format {_FORMAT!r})")
        _only(data, "the file", {"format", "name", "about", "base", "features"})
        features = []
        for entry in _typed(data, "features", list):
            _only(entry, "a feature", {"name", "combine", "terms", "evidence"})
            terms = []
            for term in _typed(entry, "terms", list):
                _only(term, "a term", {"column", "coefficient", "reference", "scale", "low", "high"})
                numbers = {
                    k: _number(term, k) for k in ("coefficient", "reference", "low", "high") if k in term
                }
                if "coefficient" not in numbers:
                    raise ValueError("a term has no coefficient")
                words = {k: _typed(term, k, str) for k in ("column", "scale") if k in term}
                terms.append(Term(**{"column": "", **words, **numbers}))
            features.append(
                Feature(
                    name=_typed(entry, "name", str),
                    terms=tuple(terms),
                    combine=str(entry.get("combine", "sum")),
                    evidence=tuple(
                        dict(note) for note in entry.get("evidence", []) if isinstance(note, Mapping)
                    ),
                )
            )
        about = data.get("about", {})
        return cls(
            name=_typed(data, "name", str),
            base=_number(data, "base"),
            features=tuple(features),
            about=dict(about) if isinstance(about, Mapping) else {},
        )

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the scorer as JSON, and write it when a path is given."""
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    @classmethod
    def from_json(cls, path: str | Path) -> Scorer:
        """Read a scorer from a file; only names and numbers are read, nothing is ever run.

        Parameters
        ----------
        path : path-like
            A JSON file as `to_json` writes it.

        Raises
        ------
        UnreadableFileError
            When the file is missing, too large, no JSON or no scorer; the message says which and what to do.
        """
        file = Path(path)
        try:
            if file.stat().st_size > _LARGEST_BYTES:
                raise UnreadableFileError("too large for a scorer", _REMEDY, file)
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise UnreadableFileError(
                f"cannot be read ({error.strerror})", "check the path and your rights", file
            ) from error
        except UnicodeDecodeError as error:
            raise UnreadableFileError("not UTF-8 text", _REMEDY, file) from error
        return cls._from_text(text, file)

    @classmethod
    def _from_text(cls, text: str, file: Path | None) -> Scorer:
        try:
            return cls.from_dict(json.loads(text, parse_constant=_no_constant))
        except json.JSONDecodeError as error:
            raise UnreadableFileError(f"not valid JSON (line {error.lineno})", _REMEDY, file) from error
        except RecursionError as error:
            raise UnreadableFileError("nested too deeply", _REMEDY, file) from error
        except ValueError as error:
            raise UnreadableFileError(f"no usable scorer: {error}", _REMEDY, file) from error


@cache
def default_scorer() -> Scorer:
    """Return the scorer that comes with the package; its file names the evidence for each coefficient."""
    with resources.as_file(resources.files("mcdetect.models").joinpath("suspicion.json")) as file:
        scorer = Scorer.from_json(file)
        names = tuple(feature.name for feature in scorer.features)
        if names != CONTRIBUTIONS:
            cause = f"its features are {', '.join(names)}, not {', '.join(CONTRIBUTIONS)}"
            raise UnreadableFileError(cause, _FITTING, file)
        lacking = sorted(set(scorer.columns) - {column.name for column in CLUSTERS})
        if lacking:
            raise UnreadableFileError(f"it reads {lacking[0]}, which groups do not have", _FITTING, file)
    return scorer


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no usable number")


def _only(entry: Any, what: str, known: set[str]) -> None:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{what} must be an object")
    unknown = sorted(set(entry) - known)
    if unknown:
        raise ValueError(f"{what} has the unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")


def _typed(entry: Mapping[str, Any], key: str, kind: type) -> Any:
    value = entry.get(key)
    if not isinstance(value, kind):
        raise ValueError(f"{key} must be given as {kind.__name__}")
    return value


def _number(entry: Mapping[str, Any], key: str) -> float:
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9:
        raise ValueError(f"{key} must be a finite number")
    return float(value)
