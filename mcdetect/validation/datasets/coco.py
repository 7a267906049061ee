"""Reads COCO JSON: images with boxes, polygons or uncompressed run lengths."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.validation.datasets.base import Finding, Kind
from mcdetect.validation.datasets.shapes import Box, Outline, Runs, Shape

__all__ = ["CocoImage", "read_coco"]

_FACTS = {
    "patient": "patient",
    "patient_id": "patient",
    "view": "view",
    "laterality": "laterality",
    "pixel_spacing_mm": "pixel spacing mm",
}


@dataclass(frozen=True)
class CocoImage:
    """One image of a COCO file.

    Parameters
    ----------
    facts : dict of str to str
        "patient", "view", "laterality" and "pixel spacing mm", where the file gives them.
    shapes : tuple of (str, Shape)
        Category and place of every annotation.
    grid : (int, int) or None
        Rows and columns that were annotated.
    """

    facts: dict[str, str]
    shapes: tuple[tuple[str, Shape], ...]
    grid: tuple[int, int] | None

    def findings(self, kind_of: Callable[[str], Kind]) -> tuple[Finding, ...]:
        """Return the annotations, their kind told by their category."""
        return tuple(
            Finding(kind_of(name), shape, {"name": name} if name else {}, self.grid)
            for name, shape in self.shapes
        )


def read_coco(path: Path) -> dict[str, CocoImage | InputFileError]:
    """Return the images of a COCO file by file name; those with an unusable entry as an error.

    Raises
    ------
    UnreadableFileError
        If the file cannot be read or is no COCO file.
    """
    try:
        content = json.loads(path.read_bytes())
        images = {image["id"]: image for image in content["images"]}
        names = {item["id"]: str(item.get("name", "")) for item in content.get("categories") or ()}
        by_image: dict[Any, list[dict[str, Any]]] = {key: [] for key in images}
        strays = 0
        for annotation in content.get("annotations") or ():
            if annotation["image_id"] in by_image:
                by_image[annotation["image_id"]].append(annotation)
            else:
                strays += 1
    except OSError as error:
        raise UnreadableFileError(
            f"cannot be opened ({error.strerror})", "check that it exists and may be read", path
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise UnreadableFileError(
            f"it is no COCO file ({type(error).__name__})",
            "give JSON with images, annotations and categories",
            path,
        ) from error
    found: dict[str, CocoImage | InputFileError] = {}
    for key, image in images.items():
        name = str(image.get("file_name", "")) if isinstance(image, dict) else ""
        try:
            found[name] = _image(image, by_image[key], names)
        except (InputFileError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            cause = error.cause if isinstance(error, InputFileError) else type(error).__name__
            found[name] = UnreadableFileError(
                f"an annotation of image {key!r:.40} cannot be used ({cause})", "correct the file", path
            )
    if strays:
        found[""] = UnreadableFileError(
            f"{strays} annotations belong to no image of the file", "correct the file", path
        )
    return found


def _image(image: dict[str, Any], annotations: list[dict[str, Any]], names: dict[Any, str]) -> CocoImage:
    facts = {fact: str(image[key]) for key, fact in _FACTS.items() if image.get(key) is not None}
    grid = None
    if image.get("height") and image.get("width"):
        grid = (int(image["height"]), int(image["width"]))
    shapes: list[tuple[str, Shape]] = []
    for annotation in annotations:
        name = names.get(annotation.get("category_id"), "")
        shapes += [(name, shape) for shape in _shapes(annotation)]
    return CocoImage(facts, tuple(shapes), grid)


def _shapes(annotation: dict[str, Any]) -> list[Shape]:
    """Return the polygons or runs of an annotation, else its box.

    Positions in COCO count from the corner of the first pixel, whose centre is at 0.5.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        if not isinstance(segmentation["counts"], list):
            raise UnreadableFileError("compressed run lengths", "save polygons or uncompressed run lengths")
        rows, cols = (int(size) for size in segmentation["size"])
        return [Runs(tuple(int(count) for count in segmentation["counts"]), rows, cols)]
    if segmentation:
        return [
            Outline(
                tuple(
                    (float(y) - 0.5, float(x) - 0.5)
                    for x, y in zip(polygon[0::2], polygon[1::2], strict=True)
                )
            )
            for polygon in segmentation
        ]
    x, y, width, height = (float(value) for value in annotation["bbox"])
    return [Box(y, x, y + height, x + width)]
