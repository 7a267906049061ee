"""Two files to a folder: what is read, passed on, written and recorded; stand-ins detect and compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from detector_standin import Detector, install
from PIL import Image

from mcdetect.config import Config
from mcdetect.errors import NotComparableError, UnusableImageError
from mcdetect.output.folder import OutputError
from mcdetect.result import Result
from mcdetect.runs import compare_files as module
from mcdetect.schema import CHANGES, MEMBERS, make_table

FILL = {"str": "x", "float64": 0.5, "int64": 3, "bool": True}
PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)


class Found:
    """Stands in for a comparison."""

    def __init__(self, prior: Result, current: Result, rows: int) -> None:
        self.prior, self.current = prior, current
        self.changes, self.members = (
            make_table(columns, {c.name: [FILL[c.dtype]] * n for c in columns})
            for columns, n in ((CHANGES, rows), (MEMBERS, rows + 1))
        )

    def summary(self) -> dict[str, Any]:
        return {"registered": True}

    def picture(self) -> Any:
        return PICTURE


class Comparer:
    """Keeps what it was asked, and may fail."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.asked: list[tuple[list[str], dict[str, Any]]] = []
        self.meanwhile: dict[str, Any] = {}
        self.also: Callable[[], None] = lambda: None
        self.error: Exception | None = None

    def __call__(self, *results: Result, **options: Any) -> Found:
        self.asked.append(([result.mammogram.source for result in results], options))
        self.meanwhile = record(self.out)
        self.also()
        if self.error is not None:
            raise self.error
        return Found(*results, rows=2)


def record(out: Path) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads((out / "run.json").read_text(encoding="utf-8"))
    return whole


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Detector:
    return install(monkeypatch)


@pytest.fixture
def comparer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comparer:
    stand_in = Comparer(tmp_path / "out")
    monkeypatch.setattr(module, "compare", stand_in)
    return stand_in


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("then.dcm", "now.dcm"):
        (tmp_path / name).write_text(f"good {name}")
    return tmp_path / "then.dcm", tmp_path / "now.dcm"


def test_everything_is_written_and_told(
    tmp_path: Path, detector: Detector, comparer: Comparer, files: tuple[Path, Path]
) -> None:
    out = tmp_path / "out"
    config = Config().replace(min_count=7)
    found = module.compare_files(*files, out, config=config, pixel_spacing_mm=0.07, prior_spacing_mm=0.05)
    assert isinstance(found, Found)
    assert detector.read == [
        ("then.dcm", {"pixel_spacing_mm": 0.05, "force": False}),
        ("now.dcm", {"pixel_spacing_mm": 0.07, "force": False}),
    ]
    assert detector.detected == [("then.dcm", config), ("now.dcm", config)]
    assert comparer.asked == [(["then.dcm", "now.dcm"], {"config": config, "force": False})]
    assert (comparer.meanwhile["status"], comparer.meanwhile["inputs"]) == ("running", [])
    for name, rows in (("changes", 2), ("members", 3)):
        assert len(pd.read_csv(out / f"{name}.csv")) == len(pd.read_parquet(out / f"{name}.parquet")) == rows
    with Image.open(out / "comparison.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), PICTURE)
    told = record(out)
    assert told["options"] == {
        "command": "compare",
        "pixel_spacing_mm": 0.07,
        "prior_spacing_mm": 0.05,
        "picture": True,
        "force": False,
    }
    assert (told["status"], told["jobs"], told["config_sha256"]) == ("complete", 1, config.digest)
    assert told["rows"] == {"changes": 2, "members": 3}
    assert told["comparison"] == {"registered": True}
    assert told["counts"]["processed"] == 2
    for line, file in zip(told["inputs"], files, strict=True):
        assert (line["file"], line["status"], line["overlay"]) == (file.name, "processed", None)
        assert line["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert line["size_bytes"] == len(file.read_bytes())
        assert line["seconds"]["spots"] == 0.25


def test_what_is_not_given_is_as_usual(
    tmp_path: Path, detector: Detector, comparer: Comparer, files: tuple[Path, Path]
) -> None:
    module.compare_files(*files, tmp_path / "out", pixel_spacing_mm=0.07, picture=False, force=True)
    read = {"pixel_spacing_mm": 0.07, "force": True}
    assert [options for _, options in detector.read] == [read] * 2
    assert comparer.asked[0][1] == {"config": Config(), "force": True}
    assert not (tmp_path / "out" / "comparison.png").exists()
    told = record(tmp_path / "out")["options"]
    assert (told["picture"], told["force"], told["prior_spacing_mm"]) == (False, True, None)


def test_files_of_one_name_are_told_apart(
    tmp_path: Path, detector: Detector, comparer: Comparer, files: tuple[Path, Path]
) -> None:
    again = tmp_path / "later" / "then.dcm"
    again.parent.mkdir()
    again.write_text("good")
    module.compare_files(files[0], again, tmp_path / "out")
    assert comparer.asked[0][0] == ["prior/then.dcm", "current/then.dcm"]
    assert [line["file"] for line in record(tmp_path / "out")["inputs"]] == comparer.asked[0][0]


@pytest.mark.parametrize("named", [False, True])
def test_other_views_are_refused_before_anything_is_written(
    tmp_path: Path,
    detector: Detector,
    comparer: Comparer,
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    named: bool,
) -> None:
    def unlike(prior: Any, current: Any) -> None:
        assert (prior.source, current.source) == ("then.dcm", "now.dcm")
        raise NotComparableError("they differ", "give others", "then.dcm" if named else None)

    monkeypatch.setattr(module, "check_alike", unlike)
    with pytest.raises(NotComparableError) as caught:
        module.compare_files(*files, tmp_path / "out")
    assert str(caught.value) == f"{'then' if named else 'now'}.dcm: they differ; give others"
    assert not (tmp_path / "out").exists()
    assert detector.detected == []
    module.compare_files(*files, tmp_path / "out", force=True)
    assert record(tmp_path / "out")["status"] == "complete"


@pytest.mark.parametrize("named", [False, True])
def test_what_fails_is_recorded_with_its_files(
    tmp_path: Path, detector: Detector, comparer: Comparer, files: tuple[Path, Path], named: bool
) -> None:
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    comparer.error = UnusableImageError("no breast", "look at it", "then.dcm" if named else None)
    comparer.also = files[1].unlink
    with pytest.raises(UnusableImageError) as caught:
        module.compare_files(*files, tmp_path / "out")
    assert str(caught.value) == f"{'then' if named else 'now'}.dcm: no breast; look at it"
    told = record(tmp_path / "out")
    assert told["status"] == "failed"
    assert [(line["file"], line["status"]) for line in told["inputs"]] == [
        ("then.dcm", "failed"),
        ("now.dcm", "failed"),
    ]
    assert [line["sha256"] for line in told["inputs"]] == [digests[0], None]
    assert [line["size_bytes"] for line in told["inputs"]] == [len("good then.dcm"), None]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.json"}


def test_a_folder_of_others_is_refused_before_the_search(
    tmp_path: Path, detector: Detector, comparer: Comparer, files: tuple[Path, Path]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "changes.csv").write_text("mine")
    with pytest.raises(OutputError, match="did not write"):
        module.compare_files(*files, tmp_path / "out")
    assert detector.detected == []
