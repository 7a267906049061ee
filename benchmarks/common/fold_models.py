"""Models of the cross-fit: for every background the one that did not see it."""

from __future__ import annotations

import json
from pathlib import Path

from mcdetect.spots.score import SpotModel

__all__ = ["FoldModels"]


class FoldModels:
    """Models of a folder that `python -m benchmarks spot_model --folds DIR` wrote."""

    def __init__(self, folder: Path) -> None:
        index = folder / "folds.json"
        if not index.exists():
            raise SystemExit(
                f"{index} is not there; `python -m benchmarks spot_model --report --folds {folder}` makes it"
            )
        self._file: dict[str, str] = json.loads(index.read_text(encoding="utf-8"))
        self._folder = folder
        self._models: dict[str, SpotModel] = {}

    def for_background(self, name: str) -> SpotModel:
        """Return the model whose fit held this background out."""
        file = self._file[name]
        if file not in self._models:
            self._models[file] = SpotModel.load(self._folder / file)
        return self._models[file]
