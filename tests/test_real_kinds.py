"""What labelled groups and bodies of real mammograms are called, on small tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.common import real
from benchmarks.common.record import Recorder
from benchmarks.detection import real_kinds
from benchmarks.detection.real_kinds import called, is_right

NONE = pd.DataFrame({"benign_kind": [], "index": []})
NO_MARKS = pd.DataFrame({"kind": []})


def groups(*rows: tuple[str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["benign_kind", "index"])


@pytest.mark.parametrize(
    ("found", "kinds", "name"),
    [
        (groups(("vascular", 3.0)), [""], "vascular"),
        (groups(("vascular", 50.0)), [""], "suspicious"),
        (groups(("", 49.0)), ["rim"], "flagged"),
        (groups(("rim", 5.0), ("", 49.0)), ["rim"], "flagged"),
        (groups(("rim", 5.0), ("", 4.0)), ["rim"], "rim"),
        (NONE, ["", "rim", "rim", "coarse"], "rim"),
        (NONE, ["", None], "marks"),
        (NONE, [], "nothing"),
    ],
)
def test_what_a_box_is_called(found: pd.DataFrame, kinds: list[str], name: str) -> None:
    assert called(found, pd.DataFrame({"kind": kinds}, dtype=object)) == name


@pytest.mark.parametrize(
    ("kind", "note", "name", "right"),
    [
        ("rim", np.nan, "rim", True),
        ("rim", np.nan, "coarse", False),
        ("rim", "or coarse; two marks", "coarse", True),
        ("coarse", "lumpy, or what", "rim", False),
        ("muscle", "", "marks", True),
        ("muscle", "", "flagged", False),
        ("fine", "", "nothing", False),
        ("fine", "", "flagged", True),
        ("skin", "", "nothing", True),
        ("round", "", "suspicious", False),
    ],
)
def test_what_is_right(kind: str, note: object, name: str, right: bool) -> None:
    assert is_right({"kind": kind, "note": note}, name) is right


def found_set() -> real.RealSet:
    """One image with an artery that is named, a muscle's edge with a mark, and two large bodies."""
    box = ["min_row_px", "max_row_px", "min_col_px", "max_col_px"]
    labels = pd.DataFrame(
        [("a.png", "artery", "", 10, 50, 10, 90), ("a.png", "muscle", "", 300, 320, 300, 320)],
        columns=["image", "kind", "note", *box],
    )
    flagged = pd.DataFrame([("a.png", "vascular", 60, 70, 20, 80)], columns=["file", "benign_kind", *box])
    marks = pd.DataFrame(
        [("a.png", 310.0, 310.0, ""), ("a.png", 500.0, 500.0, "rim"), ("a.png", 505.0, 500.0, "")],
        columns=["file", "row_px", "col_px", "kind"],
    )
    images = pd.DataFrame({"file": ["a.png"], "spacing_mm": [0.1]})
    nothing = pd.DataFrame()
    return real.RealSet(images, flagged, nothing, marks, labels, nothing, frozenset())


def figures(recorder: Recorder) -> dict[tuple[str, str], float]:
    return {(f.name, str(f.labels.get("label", ""))): f.value for f in recorder.run().figures}


def test_labels_are_counted_by_kind() -> None:
    found, recorder = found_set(), Recorder("real")
    real_kinds.add_kinds(recorder, found, found.groups.assign(index=7.0))
    value = figures(recorder)
    assert value["labelled: flagged", "artery"] == 1
    assert value["labelled: flagged", "muscle"] == 0
    assert value["labelled: index of 50 or more", "artery"] == 0
    assert value["labelled: right", "artery"] == value["labelled: right", "muscle"] == 1
    assert value["labelled groups called right", ""] == 1.0
    names = {f.labels["called"]: f.labels["label"] for f in recorder.run().figures if "called" in f.labels}
    assert names == {"vascular": "artery", "marks": "muscle"}


def test_bodies_are_counted_by_their_marks(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    rows = [("a.png", 502, 500, "coarse", "or rim; 1 mm"), ("a.png", 700, 700, "rod", "")]
    columns = ["image", "row_px", "col_px", "kind", "note"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "missed.csv", index=False)
    monkeypatch.setattr(real_kinds, "REAL", tmp_path)
    recorder = Recorder("real")
    real_kinds.add_bodies(recorder, found_set())
    value = {name: number for (name, _), number in figures(recorder).items()}
    assert value["large bodies seen by eye"] == 2
    assert value["large bodies: not marked"] == 0.5
    assert value["large bodies: exactly one mark"] == 0.0
    assert value["large bodies: called right"] == 0.5
