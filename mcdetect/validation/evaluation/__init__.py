"""Detections against truth: matching rules, free-response curves, figures of merit and their intervals."""

from __future__ import annotations

from mcdetect.validation.evaluation.cluster_matching import CLUSTER_RULES
from mcdetect.validation.evaluation.matching import CALCIFICATION_RULES
from mcdetect.validation.evaluation.options import Options
from mcdetect.validation.evaluation.readers import TableError, read_table
from mcdetect.validation.evaluation.result import Evaluation
from mcdetect.validation.evaluation.study import FALSE_MARK, TRUE_MARK, evaluate

__all__ = [
    "CALCIFICATION_RULES",
    "CLUSTER_RULES",
    "FALSE_MARK",
    "TRUE_MARK",
    "Evaluation",
    "Options",
    "TableError",
    "evaluate",
    "read_table",
]
