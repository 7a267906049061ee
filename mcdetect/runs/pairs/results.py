"""The pairs of a run while it goes on, and its tables at the end."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mcdetect.output.tables import FORMATS, write_tables
from mcdetect.runs.results import RunResults
from mcdetect.runs.store import Entry, Rows
from mcdetect.runs.worker import Outcome
from mcdetect.schema import PAIRS, Column

__all__ = ["COMMAND", "TABLES", "PairResults", "begun_rows", "name_of"]

COMMAND = "compare"
"""What options of a run call this command."""

TABLES = ("pairs", "changes", "members", "failures", "skipped")
"""Tables of a run over pairs."""

_VERDICTS = ("new", "grown", "stable", "gone", "uncertain")
_REGISTERED = ("agreement", "overlap", "uncertainty_mm")


def name_of(folder: str, file: str) -> str:
    """Return what an image is called where those of both folders stand together."""
    return f"{folder}/{file}"


class PairResults(RunResults):
    """Takes the outcomes of pairs as they come; an input is a pair, called by its current image."""

    main: ClassVar[str] = "changes"

    def _recall(self, entry: Entry) -> tuple[dict[str, Any], float]:
        return _row(entry.facts["comparison"]), math.nan

    def _tell(self, outcome: Outcome) -> tuple[dict[str, Any], float]:
        return _row(getattr(outcome, "facts", {})), math.nan

    def _facts(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "sha256": outcome.sha256,
            "size_bytes": outcome.size_bytes,
            "seconds": outcome.seconds,
            "outputs": {name: list(files) for name, files in outcome.outputs.items()},
            "comparison": dict(getattr(outcome, "facts", {})),
        }

    def batches(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a table, of all pairs in order, or of the run as a whole, some at a time."""
        return self._pairs() if table == "pairs" else super().batches(table, columns)

    def _pairs(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of the table of pairs: as it was begun, with what became of each."""
        names = [column.name for column in PAIRS]
        for rows in self.ledger.kept("pairs"):
            whole = [dict(zip(names, row, strict=True)) for row in rows]
            yield [tuple((row | self._became(row)).values()) for row in whole]

    def _became(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if row["status"] != "pending":
            return {}
        status, image, cause, remedy = self.store.query(
            "SELECT status, image_id, cause, remedy FROM inputs "
            "WHERE run_id = ? AND file = ? AND position >= 0",
            (self.ledger.run, name_of("current", row["current_file"])),
        ).fetchone()
        if image is None:
            reason = "; ".join(text for text in (cause, remedy) if text)
            return {"status": "pending"} if status == "pending" else {"status": "failed", "reason": reason}
        (text,) = self.store.query("SELECT facts FROM entries WHERE image_id = ?", (image,)).fetchone()
        found = Entry(image, "", "", text).facts["comparison"]
        counts = {f"n_{verdict}": float(found["flagged_groups"][verdict]) for verdict in _VERDICTS}
        status = "compared" if found["registered"] else "not registered"
        return {"status": status, **{name: found[name] for name in _REGISTERED}, **counts}

    def counts(self) -> dict[str, int]:
        """Return the number of pairs and of images without partner, by status."""
        counts: dict[str, int] = {}
        place = [column.name for column in PAIRS].index("status")
        for row in itertools.chain.from_iterable(self._pairs()):
            counts[row[place]] = counts.get(row[place], 0) + 1
        return counts

    def write(self, folder: Path, formats: Sequence[str] = FORMATS) -> dict[str, int]:
        """Write every table."""
        return write_tables(folder, TABLES, self, {}, formats)


def _row(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a pair while the run goes on."""
    groups = found.get("flagged_groups", {})
    return {
        "registered": bool(found.get("registered")),
        "n_flagged": groups.get("new", 0) + groups.get("grown", 0),
    }


def begun_rows(rows: Sequence[Mapping[str, Any]]) -> Rows:
    """Return the table of pairs before anything was compared."""
    nothing = {"str": "", "float64": None, "int64": 0, "bool": False}
    names = tuple(column.name for column in PAIRS)
    return Rows(names, [tuple(row.get(c.name, nothing[c.dtype]) for c in PAIRS) for row in rows])
