"""Where the breast is: mask without labels and film edges, skin line, pectoral muscle."""

from __future__ import annotations

from mcdetect.breast.air import is_digital
from mcdetect.breast.find import find_breast
from mcdetect.breast.region import BreastRegion

__all__ = ["BreastRegion", "find_breast", "is_digital"]
