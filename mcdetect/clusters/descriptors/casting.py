"""Casting-type calcifications: fine linear and branching members that fill ducts."""

from __future__ import annotations

from mcdetect.clusters.descriptors.distribution import Distribution
from mcdetect.clusters.descriptors.morphology import Morphology
from mcdetect.clusters.descriptors.smooth import rising

__all__ = ["describe_casting"]


def describe_casting(distribution: Distribution, morphology: Morphology) -> float:
    """Return how far a group is of the casting type, 0 to 1.

    Fine linear members that lie in a line or in a segment: casts of ducts. Tabár and others (2004) found
    them in 7 % of invasive cancers of 1 to 14 mm, with a hazard ratio of death of 9.2 (95 % interval
    4.2 to 20.2); a population-based study of unifocal cancers found no significant difference (odds ratio
    1.6, 0.5 to 5.8). Arteries do not count: vascular members are no fine linear ones.

    Parameters
    ----------
    distribution : Distribution
    morphology : Morphology
    """
    ductal = distribution.linear + distribution.segmental
    return float(rising(morphology.fine_linear, 0.2, 0.5)) * ductal * (1.0 - morphology.vascular)
