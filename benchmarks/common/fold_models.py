"""Models of the cross-fit: for every background the one that did not see it."""

from __future__ import annotations

import json
from pathlib import Path

from mcdetect.spots.score import DigitalScore, SpotModel, default_spot_model
from mcdetect.spots.second_look import SecondLook, default_second_look

__all__ = ["DIGITAL_INDEX", "INDEX", "SECOND_INDEX", "FoldModels"]


INDEX = "folds.json"
DIGITAL_INDEX = "folds_digital.json"
SECOND_INDEX = "folds_second.json"


class FoldModels:
    """Models of a folder that `python -m benchmarks spot_model --folds DIR` wrote, `spot_model_digital` and
    `second_look`.

    A digital background has all, as digital images have, where the folder holds them; no second look with
    `second` false.
    """

    def __init__(self, folder: Path, *, second: bool = True) -> None:
        if not any((folder / name).exists() for name in (INDEX, DIGITAL_INDEX)):
            raise SystemExit(
                f"{folder / INDEX} is not there; "
                f"`python -m benchmarks spot_model --report --folds {folder}` makes it"
            )
        self._general, self._digital = _index(folder / INDEX), _index(folder / DIGITAL_INDEX)
        self._second = _index(folder / SECOND_INDEX) if second else {}
        self._folder = folder
        self._models: dict[str, SpotModel] = {}

    def for_background(self, name: str) -> SpotModel | DigitalScore:
        """Return the model whose fit held this background out; the one of the package saw no real image."""
        if name not in self._general and name not in self._digital:
            raise SystemExit(f"no model of {self._folder} held out {name}; fit them with that background")
        general = self._model(self._general[name]) if name in self._general else default_spot_model()
        if name not in self._digital:
            return general
        second = None
        if self._second:  # the one of the package saw real mammograms only, each of which has a fold
            file = self._second.get(name)
            second = _second_look(self._folder / file) if file else default_second_look()
        return DigitalScore(general, self._model(self._digital[name]), second)

    def digital_fold(self, name: str) -> int:
        """Return the number of the fold of a digital background."""
        return sorted(set(self._digital.values())).index(self._digital[name])

    def _model(self, file: str) -> SpotModel:
        if file not in self._models:
            self._models[file] = SpotModel.load(self._folder / file)
        return self._models[file]


def _second_look(path: Path) -> SecondLook:
    return SecondLook.from_json(path.read_text(encoding="utf-8"))


def _index(path: Path) -> dict[str, str]:
    """Return which model is for which background, files also by their names without suffix."""
    if not path.exists():
        return {}
    index: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return {Path(name).stem: file for name, file in index.items()} | index
