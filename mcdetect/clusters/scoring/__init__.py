"""Scores of a group: how sure the detector is of it, and how suspicious it looks, with the reasons."""

from mcdetect.clusters.scoring.confidence import score_groups
from mcdetect.clusters.scoring.suspicion import CONTRIBUTIONS, Feature, Scorer, Term, default_scorer

__all__ = ["CONTRIBUTIONS", "Feature", "Scorer", "Term", "default_scorer", "score_groups"]
