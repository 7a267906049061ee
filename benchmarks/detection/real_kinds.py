"""What groups and bodies labelled by eye in real mammograms are called by the detector.

Labels: ../shared/data/real/labels.csv (groups that an earlier version flagged) and missed.csv (large bodies),
judged by eye, not by a radiologist. What lies in a label's box is called, in this order: by the benign kind
of a flagged group there; "suspicious" or "flagged" (by its index) for a flagged group of no such kind; by
the kind of a large body there; "marks" where there are only single ones; "nothing".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.real import REAL, RealSet
from benchmarks.common.record import Recorder

__all__ = ["add_bodies", "add_kinds", "called", "is_right"]

LOOK_AGAIN = 50.0
_LABEL_PX = 14
_BODY_MM = 1.0
"""Marks within this distance from a labelled body are its own."""
_ALTERNATIVE = re.compile(r"\bor (\w+)")
"""About a third of the labels name another kind that it may be as well."""
_NO_GROUP = frozenset({"marks", "nothing"})
_RIGHT: dict[str, frozenset[str]] = {
    "artery": frozenset({"vascular"}),
    "coarse": frozenset({"coarse"}),
    "rim": frozenset({"rim"}),
    "rod": frozenset({"rod"}),
    "skin": frozenset({"skin", *_NO_GROUP}),
    "round": frozenset({"round", "flagged", *_NO_GROUP}),
    "fine": frozenset({"suspicious", "flagged"}),
    "object": frozenset({"object", *_NO_GROUP}),
    "muscle": _NO_GROUP,
    "linear_tissue": _NO_GROUP,
    "noise": _NO_GROUP,
}
"""What a label may be called. Skin, objects and what is no calcium need no finding at all; scattered round
ones need no group of the rule, but must not lead a reader to look again."""


def _kinds(label: Mapping[str, Any]) -> set[str]:
    """Return the kinds that something labelled may be."""
    other = _ALTERNATIVE.findall(str(label["note"]))
    return {label["kind"], *(kind for kind in other if kind in _RIGHT)}


def is_right(label: Mapping[str, Any], name: str) -> bool:
    """Tell whether what is labelled (kind, note) may be called so."""
    return any(name in _RIGHT[kind] for kind in _kinds(label))


def called(groups: pd.DataFrame, marks: pd.DataFrame) -> str:
    """Return what the flagged groups and the marks in one box are called.

    Parameters
    ----------
    groups : DataFrame
        benign_kind and index of the flagged groups.
    marks : DataFrame
        kind of the calcifications.
    """
    if len(groups):
        worst = int(groups["index"].argmax())
        if groups["index"].iloc[worst] >= LOOK_AGAIN:
            return "suspicious"
        return str(groups["benign_kind"].iloc[worst]) or "flagged"
    kinds = marks["kind"][marks["kind"].fillna("") != ""]
    if len(kinds):
        return str(kinds.mode().iloc[0])
    return "marks" if len(marks) else "nothing"


def _boxes(found: RealSet, groups: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, str]]:
    for row in found.labels[found.labels.image.isin(found.images.file)].to_dict("records"):
        label = {str(name): value for name, value in row.items()}
        near = groups[groups.file == label["image"]]
        marks = found.calcifications[found.calcifications.file == label["image"]]
        for k in ("row", "col"):
            low, high = label[f"min_{k}_px"] - _LABEL_PX, label[f"max_{k}_px"] + _LABEL_PX
            near = near[(near[f"min_{k}_px"] <= high) & (near[f"max_{k}_px"] >= low)]
            marks = marks[marks[f"{k}_px"].between(low, high)]
        yield label, near, called(near.fillna({"benign_kind": ""}), marks)


def add_kinds(recorder: Recorder, found: RealSet, groups: pd.DataFrame) -> None:
    """Add what became of the groups labelled by eye, by kind, and what they are called."""
    rows = [
        (label["kind"], len(near) > 0, bool((near["index"] >= LOOK_AGAIN).any()), name, is_right(label, name))
        for label, near, name in _boxes(found, groups)
    ]
    if not rows:
        return
    table = pd.DataFrame(rows, columns=["kind", "flagged", "index of 50 or more", "called", "right"])
    for kind, part in table.groupby("kind"):
        recorder.add("labelled groups", len(part), "count", label=str(kind))
        for name in ("flagged", "index of 50 or more", "right"):
            recorder.add(f"labelled: {name}", int(part[name].sum()), "count", label=str(kind))
        for answer, count in part.called.value_counts().items():
            recorder.add("labelled: called", int(count), "count", label=str(kind), called=str(answer))
    recorder.add("labelled groups called right", float(table.right.mean()), "share")


def add_bodies(recorder: Recorder, found: RealSet) -> None:
    """Add how many marks the large bodies have that were seen by eye, and what they are called."""
    facts = found.images.set_index("file")
    bodies = pd.read_csv(REAL / "missed.csv")
    bodies = bodies[bodies.image.isin(facts.index)]
    count, right = [], []
    for row in bodies.to_dict("records"):
        body = {str(name): value for name, value in row.items()}
        marks = found.calcifications[found.calcifications.file == body["image"]]
        away = np.hypot(marks.row_px - body["row_px"], marks.col_px - body["col_px"])
        near = marks[away * facts.spacing_mm[body["image"]] <= _BODY_MM]
        count.append(len(near))
        right.append(bool(near["kind"].isin(_kinds(body)).any()))
    if not count:
        return
    recorder.add("large bodies seen by eye", len(count), "count")
    for name, yes in (
        ("not marked", [n == 0 for n in count]),
        ("exactly one mark", [n == 1 for n in count]),
        ("called right", right),
    ):
        recorder.add(f"large bodies: {name}", float(np.mean(yes)), "share")
