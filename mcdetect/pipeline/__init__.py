"""The only place that composes stages: `search` finds candidates, `detect` makes a result of them."""

from mcdetect.pipeline.detection import detect
from mcdetect.pipeline.files import detect_file
from mcdetect.pipeline.searching import Searched, search

__all__ = ["Searched", "detect", "detect_file", "search"]
