"""Detections against truth: matching rules, free-response curves, figures of merit and their intervals."""

from __future__ import annotations

from mcdetect.evaluation.cluster_matching import CLUSTER_RULES
from mcdetect.evaluation.matching import CALCIFICATION_RULES
from mcdetect.evaluation.options import Options
from mcdetect.evaluation.readers import TableError, read_table
from mcdetect.evaluation.result import Evaluation
from mcdetect.evaluation.study import evaluate

__all__ = [
    "CALCIFICATION_RULES",
    "CLUSTER_RULES",
    "Evaluation",
    "Options",
    "TableError",
    "evaluate",
    "read_table",
]
