"""What an evaluation can be asked for."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from mcdetect.validation.evaluation.cluster_matching import CLUSTER_RULES
from mcdetect.validation.evaluation.matching import CALCIFICATION_RULES

__all__ = ["TARGETS", "Options"]

TARGETS = ("calcifications", "clusters")

# Judged: where the curves of detectors bend. At so many false positives per image, or per cm2 of
# breast, the sensitivity is given.
_RATES = {
    ("calcifications", "image"): (1.0, 2.0, 5.0, 10.0, 20.0),
    ("calcifications", "cm2"): (0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0),
    ("clusters", "image"): (0.05, 0.1, 0.2, 0.5, 1.0, 2.0),
    ("clusters", "cm2"): (),
}

# Judged: false positives up to which the area under the curve is taken.
_LIMITS = {
    ("calcifications", "image"): 10.0,
    ("calcifications", "cm2"): 1.0,
    ("clusters", "image"): 1.0,
    ("clusters", "cm2"): 0.01,
}

# Judged: false positives at which parts of the truth are compared.
_REFERENCE = {
    ("calcifications", "image"): 5.0,
    ("calcifications", "cm2"): 0.4,
    ("clusters", "image"): 0.2,
    ("clusters", "cm2"): 0.002,
}


@dataclass(frozen=True)
class Options:
    """Options of `evaluate`; None means the usual choice for the target.

    Parameters
    ----------
    target : {"calcifications", "clusters"}
    rule : str, optional
        Matching rule: ``hdogreg`` (usual), ``calcdet`` or ``lenient`` for calcifications, ``kallergi1999``
        (usual), ``centroid`` or ``dbtex`` for clusters; with ``_many`` behind its name, a rule lets one
        group find several clusters.
    rates_per_image, rates_per_cm2 : tuple of float, optional
        False positives at which sensitivity is reported.
    limit_per_image, limit_per_cm2 : float, optional
        Where the partial area ends.
    min_snr : float, optional
        True calcifications of lower SNR do not count.
    min_members : int
        True clusters known by fewer calcifications do not count.
    flagged_only : bool
        Of a table of clusters with a column ``flagged``, take the flagged ones.
    spacing_mm : float, optional
        Pixel spacing of images for which no table gives one.
    name_match : {"exact", "stem"}
        Compare whole image names, or their last part without folder and extension.
    samples : int
        Bootstrap samples, 0 for none.
    confidence : float
        Of the intervals.
    seed : int
        Of the resampling.
    """

    target: str = "calcifications"
    rule: str | None = None
    rates_per_image: tuple[float, ...] | None = None
    rates_per_cm2: tuple[float, ...] | None = None
    limit_per_image: float | None = None
    limit_per_cm2: float | None = None
    min_snr: float | None = None
    min_members: int = 5
    flagged_only: bool = True
    spacing_mm: float | None = None
    name_match: str = "exact"
    samples: int = 1000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.target not in TARGETS:
            raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {self.target!r}")
        rules = CALCIFICATION_RULES if self.target == "calcifications" else CLUSTER_RULES
        if self.rule is not None and self.rule not in rules:
            raise ValueError(f"rule for {self.target} must be one of {', '.join(rules)}, not {self.rule!r}")
        for name in ("rates_per_image", "rates_per_cm2"):
            values = getattr(self, name)
            if values is not None and not all(0 < value < float("inf") for value in values):
                raise ValueError(f"{name} must be positive numbers, not {values}")
        for name in ("limit_per_image", "limit_per_cm2"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a positive number, not {value}")
        if self.min_members < 1:
            raise ValueError(f"min_members must be at least 1, not {self.min_members}")
        if self.samples < 0:
            raise ValueError(f"samples must not be negative, not {self.samples}")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must lie between 0 and 1, not {self.confidence}")

    @property
    def rule_name(self) -> str:
        """The matching rule."""
        usual = "hdogreg" if self.target == "calcifications" else "kallergi1999"
        return usual if self.rule is None else self.rule

    @property
    def rule_meaning(self) -> str:
        """What the matching rule asks."""
        if self.target == "calcifications":
            return CALCIFICATION_RULES[self.rule_name].meaning
        return CLUSTER_RULES[self.rule_name].meaning

    @property
    def units(self) -> tuple[str, ...]:
        """Units of false positives with any rate to report."""
        return tuple(unit for unit in ("cm2", "image") if self.rates(unit))

    def rates(self, unit: str) -> tuple[float, ...]:
        """Return the rates of false positives to report, rising."""
        own = self.rates_per_image if unit == "image" else self.rates_per_cm2
        return _RATES[self.target, unit] if own is None else tuple(sorted(set(own)))

    def limit(self, unit: str) -> float:
        """Return where the partial area ends."""
        own = self.limit_per_image if unit == "image" else self.limit_per_cm2
        return _LIMITS[self.target, unit] if own is None else own

    def reference(self, unit: str) -> float:
        """Return the rate at which the bins are shown on screen."""
        return min(self.rates(unit), key=lambda rate: abs(rate - _REFERENCE[self.target, unit]))

    def replace(self, **changes: object) -> Options:
        """Return the same options with some changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
