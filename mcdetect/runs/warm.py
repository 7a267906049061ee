"""Compiled kernels on disk before several processes want them."""

from __future__ import annotations

import logging
from functools import cache

from mcdetect.config import Config

__all__ = ["compile_kernels"]

logger = logging.getLogger(__name__)


@cache
def compile_kernels(config: Config) -> None:
    """Fill the on-disk cache of compiled kernels, once, before several processes want them."""
    import numpy as np

    from mcdetect.pipeline import detect

    rng = np.random.default_rng(0)
    row, col = np.mgrid[:512, :384]
    breast = (row - 256.0) ** 2 + (0.9 * col) ** 2 < 230.0**2
    image = rng.normal(100.0, 10.0, breast.shape) + 1000.0 * breast
    image[200:300:20, 100:200:20] += 500.0
    try:
        detect(image.astype(np.float32), pixel_spacing_mm=0.1, config=config)
    except Exception as error:  # noqa: BLE001  (what is wrong will show, and be told, image by image)
        logger.debug("kernels were not all compiled ahead (%s)", type(error).__name__)
