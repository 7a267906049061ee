"""Stands in for reading and detecting, for tests of what is done with files and results."""

from __future__ import annotations

import dataclasses
import warnings
import zlib
from pathlib import Path
from typing import Any

import pytest
from output_fakes import fake_image, fake_result, ring

from mcdetect.config import Config
from mcdetect.errors import McdetectWarning, UnreadableFileError
from mcdetect.image.mammogram import Mammogram
from mcdetect.result import Result
from mcdetect.spots.score import SpotModel


class Detector:
    """Stands in for reading and detecting; the content of a file says what happens to it."""

    def __init__(self) -> None:
        self.read: list[tuple[str, dict[str, Any]]] = []
        self.detected: list[tuple[str, Config | None]] = []

    def read_mammogram(self, path: Path, **options: Any) -> Mammogram:
        always = ("pixel_spacing_mm", "force")
        self.read.append((path.name, {k: v for k, v in options.items() if v or k in always}))
        text = path.read_text()
        if text == "bad":
            raise UnreadableFileError("the file is broken", "get a new copy", path)
        if text == "memory":
            raise MemoryError
        if text == "deep":
            raise RecursionError("too deep")
        if text == "gone":
            raise FileNotFoundError(2, "No Such File", str(path))
        if text == "odd":
            raise OSError
        if text == "bug":
            raise KeyError("PatientName " + "DOE JANE".replace(" ", "^"))
        if text == "warn":
            warnings.warn("something is odd", McdetectWarning, stacklevel=1)
            warnings.warn(f"{path.name} is odd", McdetectWarning, stacklevel=1)
            warnings.warn("PatientName DOE^JANE", UserWarning, stacklevel=1)
        study = text.removeprefix("study ") if text.startswith("study") else ""
        image = dataclasses.replace(fake_image(source=str(path)), study=study)
        image.pixels[0, 0] += zlib.crc32(str(path).encode()) % 1000 / 1000  # no copy of another
        return image

    def detect(
        self, mammogram: Mammogram, config: Config | None = None, *, spot_model: SpotModel | None = None
    ) -> Result:
        assert spot_model is None
        self.detected.append((mammogram.source, config))
        groups = [] if "none" in mammogram.source else [ring(300, 90), ring(200, 60)]
        return fake_result(mammogram, groups=groups, others=[(100.0, 50.0)])


def install(monkeypatch: pytest.MonkeyPatch) -> Detector:
    """Put the stand-in in the place of reader and detector."""
    stand_in = Detector()
    monkeypatch.setattr("mcdetect.readers.read.read_image", stand_in.read_mammogram)
    monkeypatch.setattr("mcdetect.pipeline.files.detect", stand_in.detect)
    return stand_in


def write(folder: Path, **texts: str) -> Path:
    """Write files that hold these texts."""
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.dcm").write_text(text)
    return folder
