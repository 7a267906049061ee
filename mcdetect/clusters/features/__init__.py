"""What a group looks like: extent, direction, spacing, topology and the spread of its members' measures.

One file holds one kind of feature; `build` computes all of them, `dictionary` says what each one is.
"""

from __future__ import annotations

from mcdetect.clusters.features.build import build_features, cluster_features
from mcdetect.clusters.features.concave import concave_area
from mcdetect.clusters.features.dictionary import Feature, feature_dictionary, unstable_features
from mcdetect.clusters.features.hull import convex_hull, hull_measures, smallest_rectangle
from mcdetect.clusters.features.kinds import kind_fractions
from mcdetect.clusters.features.spread import group_spread
from mcdetect.clusters.features.topology import join_curves
from mcdetect.clusters.features.tree import spanning_tree

__all__ = [
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
    "unstable_features",
]
