"""COCO JSON: calcifications and groups as annotations, for tools in which people look at and correct them."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mcdetect import __version__
from mcdetect.output.files import write_text
from mcdetect.output.seam import Output, Results

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Coco"]

# Technical: numbers of the categories in the file.
_CALCIFICATION, _GROUP, _FLAGGED = 1, 2, 3
_CATEGORIES = {
    _CALCIFICATION: "calcification",
    _GROUP: "calcification cluster",
    _FLAGGED: "flagged calcification cluster",
}


class Coco(Output):
    """All images of a run in one COCO file.

    Notes
    -----
    Boxes are (x, y, width, height) in px; as COCO has it, they count from the corner of the first pixel,
    whose centre is at 0.5. The box of a calcification is the square of its diameter, that of a group holds
    the boxes of its members. `mcdetect.validation.datasets` reads the file as truth, so corrected annotations
    can be evaluated against. Ids count from 1 in the order of the images.
    """

    name: ClassVar[str] = "coco"
    files: ClassVar[tuple[str, ...]] = ("coco.json",)

    def close(self, folder: Path, results: Results) -> Mapping[str, int]:
        """Write the file."""
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, file in enumerate(results.files, start=1):
            row = results.rows("images", file).iloc[0].to_dict()
            images.append(_image(number, row))
            found = results.rows("calcifications", file), results.rows("clusters", file)
            for annotation in _annotations(*found, row):
                _, _, width, height = annotation["bbox"]
                place = {"id": len(annotations) + 1, "image_id": number}
                annotations.append(place | annotation | {"area": width * height, "iscrowd": 0})
        content = {
            "info": {"description": f"mcdetect {__version__}, for research use; not a medical device"},
            "images": images,
            "categories": [{"id": number, "name": name} for number, name in _CATEGORIES.items()],
            "annotations": annotations,
        }
        write_text(folder / self.files[0], json.dumps(content, ensure_ascii=False) + "\n")
        return {"coco": len(annotations)}


def _image(number: int, row: Mapping[Hashable, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": number,
        "file_name": row["file"],
        "height": int(row["rows"]),
        "width": int(row["cols"]),
    }
    if row["row_spacing_mm"] == row["col_spacing_mm"]:
        facts["pixel_spacing_mm"] = row["row_spacing_mm"]
    return facts | {name: row[name] for name in ("view", "laterality") if row[name]}


def _annotations(
    calcifications: pd.DataFrame, clusters: pd.DataFrame, image: Mapping[Hashable, Any]
) -> Iterator[dict[str, Any]]:
    half_rows = 0.5 * calcifications["diameter_mm"].to_numpy() / image["row_spacing_mm"]
    half_cols = 0.5 * calcifications["diameter_mm"].to_numpy() / image["col_spacing_mm"]
    x, y = calcifications["col_px"].to_numpy() + 0.5, calcifications["row_px"].to_numpy() + 0.5
    left, right, top, bottom = x - half_cols, x + half_cols, y - half_rows, y + half_rows
    scores, groups = calcifications["score"].to_numpy(), calcifications["cluster_id"].to_numpy()
    numbers, slices = (calcifications[name].to_numpy() for name in ("calcification_id", "slice"))
    for k in range(len(calcifications)):
        yield {
            "category_id": _CALCIFICATION,
            "bbox": _box(left[k], top[k], right[k], bottom[k]),
            "score": float(scores[k]),
            **_slice(slices[k]),
            "calcification_id": int(numbers[k]),
            "cluster_id": int(groups[k]),
        }
    for group in clusters.to_dict("records"):
        own = groups == group["cluster_id"]
        yield {
            "category_id": _FLAGGED if group["flagged"] else _GROUP,
            "bbox": _box(left[own].min(), top[own].min(), right[own].max(), bottom[own].max()),
            "score": float(group["score"]),
            **_slice(group["slice"]),
            "cluster_id": int(group["cluster_id"]),
            "suspicion": float(group["suspicion"]),
            "distribution": group["distribution"],
            "morphology": group["morphology"],
            "benign_kind": group["benign_kind"],
        }


def _slice(frame: float) -> dict[str, int]:
    """Return the frame of tomosynthesis, nothing for plain mammograms."""
    return {} if math.isnan(frame) else {"slice": int(frame)}


def _box(left: float, top: float, right: float, bottom: float) -> list[float]:
    """Return x, y, width and height, to a thousandth of a pixel."""
    return [round(float(value), 3) for value in (left, top, right - left, bottom - top)]
