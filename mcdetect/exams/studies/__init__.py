"""Images to examinations: groups seen in both views of a breast, and one row per examination."""

from mcdetect.exams.studies.copies import Trace, find_exposures, same_pixels, shared_instances
from mcdetect.exams.studies.grouping import GROUPINGS, ViewImage, group_images
from mcdetect.exams.studies.magnified import MagnifiedPair, match_magnified
from mcdetect.exams.studies.matching import Pairing, match_views
from mcdetect.exams.studies.tables import study_tables, tables_of_groups

__all__ = [
    "GROUPINGS",
    "MagnifiedPair",
    "Pairing",
    "Trace",
    "ViewImage",
    "find_exposures",
    "group_images",
    "match_magnified",
    "match_views",
    "same_pixels",
    "shared_instances",
    "study_tables",
    "tables_of_groups",
]
