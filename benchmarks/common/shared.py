"""Where the data lie that the project does not hold."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["DATA", "ROOT", "read_picture"]

ROOT = Path(__file__).resolve().parents[2]
"""The project."""
DATA = Path(os.environ.get("MCDETECT_SHARED_DATA") or ROOT.parent / "shared" / "data")
"""The folder of data sets: ``../shared/data`` beside the project, or what MCDETECT_SHARED_DATA names."""


def read_picture(path: Path) -> npt.NDArray[np.float32]:
    """Return the grey levels of a PNG or PGM; (rows, cols) float32.

    Raises
    ------
    SystemExit
        When it is no picture.
    """
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise SystemExit(f"{path.name} is no picture")
    return image.astype(np.float32)
