"""One file to one result: the one way in for batches, benchmarks and comparisons of files."""

from __future__ import annotations

import dataclasses
import logging

from mcdetect.config import Config
from mcdetect.pipeline.clock import Clock
from mcdetect.pipeline.detection import detect
from mcdetect.readers.image_file import Source
from mcdetect.result import Result
from mcdetect.spots.score import DigitalScore, SpotModel

__all__ = ["detect_file"]

logger = logging.getLogger(__name__)


def detect_file(
    source: Source, config: Config | None = None, *, spot_model: SpotModel | DigitalScore | None = None
) -> Result:
    """Read one mammogram and detect in it.

    Parameters
    ----------
    source : Source
        The file, or a case of a data set.
    config : Config, optional
        Options of the detector.
    spot_model : SpotModel or DigitalScore, optional
        Individual score of spots, instead of the one that comes with the package.

    Returns
    -------
    Result
        Its `seconds` hold the time of reading, too.

    Raises
    ------
    InputFileError
        It cannot be read or searched; the message names the file, the cause and the remedy.
    """
    clock = Clock()
    with clock.stage("read"):
        image = source.read()
    spacing = image.spacing
    logger.info("%s: %d x %d px, %.4g mm (%s)", image.source, *image.shape, spacing.mean_mm, spacing.source)
    found = detect(image, config=config, spot_model=spot_model)
    return dataclasses.replace(found, seconds=clock.seconds | found.seconds)
