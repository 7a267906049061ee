"""Individual score: how much a spot looks like a calcification, by a small boosted ensemble kept as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcdetect.errors import UnreadableFileError
from mcdetect.kernels.trees import MOST_LEAVES, Comparisons, compare_by_feature, sum_leaves
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.spots.second_look import SecondLook, default_second_look

__all__ = ["DigitalScore", "SpotModel", "default_spot_model", "digital_score"]

_HOPELESS = -8.0
"""Judged: below this the general model is sure: the other need not be asked. One spot in ten lies above."""
_FORMAT = "mcdetect spot model 1"
_AGAIN = "use a model that was fitted with this version of mcdetect"
_REMEDY = "use a model that python -m benchmarks spot_model wrote, whole"


@dataclass(frozen=True)
class SpotModel:
    """A boosted ensemble of decision trees over the features of a spot.

    Parameters
    ----------
    features : tuple of str
        Columns it expects, in order: those of `mcdetect.spots.appearance.FEATURE_NAMES`, or `ValueError`.
    base : float
        Log-odds before the first tree, shifted so that 0 is the operating point.
    roots, feature, left, right : int32 arrays
        The trees, see `mcdetect.kernels.trees.compare_by_feature`.
    threshold, value : float64 arrays
        Thresholds of the nodes and values of the leaves.
    about : dict
        How it was fitted.
    """

    features: tuple[str, ...]
    base: float
    roots: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float64]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    value: npt.NDArray[np.float64]
    about: dict[str, Any]

    def __post_init__(self) -> None:
        difference = _first_difference(self.features)
        if difference:
            raise ValueError(difference)
        arrays = (self.feature, self.threshold, self.left, self.right, self.value)
        if len({array.shape for array in arrays}) != 1:
            raise ValueError("a tree lacks entries")
        if self.feature.max(initial=-1) >= len(self.features):
            raise ValueError("a tree reads a feature that the model does not name")
        end = np.append(self.roots[1:], self.feature.size)
        end = np.repeat(end, np.diff(self.roots, append=self.feature.size))
        here = np.arange(self.feature.size)
        for child in (self.left, self.right):
            # Every walk ends: children lie behind their parent and inside its tree.
            if np.any((self.feature >= 0) & ((child <= here) | (child >= end))):
                raise ValueError("a tree is not in order")
        leaves = (
            np.add.reduceat(self.feature < 0, self.roots, dtype=np.int64) if self.roots.size else np.zeros(1)
        )
        if leaves.max() > MOST_LEAVES:
            raise ValueError(f"a tree has more than {MOST_LEAVES} leaves")

    @classmethod
    def load(cls, path: str | Path) -> SpotModel:
        """Read a model from a file.

        Parameters
        ----------
        path : path-like
            A JSON file as `python -m benchmarks spot_model` writes it.

        Raises
        ------
        UnreadableFileError
            When the file cannot be read, is no spot model, or was fitted on other features than this
            version measures; the message names the file, the cause and the remedy.
        """
        file = Path(path)
        try:
            return cls.from_json(file.read_text(encoding="utf-8"))
        except UnreadableFileError as error:
            raise error.with_path(file) from error.__cause__
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise UnreadableFileError(f"cannot be opened ({reason})", "check the path", file) from error
        except UnicodeDecodeError as error:
            raise UnreadableFileError("not UTF-8 text", _REMEDY, file) from error

    @classmethod
    def from_json(cls, text: str) -> SpotModel:
        """Read a model; only numbers and names are read, nothing is run.

        Raises
        ------
        UnreadableFileError
            When the text is no spot model, or its features are not those of `FEATURE_NAMES`, in order.
        """
        try:
            data = json.loads(text)
            if not isinstance(data, dict) or data.get("format") != _FORMAT:
                raise ValueError(f"not a spot model (expected the format {_FORMAT!r})")
            names = tuple(str(name) for name in data["features"])
            difference = _first_difference(names)
            if difference:
                raise UnreadableFileError(f"the spot model does not fit: {difference}", _AGAIN)
            return cls._from_trees(names, data)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            cause = str(error) if type(error) is ValueError else type(error).__name__
            raise UnreadableFileError(f"no usable spot model ({cause})", _REMEDY) from error

    @classmethod
    def _from_trees(cls, names: tuple[str, ...], data: dict[str, Any]) -> SpotModel:
        trees = data["trees"]
        sizes = [len(tree["feature"]) for tree in trees]
        roots = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int32)

        def joined(key: str, dtype: type) -> npt.NDArray[Any]:
            return np.concatenate([np.asarray(tree[key], dtype) for tree in trees])

        shift = np.repeat(roots, sizes)
        return cls(
            features=names,
            base=float(data["base"]),
            roots=roots,
            feature=joined("feature", np.int32),
            threshold=joined("threshold", np.float64),
            left=(joined("left", np.int32) + shift).astype(np.int32),
            right=(joined("right", np.int32) + shift).astype(np.int32),
            value=joined("value", np.float64),
            about=dict(data.get("about", {})),
        )

    def log_odds(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the score on the log-odds scale; 0 is the operating point.

        Parameters
        ----------
        features : (n, len(self.features)) float32 array

        Returns
        -------
        (n,) float64 array
        """
        if features.ndim != 2 or features.shape[1] != len(self.features):
            raise ValueError(f"expected {len(self.features)} features, got shape {features.shape}")
        out = np.empty(features.shape[0], np.float64)
        rows = np.ascontiguousarray(features, np.float32)
        sum_leaves(rows, self._comparisons, out)
        return out + self.base

    @cached_property
    def _comparisons(self) -> Comparisons:
        return compare_by_feature(
            self.roots,
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.value,
            len(self.features),
        )


def _first_difference(names: tuple[str, ...]) -> str | None:
    """Say where a model's features differ from those that are measured; None when they do not."""
    for place, (given, measured) in enumerate(zip_longest(names, FEATURE_NAMES), start=1):
        if given != measured:
            has = "ends" if given is None else f"has {given!r}"
            here = "nothing more" if measured is None else repr(measured)
            return f"at feature {place} it {has}, while this version of mcdetect measures {here}"
    return None


@dataclass(frozen=True)
class DigitalScore:
    """The individual score for digital images: the mean of two models on the log-odds scale.

    The general model knows more forms of calcifications, the digital one what tissue looks like on real
    digital images. What lies around a spot, and where, is told by the second look.

    Parameters
    ----------
    general, digital : SpotModel
    second : SecondLook, optional
    """

    general: SpotModel
    digital: SpotModel
    second: SecondLook | None = None

    def log_odds(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the score on the log-odds scale; 0 is the operating point.

        Parameters
        ----------
        features : (n, features) float32 array

        Returns
        -------
        (n,) float64 array
        """
        out = self.general.log_odds(features)
        likely = np.flatnonzero(out > _HOPELESS)
        out[likely] = 0.5 * (out[likely] + self.digital.log_odds(features[likely]))
        return out


@cache
def default_spot_model() -> SpotModel:
    """Return the general model that comes with the package (`python -m benchmarks spot_model` made it).

    It serves films, where dust looks like calcifications, and whatever may be one.
    """
    return _shipped("spot_model.json")


@cache
def digital_score() -> DigitalScore:
    """Return the score for digital images (`python -m benchmarks spot_model_digital` made its second)."""
    return DigitalScore(default_spot_model(), _shipped("spot_model_digital.json"), default_second_look())


def _shipped(name: str) -> SpotModel:
    with resources.as_file(resources.files("mcdetect.models").joinpath(name)) as file:
        return SpotModel.load(file)
