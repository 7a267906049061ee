"""Finds microcalcifications in mammograms and flags the groups that matter.

For research use; not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Comparison": "mcdetect.exams.comparison.compare",
    "Config": "mcdetect.config",
    "Intent": "mcdetect.image.mammogram",
    "Mammogram": "mcdetect.image.mammogram",
    "McdetectError": "mcdetect.errors",
    "McdetectWarning": "mcdetect.errors",
    "PixelSpacing": "mcdetect.image.mammogram",
    "Result": "mcdetect.result.result",
    "Volume": "mcdetect.image.volume",
    "compare": "mcdetect.exams.comparison.compare",
    "detect": "mcdetect.pipeline.detection",
    "feature_dictionary": "mcdetect.clusters.features.dictionary",
    "read_mammogram": "mcdetect.readers.read",
    "read_volume": "mcdetect.readers.read",
}

__all__ = sorted([*_PUBLIC, "__version__"])

if TYPE_CHECKING:
    from mcdetect.clusters.features.dictionary import feature_dictionary as feature_dictionary
    from mcdetect.config import Config as Config
    from mcdetect.errors import McdetectError as McdetectError
    from mcdetect.errors import McdetectWarning as McdetectWarning
    from mcdetect.exams.comparison.compare import Comparison as Comparison
    from mcdetect.exams.comparison.compare import compare as compare
    from mcdetect.image.mammogram import Intent as Intent
    from mcdetect.image.mammogram import Mammogram as Mammogram
    from mcdetect.image.mammogram import PixelSpacing as PixelSpacing
    from mcdetect.image.volume import Volume as Volume
    from mcdetect.pipeline import detect as detect
    from mcdetect.readers.read import read_mammogram as read_mammogram
    from mcdetect.readers.read import read_volume as read_volume
    from mcdetect.result import Result as Result


def __getattr__(name: str) -> Any:
    """Import public names when they are first used, so that importing mcdetect is quick."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mcdetect' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
