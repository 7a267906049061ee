"""Where a mammogram comes from, before it is read; light enough to be sent to a worker."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mcdetect.image.mammogram import Mammogram
    from mcdetect.image.volume import Volume

__all__ = ["ImageFile", "OpenedFile", "ReadOptions", "Source"]


class Source(Protocol):
    """Where a mammogram comes from: `ImageFile`, or a case of a data set."""

    @property
    def path(self) -> Path:
        """The file."""

    def read(self) -> Mammogram | Volume:
        """Read it; of a stack of slices only the header."""


@dataclass(frozen=True)
class ReadOptions:
    """How the files of a run are read, see `mcdetect.read_mammogram`.

    Parameters
    ----------
    pixel_spacing_mm : float, optional
    force : bool
    magnification : float, optional
    specimens : bool
    """

    pixel_spacing_mm: float | None = None
    force: bool = False
    magnification: float | None = None
    specimens: bool = False

    def source(self, path: Path, name: str, member: str | None = None) -> ImageFile:
        """Return a file, or one within an archive, that is read so."""
        return ImageFile(
            path, name, self.pixel_spacing_mm, self.force, member, self.magnification, self.specimens
        )


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
    magnification : float, optional
        Of magnification views whose header does not tell it.
    specimens : bool
        Also read radiographs of specimens.
    """

    path: Path
    name: str
    pixel_spacing_mm: float | None = None
    force: bool = False
    member: str | None = None
    magnification: float | None = None
    specimens: bool = False

    def read(self) -> Mammogram | Volume:
        """Read the image; it carries `name`, never the path."""
        from mcdetect.readers.read import read_image

        image = read_image(
            self.path,
            pixel_spacing_mm=self.pixel_spacing_mm,
            force=self.force,
            member=self.member,
            magnification=self.magnification,
            specimens=self.specimens,
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
