"""Compile every kernel that a detection uses, before it is needed."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mcdetect.config import Config

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["compile_kernels", "fill_cache"]

_log = logging.getLogger(__name__)


def fill_cache(config: Config | None = None) -> Path | None:
    """Search a drawn image, so that every kernel is compiled and kept on disk.

    Parameters
    ----------
    config : Config, optional
        Options of the detector.

    Returns
    -------
    Path or None
        Folder in which the kernels are now; None when there is no folder that can be written.
    """
    from mcdetect.kernels.cache import version_folder
    from mcdetect.pipeline import detect

    detect(_drawing(), pixel_spacing_mm=0.1, config=config)
    return version_folder()


def _drawing() -> npt.NDArray[np.float32]:
    """Draw a small breast with a group of specks and two rows of them, so that no stage is passed over."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    row, col = np.mgrid[:512, :384]
    breast = (row - 256.0) ** 2 + (0.9 * col) ** 2 < 230.0**2
    specks = np.zeros(breast.shape)
    specks[200:300:20, 60:140:20] = 1.0
    specks[150:370:10, 180] = specks[150:370:10, 192] = 1.0
    image = 100.0 + 1000.0 * breast + rng.normal(0.0, 10.0, breast.shape)
    drawing: npt.NDArray[np.float32] = (image + 600.0 * gaussian_filter(specks, 1.0)).astype(np.float32)
    return drawing


@cache
def compile_kernels(config: Config) -> None:
    """Fill the cache of compiled kernels, once, before several processes want them."""
    try:
        fill_cache(config)
    except Exception as error:  # noqa: BLE001  (what is wrong will show, and be told, image by image)
        _log.debug("kernels were not all compiled ahead (%s)", type(error).__name__)
