"""What a group is called: distribution, morphology, typically benign kinds, casting type, extent."""

from mcdetect.clusters.descriptors.benign import BENIGN_KINDS, BenignKinds, count_suspicious
from mcdetect.clusters.descriptors.describe import ClusterDescription, ImageDescription, describe_clusters
from mcdetect.clusters.descriptors.distribution import DISTRIBUTIONS, Distribution, describe_distribution
from mcdetect.clusters.descriptors.extent import Extent
from mcdetect.clusters.descriptors.morphology import MORPHOLOGIES, Morphology

__all__ = [
    "BENIGN_KINDS",
    "DISTRIBUTIONS",
    "MORPHOLOGIES",
    "BenignKinds",
    "ClusterDescription",
    "Distribution",
    "Extent",
    "ImageDescription",
    "Morphology",
    "count_suspicious",
    "describe_clusters",
    "describe_distribution",
]
