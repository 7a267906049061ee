"""The store of results: one SQLite file, one transaction per image, known by content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mcdetect.runs import layout
from mcdetect.schema import Column, make_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DiskFullError", "Entry", "Rows", "Store"]

logger = logging.getLogger(__name__)

# Technical: a look through the whole file at the start takes a second per 100 MB.
_LARGEST_CHECKED = 2.5e8  # bytes; damage in larger files shows when it is met


class DiskFullError(OSError):
    """There is no room for results."""


class Entry:
    """What the store has of one image.

    Parameters
    ----------
    number : int
        Its row in the store, `image_id` in all tables.
    name, key : str
        Name in the tables, and what its results depend on.
    facts : dict
        What else was kept of it, as it was given to `Store.put`.
    """

    __slots__ = ("facts", "key", "name", "number")

    def __init__(self, number: int, name: str, key: str, facts: str) -> None:
        self.number, self.name, self.key = number, name, key
        self.facts: dict[str, Any] = json.loads(facts)


@dataclass(frozen=True)
class Rows:
    """Rows of a table as plain values: what a worker sends, since a small DataFrame of 200 columns is slow.

    Parameters
    ----------
    columns : tuple of str
        Their names.
    values : list of tuple
        One for each row.
    """

    columns: tuple[str, ...]
    values: list[tuple[Any, ...]]

    @classmethod
    def of(cls, table: pd.DataFrame | Rows) -> Rows:
        """Return the rows of a DataFrame."""
        if isinstance(table, Rows):
            return table
        columns = tuple(str(name) for name in table.columns)
        if not len(table):
            return cls(columns, [])
        return cls(columns, list(zip(*(table[name].tolist() for name in columns), strict=True)))

    def first(self) -> dict[str, Any]:
        """Return the first row by column."""
        return dict(zip(self.columns, self.values[0], strict=True))

    def column(self, name: str) -> list[Any]:
        """Return the values of a column."""
        index = self.columns.index(name)
        return [row[index] for row in self.values]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.values)


class Store:
    """Results of images by name and key, in one SQLite file.

    Parameters
    ----------
    path : Path
        The file; made when it does not exist. One of an earlier version is brought up to date; one that is
        damaged, or no store, is put aside under the ending ``.old`` and made anew.
    tables : mapping of str to sequence of Column
        The tables that an image may have rows in.
    reading : bool
        Only look: nothing is made, brought up to date or put aside.

    Raises
    ------
    OSError
        When it cannot be opened, or a newer version of mcdetect wrote it.

    Notes
    -----
    Every `put` is one transaction: after a crash an image is there whole or not at all.
    """

    def __init__(self, path: Path, tables: Mapping[str, Sequence[Column]], *, reading: bool = False) -> None:
        self.path = path
        self.tables = {name: tuple(columns) for name, columns in tables.items()}
        self._names = {name: frozenset(c.name for c in columns) for name, columns in self.tables.items()}
        self._depth = 0
        if reading and not path.is_file():
            raise OSError(f"{path.name}: there is none")
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) or reading:  # nothing to put aside
                raise OSError(f"{path.name}: {error}") from error
            self._put_aside("damaged")
        self._prepare(reading)

    def _prepare(self, reading: bool) -> None:
        version = layout.version_of(self._connection.execute)
        if version == layout.wanted(self.tables):
            return
        if reading:
            self._connection.close()
            raise OSError(f"{self.path.name}: of another version of mcdetect")
        if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            try:
                with self.transaction():
                    layout.update(self._connection.execute, version, self.tables)
                return
            except layout.NewerStoreError as error:
                self._connection.close()
                raise OSError(f"{self.path.name}: {error}") from error
            except (layout.OtherStoreError, sqlite3.DatabaseError):
                self._put_aside("of another version")
        with self.transaction():
            layout.make(self._connection.execute, self.tables)

    def _open(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA foreign_keys=ON")
        if self.path.stat().st_size < _LARGEST_CHECKED:
            (state,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if state != "ok":
                raise sqlite3.DatabaseError(state)

    def _put_aside(self, why: str) -> None:
        self._connection.close()
        names = (f"{self.path.name}.old{number or ''}" for number in (0, *range(2, 10_000)))
        kept = next(place for name in names if not (place := self.path.with_name(name)).exists())
        logger.warning("%s is %s: kept as %s, and made anew", self.path.name, why, kept.name)
        for ending in ("-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        self.path.replace(kept)
        self._open()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Do all within or nothing; one inside another is part of it.

        Raises
        ------
        DiskFullError
            There is no room.
        OSError
            It cannot be written for another reason.
        """
        execute = self._connection.execute
        try:
            if not self._depth:
                execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield execute
            except BaseException:
                if self._depth == 1 and self._connection.in_transaction:
                    execute("ROLLBACK")  # what is full may have rolled back already
                raise
            finally:
                self._depth -= 1
            if not self._depth:
                try:
                    execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:
                        execute("ROLLBACK")
                    raise
        except sqlite3.OperationalError as error:
            full = "full" in str(error) or "disk I/O" in str(error)
            raise (DiskFullError if full else OSError)(f"{self.path.name}: {error}") from error

    def query(self, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Return what a query finds."""
        return self._connection.execute(text, values)

    def insert(self, text: str, rows: Iterator[tuple[Any, ...]]) -> None:
        """Insert many rows, within a transaction of the caller."""
        self._connection.executemany(text, rows)

    def put(
        self,
        name: str,
        key: str,
        tables: Mapping[str, pd.DataFrame | Rows],
        facts: Mapping[str, Any],
        files: Mapping[str, int] | None = None,
    ) -> Entry:
        """Keep the results of one image, whole or not at all; one of that name and key is replaced.

        Parameters
        ----------
        name, key : str
            Name in the tables, and what the results depend on (`mcdetect.runs.keys.result_key`).
        tables : mapping of str to DataFrame or Rows
            Its rows; columns that the store has and a table lacks are left empty.
        facts : mapping
            What else is to be kept, ready for JSON.
        files : mapping of str to int, optional
            Files that were written for it, with their length in bytes; whoever wrote them before owns
            them no longer.

        Raises
        ------
        OSError
            When it cannot be written (a full disk, for example).
        """
        text = json.dumps(dict(facts))
        with self.transaction() as run:
            run("DELETE FROM entries WHERE name = ? AND key = ?", (name, key))
            run("DELETE FROM failed WHERE name = ? AND key = ?", (name, key))
            made = run("INSERT INTO entries (name, key, facts) VALUES (?, ?, ?)", (name, key, text))
            number = int(made.lastrowid)
            for table, rows in tables.items():
                self._insert(number, table, rows)
            for file, size in (files or {}).items():
                run("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (file, size, number))
        return Entry(number, name, key, text)

    def _insert(self, number: int, table: str, rows: pd.DataFrame | Rows) -> None:
        given = Rows.of(rows)
        if not given.values:
            return
        there = self._names[table]
        kept = [index for index, name in enumerate(given.columns) if name in there]
        names = ", ".join(f'"{given.columns[index]}"' for index in kept)
        marks = ", ".join("?" for _ in range(len(kept) + 1))
        values: Iterator[tuple[Any, ...]] = ((number, *row) for row in given.values)
        if len(kept) < len(given.columns):
            values = ((number, *(row[index] for index in kept)) for row in given.values)
        # SQLite keeps not-a-number as NULL
        self._connection.executemany(f'INSERT INTO "{table}" (image_id, {names}) VALUES ({marks})', values)

    def alias(self, text: str) -> str:
        """Return a pseudonym that is the same within this store only; empty for an empty text."""
        (salt,) = self._connection.execute("SELECT salt FROM layout").fetchone()
        return hashlib.sha256(f"{salt} {text}".encode()).hexdigest()[:16] if text else ""

    def share_aliases(self, text: str) -> None:
        """Let stores that are given the same text use the same pseudonyms, so that they can be merged.

        Only while nothing is in the store.
        """
        salt = hashlib.sha256(f"aliases of {text}".encode()).hexdigest()[:32]
        with self.transaction() as run:
            run("UPDATE layout SET salt = ? WHERE NOT EXISTS (SELECT 1 FROM entries)", (salt,))

    def owned(self, entry: Entry) -> dict[str, int]:
        """Return the files that were last written for an entry, with their length in bytes."""
        found = self._connection.execute("SELECT file, bytes FROM files WHERE image_id = ?", (entry.number,))
        return {str(file): int(size) for file, size in found}

    def find(self, name: str) -> list[Entry]:
        """Return the entries of an image, one for each key."""
        found = self._connection.execute(
            "SELECT image_id, name, key, facts FROM entries WHERE name = ? ORDER BY image_id", (name,)
        )
        return [Entry(*row) for row in found]

    def rows(self, entry: Entry, table: str, columns: Collection[Column] | None = None) -> pd.DataFrame:
        """Return the rows of an entry in a table.

        Parameters
        ----------
        entry : Entry
            As `put` and `find` return it.
        table : str
            One of `tables`.
        columns : collection of Column, optional
            Which columns; by default all that the store has.
        """
        wanted = tuple(self.tables[table] if columns is None else columns)
        names = ", ".join(f'"{column.name}"' for column in wanted)
        found = self._connection.execute(
            f'SELECT {names} FROM "{table}" WHERE image_id = ? ORDER BY rowid',
            (entry.number,),
        ).fetchall()
        return table_of(wanted, found)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Use the store."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def table_of(columns: Sequence[Column], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Return rows as the store gives them as a table."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return make_table(
        tuple(columns), {column.name: list(value) for column, value in zip(columns, values, strict=True)}
    )
