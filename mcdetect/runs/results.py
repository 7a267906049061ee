"""The results of a run while it goes on: stored as they come, read again by the outputs at the end."""

from __future__ import annotations

import dataclasses
import itertools
import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from mcdetect.config import Config
from mcdetect.exams.studies import (
    Trace,
    ViewImage,
    find_exposures,
    group_images,
    same_pixels,
    shared_instances,
    tables_of_groups,
)
from mcdetect.exams.studies.grouping import BOX_COLUMNS
from mcdetect.exams.studies.matching import MATCHING_COLUMNS
from mcdetect.image.views import PART_VIEWS, SEVERAL_BREASTS
from mcdetect.output.seam import Output
from mcdetect.output.tables import SCHEMAS
from mcdetect.runs.layout import WHOLE
from mcdetect.runs.ledger import Ledger
from mcdetect.runs.report import ImageReport, Observer
from mcdetect.runs.store import DiskFullError, Entry, Rows, Store, table_of
from mcdetect.runs.stored import STORED, StoredImages, row_of
from mcdetect.runs.worker import Failure, Outcome
from mcdetect.schema import CLUSTERS, DICOM_COLUMNS, MODEL_COLUMNS, Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STORED", "RunResults", "StoredImages", "known_failures", "known_keys", "lengths"]


_SPECIAL = PART_VIEWS | {"partial view"}
"""Remarks of the loader on images whose distances are not those of a whole view."""

_MAGNIFIED = frozenset({"magnification view", "spot compression view"})
"""Remarks on images whose groups are looked for in the full views of the breast."""

_CLASH = "SOP Instance UID and other pixels than those of"

_SKETCHES = 400  # Technical: textures of breasts that are held at a time, those of an examination
_STUDIES_AT_ONCE = 100  # Technical: examinations whose groups are held at a time


def known_keys(store: Store, name: str, folder: Path, outputs: Sequence[Output]) -> frozenset[str]:
    """Return the keys under which an image has all that the outputs ask for, the files included."""
    asked = {output.name for output in outputs}
    keys = set()
    for entry in store.find(name):
        made: dict[str, list[str]] = entry.facts["outputs"]
        files = [file for name in asked & set(made) for file in made[name]]
        owned = store.owned(entry) if files else {}
        if asked <= set(made) and all(_length(folder / file) == owned.get(file, -2) for file in files):
            keys.add(entry.key)
    return frozenset(keys)


def known_failures(store: Store, name: str, limits: str) -> dict[str, Failure]:
    """Return by key what an image failed for before; what limits ended counts under these limits only."""
    found = store.query(
        "SELECT key, error, cause, remedy FROM failed WHERE name = ? AND limits IN ('', ?)", (name, limits)
    )
    return {str(key): Failure(error, cause, remedy) for key, error, cause, remedy in found}


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

    Nothing of an image is held in memory: all is in the store.

    Parameters
    ----------
    ledger : Ledger
        Of this run, in the store of the output folder.
    observer : Observer
        Is told of each input.
    limits : str
        Limits of time and memory, as failures are kept with them.
    """

    main: ClassVar[str] = "images"
    """The table without which the others of an outcome are worth nothing."""

    def __init__(self, ledger: Ledger, observer: Observer, limits: str = "") -> None:
        self.ledger, self.store, self.observer, self.limits = ledger, ledger.store, observer, limits

    @property
    def files(self) -> Sequence[str]:
        """Images that have results, in input order."""
        return self.ledger.files()

    def rows(self, table: str, file: str) -> pd.DataFrame:
        """Return the rows of one image in a table; those of groups with the columns of the user's model."""
        columns = SCHEMAS[table]
        if table == "images" and self._fact(file, "dicom_columns"):
            columns = (*columns, *DICOM_COLUMNS)
        if table == "clusters":
            found = json.loads(self._fact(file, "model_columns") or "[]")
            columns = (*columns, *(c for c in MODEL_COLUMNS if c.name in found))
        return self.ledger.rows(table, file, columns)

    def _fact(self, file: str, name: str) -> Any:
        """Return what was noted of an image beside its tables."""
        query = f"SELECT json_extract(facts, '$.{name}') FROM entries WHERE image_id = ?"
        return self.store.query(query, (self.ledger.image(file),)).fetchone()[0]

    def whole(self, table: str) -> pd.DataFrame | None:
        """Return a table of the run as a whole, or None where there is none."""
        if table not in (*WHOLE, "failures"):
            return None
        columns = SCHEMAS[table]
        return table_of(columns, [row for rows in self.batches(table, columns) for row in rows])

    def batches(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a table, of all images or of the run as a whole, some at a time."""
        if table == "failures":
            return self.ledger.failures()
        if table == "skipped":
            return itertools.chain(self.ledger.kept(table), iter([list(self.ledger.passed_over())]))
        return self.ledger.kept(table) if table in WHOLE else self.ledger.batches(table, columns)

    def take(self, outcome: Outcome) -> None:
        """Keep one outcome, pass on what was logged about it, and tell the observer.

        Raises
        ------
        DiskFullError
            There is no room for it; nothing of it is kept.
        """
        for item in outcome.records:
            logging.getLogger(item.name).handle(item)
        reused = outcome.known and outcome.failure is None
        with self.store.transaction():
            number, seconds, row, best = self._keep(outcome)
            self.ledger.settle(
                outcome.file,
                number,
                outcome.failure,
                sha256=outcome.sha256,
                size_bytes=outcome.size_bytes,
                reused=reused,
                seconds=seconds,
            )
        failure, skipped = outcome.failure, ""
        if failure is not None and failure.passed_over and number is None:
            skipped, failure = failure.cause, None
        self.observer.finished(ImageReport(outcome.file, row, best, failure, reused, skipped))
        if outcome.full:
            raise DiskFullError("the disk is full" if outcome.failure is None else outcome.failure.cause)

    def _keep(self, outcome: Outcome) -> tuple[int | None, Mapping[str, float], dict[str, Any], float]:
        """Store what is new; return the image's number, seconds, row and best score."""
        nothing: tuple[None, Mapping[str, float], dict[str, Any], float] = (
            None,
            outcome.seconds,
            {},
            math.nan,
        )
        if outcome.known and outcome.failure is None:
            entry = next(e for e in self.store.find(outcome.file) if e.key == outcome.key)
            row, best = self._recall(entry)
            return entry.number, entry.facts.get("seconds", {}), row, best
        if self.main in outcome.tables:  # without its own row the rest of an image is worth nothing
            facts = self._facts(outcome)
            files = lengths(self.store.path.parent, outcome.outputs)
            entry = self.store.put(outcome.file, outcome.key, outcome.tables, facts, files)
            return entry.number, outcome.seconds, *self._tell(outcome)
        if outcome.lasting is not None and outcome.failure is not None and not outcome.known and outcome.key:
            failure = outcome.failure
            with self.store.transaction() as execute:
                execute(
                    "INSERT OR REPLACE INTO failed (name, key, limits, error, cause, remedy) "
                    "VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        outcome.file,
                        outcome.key,
                        self.limits if outcome.lasting == "limits" else "",
                        failure.error,
                        failure.cause,
                        failure.remedy,
                    ),
                )
        return nothing

    def _recall(self, entry: Entry) -> tuple[dict[str, Any], float]:
        """Return the row and the best score of what was kept before."""
        return row_of(self.store, entry.number)

    def _tell(self, outcome: Outcome) -> tuple[dict[str, Any], float]:
        """Return the row and the best score of what is new."""
        scores = Rows.of(outcome.tables["clusters"])
        flagged = [s for s, yes in zip(scores.column("score"), scores.column("flagged"), strict=True) if yes]
        return Rows.of(outcome.tables["images"]).first(), max(flagged, default=math.nan)

    def _facts(self, outcome: Outcome) -> dict[str, Any]:
        """Return what is kept of an image beside its tables."""
        return {
            "sha256": outcome.sha256,
            "size_bytes": outcome.size_bytes,
            "seconds": outcome.seconds,
            "study": self.store.alias(outcome.study),
            "origin": {
                kind: [self.store.alias(value) for value in values] for kind, values in outcome.origin.items()
            },
            "sketch": outcome.sketch,
            "outputs": {name: list(files) for name, files in outcome.outputs.items()},
            "dicom_columns": DICOM_COLUMNS[0].name in Rows.of(outcome.tables["images"]).columns,
            "model_columns": [
                c.name for c in MODEL_COLUMNS if c.name in Rows.of(outcome.tables["clusters"]).columns
            ],
        }

    def make_studies(self, config: Config, by: str) -> None:
        """Tell the copies among the images, and make the tables of examinations and findings."""
        exposure = self._tell_copies()
        for name in ("studies", "findings"):
            self.ledger.drop(name)
        first = 1
        groups = iter(group_images(self._views(exposure), by))
        while some := list(itertools.islice(groups, _STUDIES_AT_ONCE)):
            whole = self._with_clusters(some)
            for name, table in tables_of_groups(whole, config.studies, first=first).items():
                self.ledger.keep(name, Rows.of(table))
            numbers = [(view.file, first + k) for k, members in enumerate(some) for view in members]
            self.ledger.number_studies(iter(numbers))
            first += len(some)

    def _tell_copies(self) -> dict[str, int]:
        """Number the exposures, and note which images are copies; return the number of each image's."""
        traces = cast("list[Trace]", self._traces())
        exposure, same, clash = find_exposures(traces), same_pixels(traces), shared_instances(traces)
        self.ledger.mark_copies(
            (number, same.get(file, ""), f"{_CLASH} {clash[file]}" if file in clash else "", file)
            for file, number in exposure.items()
        )
        return exposure

    def _traces(self) -> list[_StoredTrace]:
        found = self.store.query(
            "SELECT i.file, i.image_id, json_extract(e.facts, '$.origin'), json_extract(e.facts, '$.study'), "
            "m.laterality, m.view FROM inputs AS i JOIN entries AS e ON e.image_id = i.image_id "
            "JOIN images AS m ON m.image_id = i.image_id WHERE i.run_id = ? ORDER BY i.position",
            (self.ledger.run,),
        )

        @lru_cache(maxsize=_SKETCHES)
        def sketch(image: int) -> str:
            query = "SELECT json_extract(facts, '$.sketch') FROM entries WHERE image_id = ?"
            return str(self.store.query(query, (image,)).fetchone()[0] or "")

        return [
            _StoredTrace(file, image, json.loads(origin or "{}"), (study or "", side, view), sketch)
            for file, image, origin, study, side, view in found
        ]

    def _views(self, exposure: Mapping[str, int]) -> list[ViewImage]:
        found = self.store.query(
            "SELECT i.file, json_extract(e.facts, '$.study'), m.laterality, m.view, m.flags, m.intent, "
            "m.row_spacing_mm, m.col_spacing_mm FROM inputs AS i "
            "JOIN entries AS e ON e.image_id = i.image_id "
            "JOIN images AS m ON m.image_id = i.image_id WHERE i.run_id = ? ORDER BY i.position",
            (self.ledger.run,),
        )
        nothing = table_of((), ())
        return [
            ViewImage(
                file=file,
                study=study,
                laterality=laterality,
                view=view,
                special=_is_special(str(flags).split("; ")),
                clusters=nothing,
                magnified=_is_magnified(str(flags).split("; ")),
                intent=intent,
                spacing_mm=(float(row), float(col)),
                exposure=exposure[file],
            )
            for file, study, laterality, view, flags, intent, row, col in found
        ]

    def _with_clusters(self, groups: Sequence[Sequence[ViewImage]]) -> list[list[ViewImage]]:
        """Return the images of some examinations with their groups, which come out of one table."""
        clusters = self._parts("clusters", _MATCHED, list(itertools.chain.from_iterable(groups)))
        magnified = [members for members in groups if any(image.magnified for image in members)]
        asked = list(itertools.chain.from_iterable(magnified))
        marks = {
            image.file: _placed(part, image.spacing_mm)
            for image, part in zip(
                asked, self._parts("calcifications", _PLACED, asked, "AND cluster_id > 0 "), strict=True
            )
        }
        return [
            [
                dataclasses.replace(image, clusters=next(clusters), marks=marks.get(image.file))
                for image in members
            ]
            for members in groups
        ]

    def _parts(
        self, table: str, columns: Sequence[Column], images: Sequence[ViewImage], where: str = ""
    ) -> Iterator[pd.DataFrame]:
        """Yield some columns of a table for each image; they come out of one table, made at once."""
        names = ", ".join(f'"{column.name}"' for column in columns)
        query = (
            f"SELECT {names} FROM {table} WHERE image_id = (SELECT image_id FROM inputs "
            f"WHERE run_id = ? AND file = ? AND position >= 0) {where}ORDER BY rowid"
        )
        rows: list[tuple[Any, ...]] = []
        ends = [0]
        if not images:
            return
        for image in images:
            rows += self.store.query(query, (self.ledger.run, image.file)).fetchall()
            ends.append(len(rows))
        whole = table_of(columns, rows)
        nothing = whole.iloc[:0]
        for first, last in itertools.pairwise(ends):
            yield whole.iloc[first:last] if last > first else nothing


def _is_special(remarks: Sequence[str]) -> bool:
    return not _SPECIAL.isdisjoint(remarks) or any(text.startswith(SEVERAL_BREASTS) for text in remarks)


def _is_magnified(remarks: Sequence[str]) -> bool:
    return not _MAGNIFIED.isdisjoint(remarks) and "specimen" not in remarks


def _placed(marks: pd.DataFrame, spacing_mm: tuple[float, float]) -> pd.DataFrame:
    """Return calcifications of groups with their places in mm."""
    return marks[["cluster_id", "score"]].assign(
        row_mm=marks["row_px"] * spacing_mm[0], col_mm=marks["col_px"] * spacing_mm[1]
    )


class _StoredTrace:
    """A `Trace` whose sketch, a text of kilobytes, is read from the store when it is compared."""

    __slots__ = ("_image", "_sketch", "event", "file", "instance", "pixels", "place", "sources")

    def __init__(
        self,
        file: str,
        image: int,
        origin: Mapping[str, Sequence[str]],
        place: tuple[str, str, str],
        sketch: Callable[[int], str],
    ) -> None:
        self.file, self.place, self._image, self._sketch = file, place, image, sketch
        self.pixels, self.instance, self.event = (
            next(iter(origin.get(kind, ())), "") for kind in ("pixels", "instance", "event")
        )
        self.sources = tuple(origin.get("sources", ()))

    @property
    def sketch(self) -> str:
        return self._sketch(self._image)


_MATCHED = tuple(
    c for c in CLUSTERS if c.name in ("cluster_id", "morphology", *MATCHING_COLUMNS, *BOX_COLUMNS)
)
"""What the table of examinations needs of the groups, which is little."""

_PLACED = tuple(c for c in SCHEMAS["calcifications"] if c.name in ("cluster_id", "row_px", "col_px", "score"))
"""And of their members."""
