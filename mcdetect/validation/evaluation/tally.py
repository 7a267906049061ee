"""What is left of a detector's marks once they are matched: ratings of lesions and scores of false marks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcdetect.validation.evaluation.cases import Bools, Floats, Images, Ints
from mcdetect.validation.evaluation.matching import FALSE, Matching

__all__ = ["POOLS", "UNITS", "Axis", "Tally", "axes_of"]

POOLS = ("all", "normal")
UNITS = ("image", "cm2")


@dataclass(frozen=True)
class Axis:
    """How false positives are counted: on which images, and per what.

    Attributes
    ----------
    pool : {"all", "normal"}
        On all images or on normal ones only.
    unit : {"image", "cm2"}
        Per image or per cm2 of searched breast, of the same pool.
    """

    pool: str
    unit: str

    @property
    def label(self) -> str:
        """What the axis counts, in words."""
        unit = "image" if self.unit == "image" else "cm²"
        return f"false positives per {unit}, {self.pool} images"


@dataclass(frozen=True)
class Tally:
    """Ratings of one detector on n images of p patients.

    Attributes
    ----------
    rating : (k,) float64
        Of the lesions that count, minus infinity for missed ones.
    rating_image : (k,) int64
    false_score : (f,) float64
        Of the false marks.
    false_image : (f,) int64
    images : Images
    """

    rating: Floats
    rating_image: Ints
    false_score: Floats
    false_image: Ints
    images: Images

    @classmethod
    def of(
        cls, matching: Matching, score: Floats, mark_image: Ints, lesion_image: Ints, images: Images
    ) -> Tally:
        """Gather the ratings of a matching."""
        false = matching.status == FALSE
        counted = matching.counted
        return cls(matching.rating[counted], lesion_image[counted], score[false], mark_image[false], images)

    def subset(self, chosen: Bools) -> Tally:
        """Return the tally of some of the lesions; (k,) bool."""
        return Tally(
            self.rating[chosen], self.rating_image[chosen], self.false_score, self.false_image, self.images
        )

    def in_pool(self, pool: str) -> Bools:
        """Tell which images belong to a pool; (n,) bool."""
        return self.images.normal if pool == "normal" else np.ones(len(self.images.names), dtype=bool)

    def amount(self, axis: Axis) -> Floats:
        """Return what every image adds to the denominator of false positives; (n,) float64."""
        inside = self.in_pool(axis.pool)
        return np.where(inside, 1.0 if axis.unit == "image" else self.images.area_cm2, 0.0)

    def highest_false(self) -> Floats:
        """Return the score of the highest false mark of every image, minus infinity for none; (n,)."""
        highest = np.full(len(self.images.names), -np.inf)
        np.maximum.at(highest, self.false_image, self.false_score)
        return highest


def axes_of(images: Images, units: tuple[str, ...]) -> list[Axis]:
    """Return the ways to count false positives for which the denominators are known."""
    axes = []
    for pool in POOLS:
        inside = images.normal if pool == "normal" else np.ones(len(images.names), dtype=bool)
        for unit in units:
            known = unit == "image" or bool((images.area_cm2[inside] > 0).all())
            if inside.any() and known:
                axes.append(Axis(pool, unit))
    return axes
