"""Results made by hand, for tests of what is done with results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mcdetect.breast import BreastRegion
from mcdetect.config import Config
from mcdetect.image.mammogram import Mammogram
from mcdetect.result import Result
from mcdetect.schema import CALCIFICATIONS, CANDIDATES, CLUSTERS, Column, make_table

SPACING_MM = 0.1


def table(columns: tuple[Column, ...], rows: int, **given: Any) -> pd.DataFrame:
    """Return a table in which what is not given is zero, or empty text."""
    blank = {"str": "", "bool": False, "int64": 0, "float64": 0.0}
    data = {column.name: given.get(column.name, [blank[column.dtype]] * rows) for column in columns}
    return make_table(columns, data)


def fake_image(rows: int = 600, cols: int = 400, source: str = "a.dcm") -> Mammogram:
    """Return half a disc on air, with noise."""
    rng = np.random.default_rng(5)
    row, col = np.mgrid[:rows, :cols]
    breast = (row - rows / 2) ** 2 + col**2 < (0.45 * rows) ** 2
    pixels = (rng.normal(0, 5, breast.shape) + 500.0 * breast).astype(np.float32)
    return Mammogram.from_array(pixels, SPACING_MM, view="CC", laterality="L", source=source)


def fake_result(
    mammogram: Mammogram | None = None,
    groups: Sequence[Sequence[tuple[float, float]]] = (),
    others: Sequence[tuple[float, float]] = (),
) -> Result:
    """Return a result with flagged groups and lone calcifications at given (row, col) positions."""
    image = mammogram or fake_image()
    points = [(row, col, number) for number, group in enumerate(groups, 1) for row, col in group]
    points += [(row, col, 0) for row, col in others]
    n = len(points)
    columns = {
        "file": [image.source] * n,
        "row_px": [p[0] for p in points],
        "col_px": [p[1] for p in points],
        "cluster_id": [p[2] for p in points],
        "diameter_mm": [0.3] * n,
        "score": [0.9] * n,
        "snr": [1 / 3] * n,
    }
    arrays = [np.asarray(group, dtype=float) for group in groups]
    clusters = table(
        CLUSTERS,
        len(groups),
        file=[image.source] * len(groups),
        cluster_id=list(range(1, len(groups) + 1)),
        n_calcifications=[len(group) for group in groups],
        max_in_window=[len(group) for group in groups],
        flagged=[True] * len(groups),
        row_px=[a[:, 0].mean() for a in arrays],
        col_px=[a[:, 1].mean() for a in arrays],
        min_row_px=[a[:, 0].min() for a in arrays],
        max_row_px=[a[:, 0].max() for a in arrays],
        min_col_px=[a[:, 1].min() for a in arrays],
        max_col_px=[a[:, 1].max() for a in arrays],
        score=[0.9 - 0.01 * index for index in range(len(groups))],
    )
    everywhere = np.ones(image.shape, dtype=bool)
    breast = BreastRegion(
        everywhere, everywhere, ~everywhere, np.ones((60, 40), np.float32), (image.shape[0] / 60, 10.0)
    )
    return Result(
        mammogram=image,
        breast=breast,
        candidates=table(CANDIDATES, n, **columns),
        calcifications=table(CALCIFICATIONS, n, **columns),
        clusters=clusters,
        config=Config(),
        seconds={"spots": 0.25, "total": 0.5},
    )


def ring(row: float, col: float, count: int = 6, radius: float = 20.0) -> list[tuple[float, float]]:
    """Return (row, col) positions on a circle."""
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return [(row + radius * float(np.sin(a)), col + radius * float(np.cos(a))) for a in angles]
