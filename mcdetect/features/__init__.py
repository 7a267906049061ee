"""What a group looks like: extent, direction, spacing, topology and the spread of its members' measures.

One file holds one kind of feature; `build` computes all of them, `dictionary` says what each one is.
"""

from __future__ import annotations

from mcdetect.features.build import build_features, cluster_features
from mcdetect.features.concave import concave_area
from mcdetect.features.dictionary import Feature, feature_dictionary
from mcdetect.features.hull import GROWTH_MM, convex_hull, hull_measures, smallest_rectangle
from mcdetect.features.kinds import kind_fractions
from mcdetect.features.spread import group_spread
from mcdetect.features.topology import join_curves
from mcdetect.features.tree import spanning_tree

__all__ = [
    "GROWTH_MM",
    "Feature",
    "build_features",
    "cluster_features",
    "concave_area",
    "convex_hull",
    "feature_dictionary",
    "group_spread",
    "hull_measures",
    "join_curves",
    "kind_fractions",
    "smallest_rectangle",
    "spanning_tree",
]
