"""What a run was asked and what became of each input, kept in the store while the run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcdetect.output.overlays import OVERLAY_FOLDER
from mcdetect.output.run_record import InputRecord
from mcdetect.output.tables import SCHEMAS
from mcdetect.runs.layout import WHOLE
from mcdetect.runs.store import Rows, Store, table_of
from mcdetect.runs.worker import Failure
from mcdetect.schema import FAILURES, Column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Ledger", "RunFacts", "told"]

_VALUES = 25_000  # Technical: values that are held at a time while tables are written, a MB or two
_BATCH = 4096  # Technical: rows of small tables


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before its first image.

    Parameters
    ----------
    options : mapping
        What was asked, ready for JSON.
    config : mapping
        Options of the detector.
    files : sequence of (int, str)
        Position among all inputs, and name in the tables, of each input of this run.
    listing : str
        Digest of the names of all inputs, those of other shards too.
    skipped, duplicates : int
        Files that are no images, and files met more than once.
    """

    options: Mapping[str, Any]
    config: Mapping[str, Any]
    files: Sequence[tuple[int, str]]
    listing: str = ""
    skipped: int = 0
    duplicates: int = 0


_TOLD = {
    "exposure_id": "coalesce(i.exposure_id, t.exposure_id)",
    "same_as": "coalesce(i.same_as, t.same_as)",
    "flags": "CASE WHEN coalesce(i.remark, '') = '' THEN t.flags WHEN t.flags = '' THEN i.remark "
    "ELSE t.flags || '; ' || i.remark END",
}
"""What images.csv says of an image that depends on the other images of the run."""


def told(table: str, column: str) -> str:
    """Return what to ask the store for: `i` are the inputs of the run, `t` is the table."""
    return _TOLD.get(column, f't."{column}"') if table == "images" else f't."{column}"'


class Ledger:
    """The inputs of one run in the store.

    Parameters
    ----------
    store : Store
        Where they are kept.
    run : int
        Number of the run, `run_id` in the store.
    """

    def __init__(self, store: Store, run: int) -> None:
        self.store, self.run = store, run

    @classmethod
    def begin(cls, store: Store, facts: RunFacts) -> Ledger:
        """Begin a run. Inputs of earlier runs are forgotten, their results are not."""
        with store.transaction() as execute:
            execute("DELETE FROM inputs")
            for name in WHOLE:
                execute(f'DELETE FROM "{name}"')
            execute("UPDATE runs SET status = 'stopped' WHERE status = 'running'")
            made = execute(
                "INSERT INTO runs (status, started, n_inputs, n_skipped, n_duplicates, facts) "
                "VALUES ('running', ?, ?, ?, ?, ?)",
                (
                    time.time(),
                    len(facts.files),
                    facts.skipped,
                    facts.duplicates,
                    json.dumps(
                        {
                            "options": dict(facts.options),
                            "config": dict(facts.config),
                            "listing": facts.listing,
                        }
                    ),
                ),
            )
            number = int(made.lastrowid)
            store.insert(
                "INSERT INTO inputs (run_id, position, file, status) VALUES (?, ?, ?, 'pending')",
                ((number, position, file) for position, file in facts.files),
            )
        return cls(store, number)

    @classmethod
    def latest(cls, store: Store) -> Ledger | None:
        """Return the last run that began, or None."""
        found = store.query("SELECT max(run_id) FROM runs").fetchone()
        return None if found[0] is None else cls(store, int(found[0]))

    def facts(self) -> dict[str, Any]:
        """Return status, start and end (seconds since 1970), and what was asked."""
        names = ("status", "started", "ended", "n_inputs", "n_skipped", "n_duplicates", "facts")
        row = self.store.query(
            f"SELECT {', '.join(names)} FROM runs WHERE run_id = ?", (self.run,)
        ).fetchone()
        found: dict[str, Any] = dict(zip(names, row, strict=True))
        found |= json.loads(found.pop("facts"))
        return found

    def problem(self, position: int, file: str, failure: Failure) -> None:
        """Add an input that cannot be worked on at all; `position` is negative, before all others."""
        with self.store.transaction() as execute:
            execute(
                "INSERT INTO inputs (run_id, position, file, status, error, cause, remedy, at) "
                "VALUES (?, ?, ?, 'failed', ?, ?, ?, ?)",
                (self.run, position, file, failure.error, failure.cause, failure.remedy, time.time()),
            )

    def settle(
        self,
        file: str,
        image: int | None,
        failure: Failure | None,
        *,
        sha256: str | None,
        size_bytes: int | None,
        reused: bool,
        seconds: Mapping[str, float],
    ) -> None:
        """Note what became of an input."""
        reason: tuple[str | None, str | None, str | None] = (None, None, None)
        if failure is not None:
            reason = (failure.error, failure.cause, failure.remedy)
        status = "failed" if image is None else "processed"
        if image is None and failure is not None and failure.passed_over:
            status, reason = "skipped", (None, failure.cause, None)
        with self.store.transaction() as execute:
            execute(
                "UPDATE inputs SET status = ?, image_id = ?, sha256 = ?, size_bytes = ?, error = ?, "
                "cause = ?, remedy = ?, reused = ?, seconds = ?, at = ? "
                "WHERE run_id = ? AND file = ? AND position >= 0",
                (
                    status,
                    image,
                    sha256,
                    size_bytes,
                    *reason,
                    int(reused),
                    json.dumps({name: round(float(s), 4) for name, s in seconds.items()}),
                    time.time(),
                    self.run,
                    file,
                ),
            )

    def finish(self, status: str) -> None:
        """Note how the run ended."""
        with self.store.transaction() as execute:
            execute("UPDATE runs SET status = ?, ended = ? WHERE run_id = ?", (status, time.time(), self.run))

    def counts(self) -> dict[str, int]:
        """Return how many inputs are processed, failed, skipped, pending, reused (of those processed)."""
        found = self.store.query(
            "SELECT status, count(*), sum(coalesce(reused, 0)) FROM inputs WHERE run_id = ? GROUP BY status",
            (self.run,),
        ).fetchall()
        counts = dict.fromkeys(("processed", "failed", "skipped", "pending"), 0)
        counts |= {str(status): int(number) for status, number, _ in found}
        return counts | {"reused": sum(int(r) for s, _, r in found if s == "processed")}

    def files(self) -> list[str]:
        """Return the images that have results, in input order."""
        found = self.store.query(
            "SELECT file FROM inputs WHERE run_id = ? AND image_id IS NOT NULL ORDER BY position", (self.run,)
        )
        return [str(row[0]) for row in found]

    def image(self, file: str) -> int:
        """Return the `image_id` of an image that has results."""
        found = self.store.query(
            "SELECT image_id FROM inputs WHERE run_id = ? AND file = ? AND position >= 0", (self.run, file)
        ).fetchone()
        return int(found[0])

    def rows(self, table: str, file: str, columns: Sequence[Column]) -> pd.DataFrame:
        """Return the rows of one image in one of the tables of images."""
        names = ", ".join(told(table, column.name) for column in columns)
        query = (
            f'SELECT {names} FROM inputs AS i CROSS JOIN "{table}" AS t ON t.image_id = i.image_id '
            "WHERE i.run_id = ? AND i.file = ? AND i.position >= 0 ORDER BY i.position, t.rowid"
        )
        return table_of(columns, self.store.query(query, (self.run, file)).fetchall())

    def batches(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of all images in one table, in input order, some thousands at a time."""
        names = ", ".join(told(table, column.name) for column in columns)
        # CROSS JOIN: SQLite goes through the inputs in their order, and sorts nothing.
        cursor = self.store.query(
            f'SELECT {names} FROM inputs AS i CROSS JOIN "{table}" AS t ON t.image_id = i.image_id '
            "WHERE i.run_id = ? AND i.image_id IS NOT NULL ORDER BY i.position, t.rowid",
            (self.run,),
        )
        most = max(1, _VALUES // len(columns))
        while rows := cursor.fetchmany(most):
            yield rows

    def passed_over(self) -> Iterator[tuple[str, str]]:
        """Yield the inputs that are no mammograms that are searched, and why."""
        yield from self.store.query(
            "SELECT file, cause FROM inputs WHERE run_id = ? AND status = 'skipped' ORDER BY position",
            (self.run,),
        )

    def mark_copies(self, copies: Iterable[tuple[int, str, str, str]]) -> None:
        """Note exposure, first image of the same pixels, and remark of images; file comes last."""
        with self.store.transaction():
            self.store.insert(
                "UPDATE inputs SET exposure_id = ?, same_as = ?, remark = ? "
                "WHERE run_id = ? AND file = ? AND position >= 0",
                ((number, same, remark, self.run, file) for number, same, remark, file in copies),
            )

    def failures(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of the table of failures."""
        names = ", ".join(column.name for column in FAILURES)
        cursor = self.store.query(
            f"SELECT {names} FROM inputs WHERE run_id = ? AND error IS NOT NULL ORDER BY position",
            (self.run,),
        )
        while rows := cursor.fetchmany(_BATCH):
            yield rows

    def keep(self, table: str, rows: Rows) -> None:
        """Keep rows of a table of the run as a whole (`WHOLE`), after those that are there."""
        names = ", ".join(f'"{name}"' for name in rows.columns)
        marks = ", ".join("?" for _ in range(len(rows.columns) + 1))
        with self.store.transaction():
            self.store.insert(
                f'INSERT INTO "{table}" (run_id, {names}) VALUES ({marks})',
                ((self.run, *row) for row in rows.values),
            )

    def drop(self, table: str) -> None:
        """Remove the rows of a table of the run as a whole."""
        with self.store.transaction() as execute:
            execute(f'DELETE FROM "{table}" WHERE run_id = ?', (self.run,))

    def kept(self, table: str) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a table of the run as a whole."""
        names = ", ".join(f'"{column.name}"' for column in SCHEMAS[table])
        cursor = self.store.query(
            f'SELECT {names} FROM "{table}" WHERE run_id = ? ORDER BY rowid', (self.run,)
        )
        while rows := cursor.fetchmany(_BATCH):
            yield rows

    def number_studies(self, numbers: Iterable[tuple[str, int]]) -> None:
        """Note the examination of each image: `study_id` of inputs is `study` of the tables."""
        with self.store.transaction():
            self.store.insert(
                "UPDATE inputs SET study_id = ? WHERE run_id = ? AND file = ? AND position >= 0",
                ((number, self.run, file) for file, number in numbers),
            )

    def pictures(self, *, own: bool = True) -> set[str]:
        """Return the names of the pictures of this run's images, or of all that the store knows of.

        Those of images that failed this time stay this run's own: a folder that was gone comes back.
        """
        query = f"SELECT file FROM files WHERE file LIKE '{OVERLAY_FOLDER}/%'"
        values: tuple[int, ...] = ()
        if own:
            query += (
                " AND image_id IN (SELECT image_id FROM inputs WHERE run_id = ? UNION SELECT e.image_id "
                "FROM inputs AS i JOIN entries AS e ON e.name = i.file "
                "WHERE i.run_id = ? AND i.status = 'failed')"
            )
            values = (self.run, self.run)
        return {str(row[0]).rpartition("/")[2] for row in self.store.query(query, values)}

    def records(self) -> Iterator[InputRecord]:
        """Yield a line of run.json for each input that is settled, problems first, then in input order."""
        found = self.store.query(
            "SELECT i.file, i.status, i.sha256, i.size_bytes, i.seconds, "
            "(SELECT f.file FROM files AS f WHERE f.image_id = i.image_id AND f.file LIKE 'overlays/%') "
            "FROM inputs AS i WHERE i.run_id = ? AND i.status != 'pending' ORDER BY i.position",
            (self.run,),
        )
        for file, status, sha256, size, seconds, picture in found:
            name = None if picture is None else str(picture).rpartition("/")[2]
            yield InputRecord(file, status, sha256, size, name, json.loads(seconds or "{}"))
