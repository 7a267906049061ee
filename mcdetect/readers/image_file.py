"""Where a mammogram comes from, before it is read; light enough to be sent to a worker."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcdetect.image.mammogram import Mammogram
    from mcdetect.image.volume import Volume

__all__ = ["ImageFile", "OpenedFile", "Source"]


class Source(Protocol):
    """Where a mammogram comes from: `ImageFile`, or a case of a data set."""

    @property
    def path(self) -> Path:
        """The file."""

    def read(self) -> Mammogram | Volume:
        """Read it; of a stack of slices only the header."""


@dataclass(frozen=True)
class ImageFile:
    """A file of a mammogram.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What it is called in tables and messages.
    pixel_spacing_mm : float, optional
        Spacing in mm, for images whose header has none.
    force : bool
        Also read images that are not taken for plain mammograms.
    member : str, optional
        Its name within `path`, a zip archive.
    """

    path: Path
    name: str
    pixel_spacing_mm: float | None = None
    force: bool = False
    member: str | None = None

    def read(self) -> Mammogram | Volume:
        """Read the image; it carries `name`, never the path."""
        from mcdetect.readers.read import read_image

        image = read_image(
            self.path, pixel_spacing_mm=self.pixel_spacing_mm, force=self.force, member=self.member
        )
        return dataclasses.replace(image, source=self.name)

    def opened(self) -> OpenedFile:
        """Read the image now, and keep it."""
        return OpenedFile(self.path, self.read())


@dataclass(frozen=True)
class OpenedFile:
    """A mammogram that was read already.

    Parameters
    ----------
    path : Path
        Its file.
    image : Mammogram or Volume
        What was read.
    """

    path: Path
    image: Mammogram | Volume

    def read(self) -> Mammogram | Volume:
        """Return the image."""
        return self.image
