"""Overlays as PNG files, and names that are safe to give them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from mcdetect.output.files import signed_png, write_bytes
from mcdetect.output.seam import Output, Piece

if TYPE_CHECKING:
    from mcdetect.result import Result

__all__ = ["OVERLAY_FOLDER", "Overlays", "overlay_names", "write_png"]

OVERLAY_FOLDER = "overlays"

_LONGEST_NAME = 120  # Technical: characters of a file name, so that file systems and paths take it


@dataclass(frozen=True)
class Overlays(Output):
    """A picture of each image, as PNG.

    Parameters
    ----------
    names : mapping of str to str
        Name of the picture for each image, see `overlay_names`.
    """

    name: ClassVar[str] = "overlays"
    names: Mapping[str, str]

    def open(self, folder: Path) -> None:
        """Make the folder of the pictures."""
        (folder / OVERLAY_FOLDER).mkdir(exist_ok=True)

    def for_file(self, file: str) -> Overlays:
        """Return the same with the name of one picture."""
        return Overlays({file: self.names[file]})

    def add(self, folder: Path, file: str, result: Result) -> Piece:
        """Draw and write the picture of an image."""
        name = self.names[file]
        write_png(folder / OVERLAY_FOLDER / name, result.overlay())
        return Piece(files=[f"{OVERLAY_FOLDER}/{name}"])


def write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write an RGB picture as PNG; the file appears whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    picture : (rows, cols, 3) uint8 array
        Red, green and blue.
    """
    import cv2

    ok, data = cv2.imencode(
        ".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 3]
    )
    if not ok:
        raise ValueError("the picture cannot be encoded as PNG")
    write_bytes(path, signed_png(data.tobytes()))


def overlay_names(files: Sequence[str]) -> list[str]:
    """Return one PNG file name per image: flat, portable and unique.

    Parameters
    ----------
    files : sequence of str
        Names of images as in the tables, such as ``"site_a/IM0001.dcm"``.

    Returns
    -------
    list of str
        Such as ``"site_a__IM0001.png"``; images whose names would be equal on some file system
        also carry eight digits of a hash of their full name.
    """
    plain = [_plain(file) for file in files]
    count: dict[str, int] = {}
    for name in plain:
        count[name.casefold()] = count.get(name.casefold(), 0) + 1
    names = []
    for file, name in zip(files, plain, strict=True):
        if count[name.casefold()] > 1 or len(name) > _LONGEST_NAME:
            digest = hashlib.sha256(file.encode("utf-8", "surrogateescape")).hexdigest()[:8]
            name = f"{name[:_LONGEST_NAME]}-{digest}"
        names.append(f"{name}.png")
    return names


# Technical: what names of files may hold everywhere, and names that Windows keeps for itself.
_SUFFIX = re.compile(r"\.(dcm|dicom|dic|ima|bmp|jp2|jpe?g|pgm|png|pnm|tiff?)$", re.IGNORECASE)
_SLASHES = re.compile(r"[/\\]+")
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def _plain(file: str) -> str:
    stem = file[:-4] if file.endswith(".dcm") else _SUFFIX.sub("", file)
    name = _UNUSUAL.sub("_", _SLASHES.sub("__", stem)).strip(".")
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name
