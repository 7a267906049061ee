"""What became of each input of a run, read from its store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from mcdetect.output.tables import SCHEMAS
from mcdetect.runs.ledger import told
from mcdetect.runs.report import ImageReport
from mcdetect.runs.store import Store
from mcdetect.runs.worker import Failure
from mcdetect.schema import DICOM_COLUMNS, IMAGES, MODEL_COLUMNS

__all__ = ["STORED", "StoredImages", "row_of"]

STORED = {
    **{name: SCHEMAS[name] for name in ("calcifications", "candidates", "changes", "members")},
    "clusters": (*SCHEMAS["clusters"], *MODEL_COLUMNS),
    "images": (*SCHEMAS["images"], *DICOM_COLUMNS),
}
"""Tables that the store of a run holds, image by image."""

_IMAGE_COLUMNS = ", ".join(f't."{column.name}"' for column in IMAGES)
_TOLD_COLUMNS = ", ".join(told("images", column.name) for column in IMAGES)
_BEST = "(SELECT max(c.score) FROM clusters AS c WHERE c.image_id = t.image_id AND c.flagged)"


def row_of(store: Store, image: int) -> tuple[dict[str, Any], float]:
    """Return an image's row of images.csv and its best score."""
    query = f"SELECT {_BEST}, {_IMAGE_COLUMNS} FROM images AS t WHERE t.image_id = ?"
    best, *values = store.query(query, (image,)).fetchone()
    return _typed(values), math.nan if best is None else float(best)


def _typed(values: Sequence[Any]) -> dict[str, Any]:
    row = {}
    for column, value in zip(IMAGES, values, strict=True):
        if column.dtype == "bool":
            value = bool(value)
        row[column.name] = math.nan if value is None and column.dtype == "float64" else value
    return row


class StoredImages(Sequence[ImageReport]):
    """What became of each input of a run, read from its store when asked for.

    Parameters
    ----------
    path : Path
        The store.
    run : int
        Number of the run.
    """

    def __init__(self, path: Path, run: int) -> None:
        self.path, self.run = path, run

    def __iter__(self) -> Iterator[ImageReport]:
        """Yield what became of each input that was settled, problems first, then in input order."""
        with Store(self.path, STORED, reading=True) as store:
            found = store.query(
                "SELECT i.file, i.status, i.error, i.cause, i.remedy, i.reused, t.image_id, "
                f"{_BEST}, {_TOLD_COLUMNS} FROM inputs AS i LEFT JOIN images AS t ON t.image_id = i.image_id "
                "WHERE i.run_id = ? AND i.status != 'pending' ORDER BY i.position",
                (self.run,),
            )
            for file, status, error, cause, remedy, reused, image, best, *values in found:
                yield ImageReport(
                    file,
                    row={} if image is None else _typed(values),
                    best_score=math.nan if best is None else float(best),
                    failure=None if error is None else Failure(error, cause, remedy),
                    reused=bool(reused),
                    skipped=str(cause) if status == "skipped" else "",
                )

    def __len__(self) -> int:
        """Return the number of inputs that were settled."""
        with Store(self.path, STORED, reading=True) as store:
            found = store.query(
                "SELECT count(*) FROM inputs WHERE run_id = ? AND status != 'pending'", (self.run,)
            ).fetchone()
            return int(found[0])

    @overload
    def __getitem__(self, index: int) -> ImageReport: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ImageReport]: ...
    def __getitem__(self, index: int | slice) -> ImageReport | Sequence[ImageReport]:
        """Return one or several."""
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        """Tell whether another sequence holds the same."""
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
