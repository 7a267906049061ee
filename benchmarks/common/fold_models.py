"""Models of the cross-fit: for every background the one that did not see it."""

from __future__ import annotations

import json
from pathlib import Path

from mcdetect.spots.score import SpotModel

__all__ = ["DIGITAL_INDEX", "INDEX", "FoldModels"]


INDEX = "folds.json"
DIGITAL_INDEX = "folds_digital.json"


class FoldModels:
    """Models of a folder that `python -m benchmarks spot_model --folds DIR` wrote, and `spot_model_digital`.

    A digital background has its model from the second, where the folder holds them.
    """

    def __init__(self, folder: Path) -> None:
        there = [folder / name for name in (INDEX, DIGITAL_INDEX) if (folder / name).exists()]
        if not there:
            raise SystemExit(
                f"{folder / INDEX} is not there; "
                f"`python -m benchmarks spot_model --report --folds {folder}` makes it"
            )
        self._file: dict[str, str] = {}
        for index in there:
            self._file |= json.loads(index.read_text(encoding="utf-8"))
        self._folder = folder
        self._models: dict[str, SpotModel] = {}

    def for_background(self, name: str) -> SpotModel:
        """Return the model whose fit held this background out."""
        if name not in self._file:
            raise SystemExit(f"no model of {self._folder} held out {name}; fit them with that background")
        file = self._file[name]
        if file not in self._models:
            self._models[file] = SpotModel.load(self._folder / file)
        return self._models[file]
