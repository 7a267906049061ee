"""The results of a run while it goes on: stored as they come, read again by the outputs at the end."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect.exams.studies import Trace, ViewImage, find_exposures, same_pixels, shared_instances
from mcdetect.exams.studies.grouping import BOX_COLUMNS
from mcdetect.exams.studies.matching import MATCHING_COLUMNS
from mcdetect.image.views import PART_VIEWS
from mcdetect.output.overlays import Overlays
from mcdetect.output.run_record import InputRecord, RunRecord
from mcdetect.output.seam import Output
from mcdetect.output.tables import SCHEMAS
from mcdetect.runs.report import BatchReport, ImageReport, Observer
from mcdetect.runs.store import Entry, Store
from mcdetect.runs.worker import Failure, Outcome
from mcdetect.schema import DICOM_COLUMNS, FAILURES, MODEL_COLUMNS, SKIPPED, make_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STORED", "RunResults", "known_keys", "lengths"]

STORED = {
    **{name: SCHEMAS[name] for name in ("calcifications", "candidates")},
    "clusters": (*SCHEMAS["clusters"], *MODEL_COLUMNS),
    "images": (*SCHEMAS["images"], *DICOM_COLUMNS),
}
"""Tables that the store of a run holds, image by image."""

_CLASH = "SOP Instance UID and other pixels than those of"

_MARK_COLUMNS = tuple(
    column
    for column in SCHEMAS["calcifications"]
    if column.name in ("cluster_id", "row_px", "col_px", "score")
)
"""What is read again of the calcifications of each image."""

_SPECIAL = PART_VIEWS | {"partial view"}
"""Remarks of the loader on images whose distances are not those of a whole view."""

_MAGNIFIED = frozenset({"magnification view", "spot compression view"})
"""Remarks on images whose groups are looked for in the full views of the breast."""


def known_keys(store: Store, name: str, folder: Path, outputs: Sequence[Output]) -> frozenset[str]:
    """Return the keys under which an image has all that the outputs ask for, the files included."""
    asked = {output.name for output in outputs}
    keys = set()
    for entry in store.find(name):
        made: dict[str, list[str]] = entry.facts["outputs"]
        owned = store.owned(entry)
        files = [file for name in asked & set(made) for file in made[name]]
        if asked <= set(made) and all(_length(folder / file) == owned.get(file, -2) for file in files):
            keys.add(entry.key)
    return frozenset(keys)


def _length(path: Path) -> int:
    """Return the length of a file in bytes; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def lengths(folder: Path, outputs: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the files that outputs wrote into a folder, with their length in bytes."""
    return {file: _length(folder / file) for files in outputs.values() for file in files}


class RunResults:
    """Takes outcomes as they come, and is what the outputs read when they close.

    Parameters
    ----------
    store : Store
        Where results are kept, in the output folder.
    record : RunRecord
        Gets a line for each input.
    report : BatchReport
        Gets what became of each input.
    observer : Observer
        Is told of each input.
    """

    def __init__(self, store: Store, record: RunRecord, report: BatchReport, observer: Observer) -> None:
        self.store, self.record, self.report, self.observer = store, record, report, observer
        self.views: list[ViewImage] = []
        self._entries: dict[str, Entry] = {}
        self._failures: list[dict[str, str]] = []
        self._whole: dict[str, pd.DataFrame] = {}
        self._traces: list[Trace] = []
        self._copies: dict[str, dict[str, Any]] = {}

    @property
    def files(self) -> Sequence[str]:
        """Images that have results, in input order."""
        return tuple(self._entries)

    def rows(self, table: str, file: str) -> pd.DataFrame:
        """Return the rows of one image in a table."""
        columns = SCHEMAS[table]
        if table == "images" and self._entries[file].facts.get("dicom_columns"):
            columns = (*columns, *DICOM_COLUMNS)
        if table == "clusters":
            columns = (*columns, *(c for c in MODEL_COLUMNS if c.name in self._model_columns(file)))
        rows = self.store.rows(self._entries[file], table, columns)
        if table == "images" and file in self._copies:
            remark = self._copies[file].get("flag", "")
            flags = ["; ".join(part for part in (str(text), remark) if part) for text in rows["flags"]]
            columns_told = {name: value for name, value in self._copies[file].items() if name != "flag"}
            rows = rows.assign(**columns_told, flags=flags)
        return rows

    def _model_columns(self, file: str) -> Sequence[str]:
        columns: list[str] = self._entries[file].facts["model_columns"]
        return columns

    def whole(self, table: str) -> pd.DataFrame | None:
        """Return a table of the run as a whole."""
        return self._whole.get(table)

    def take(self, outcome: Outcome) -> None:
        """Keep one outcome, pass on what was logged about it, and tell the observer."""
        for item in outcome.records:
            logging.getLogger(item.name).handle(item)
        failure, entry = outcome.failure, None
        if outcome.known:
            entry = next(e for e in self.store.find(outcome.file) if e.key == outcome.key)
        elif "images" in outcome.tables:  # without its own row the rest of an image is worth nothing
            entry, failure = self._put(outcome)
        row: dict[str, Any] = {}
        best = float("nan")
        if entry is not None:
            self._entries[outcome.file] = entry
            images, clusters = self.rows("images", outcome.file), self.rows("clusters", outcome.file)
            row = {str(key): value for key, value in images.iloc[0].to_dict().items()}
            marks = self.store.rows(entry, "calcifications", _MARK_COLUMNS)
            view = _view(outcome.file, str(entry.facts["study"]), row, clusters, marks)
            self.views.append(view)
            self._traces.append(_trace(view, entry.facts["origin"], str(entry.facts["sketch"])))
            scores = clusters.loc[clusters["flagged"], "score"]
            best = float(scores.max()) if len(scores) else best
        skipped = ""
        if failure is not None and failure.passed_over and entry is None:
            skipped, failure = failure.cause, None
            self.report.passed_over.append((outcome.file, skipped))
        if failure is not None:
            what = {"error": failure.error, "cause": failure.cause, "remedy": failure.remedy}
            self._failures.append({"file": outcome.file} | what)
        self.record.inputs.append(_input_record(outcome, entry, skipped))
        image = ImageReport(outcome.file, row, best, failure, reused=outcome.known, skipped=skipped)
        self.report.images.append(image)
        self.observer.finished(image)

    def _put(self, outcome: Outcome) -> tuple[Entry | None, Failure | None]:
        """Store an outcome; a disk that is full costs this image only."""
        clusters = outcome.tables["clusters"]
        facts = {
            "sha256": outcome.sha256,
            "size_bytes": outcome.size_bytes,
            "seconds": outcome.seconds,
            "study": self.store.alias(outcome.study),
            "origin": {
                kind: [self.store.alias(value) for value in values] for kind, values in outcome.origin.items()
            },
            "sketch": outcome.sketch,
            "outputs": {name: list(files) for name, files in outcome.outputs.items()},
            "dicom_columns": DICOM_COLUMNS[0].name in outcome.tables["images"].columns,
            "model_columns": [c.name for c in MODEL_COLUMNS if c.name in clusters.columns],
        }
        try:
            files = lengths(self.store.path.parent, outcome.outputs)
            return self.store.put(outcome.file, outcome.key, outcome.tables, facts, files), outcome.failure
        except OSError as error:
            cause = f"its results could not be written ({error})"
            return None, Failure("OutputError", cause, "make room and run it again")

    def told_apart(self) -> list[ViewImage]:
        """Tell the copies among the images, once all are there, and return what examinations need of them."""
        exposure, same = find_exposures(self._traces), same_pixels(self._traces)
        clash = shared_instances(self._traces)
        self._copies = {
            file: {"exposure_id": number, "same_as": same.get(file, "")}
            | ({"flag": f"{_CLASH} {clash[file]}"} if file in clash else {})
            for file, number in exposure.items()
        }
        self.views = [dataclasses.replace(view, exposure=exposure[view.file]) for view in self.views]
        return self.views

    def finish(self, whole: Mapping[str, pd.DataFrame]) -> None:
        """Take the tables of the run as a whole."""
        rows = {
            name: [failure[name] for failure in self._failures]
            for name in (column.name for column in FAILURES)
        }
        passed = self.report.passed_over
        skipped = {"file": [file for file, _ in passed], "reason": [reason for _, reason in passed]}
        self._whole = {
            **whole,
            "failures": make_table(FAILURES, rows),
            "skipped": make_table(SKIPPED, skipped),
        }


def _input_record(outcome: Outcome, entry: Entry | None, skipped: str) -> InputRecord:
    facts = {} if entry is None else entry.facts
    pictures = facts.get("outputs", {}).get(Overlays.name, [])
    return InputRecord(
        outcome.file,
        "processed" if entry is not None else "skipped" if skipped else "failed",
        outcome.sha256,
        outcome.size_bytes,
        pictures[0].rpartition("/")[2] if pictures else None,
        facts.get("seconds", outcome.seconds),
    )


def _view(
    file: str, study: str, row: Mapping[str, Any], clusters: pd.DataFrame, marks: pd.DataFrame
) -> ViewImage:
    """Return what the table of examinations needs of one image, which is little."""
    looked_at = ("cluster_id", "morphology", *MATCHING_COLUMNS, *BOX_COLUMNS)
    kept = [name for name in looked_at if name in clusters.columns]
    remarks = str(row["flags"]).split("; ")
    return ViewImage(
        file=file,
        study=study,
        laterality=str(row["laterality"]),
        view=str(row["view"]),
        special=any(remark in _SPECIAL for remark in remarks),
        clusters=clusters[kept],
        marks=_placed(marks, row),
        magnified=any(remark in _MAGNIFIED for remark in remarks) and "specimen" not in remarks,
        intent=str(row["intent"]),
        spacing_mm=(float(row["row_spacing_mm"]), float(row["col_spacing_mm"])),
    )


def _placed(marks: pd.DataFrame, row: Mapping[str, Any]) -> pd.DataFrame:
    """Return the calcifications of groups with their places in mm."""
    grouped = marks[marks["cluster_id"] > 0]
    return grouped[["cluster_id", "score"]].assign(
        row_mm=grouped["row_px"] * float(row["row_spacing_mm"]),
        col_mm=grouped["col_px"] * float(row["col_spacing_mm"]),
    )


def _trace(view: ViewImage, origin: Mapping[str, Sequence[str]], sketch: str) -> Trace:
    """Return what tells the copies of an image."""
    (pixels, instance, event) = (
        next(iter(origin.get(kind, ())), "") for kind in ("pixels", "instance", "event")
    )
    return Trace(
        file=view.file,
        pixels=pixels,
        instance=instance,
        event=event,
        sources=tuple(origin.get("sources", ())),
        place=(view.study, view.laterality, view.view),
        sketch=sketch,
    )
