"""The store of results: one SQLite file, one transaction per image, known by content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import secrets
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import mcdetect
from mcdetect.output.run_record import LIBRARIES, library_versions
from mcdetect.schema import SCHEMA_VERSION, Column, make_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Entry", "Store", "detector_digest", "result_key"]

logger = logging.getLogger(__name__)

# Technical: format of the file.
_LAYOUT = 2
"""Version of the tables below; a store of another layout or schema is made anew."""

_SQL_TYPES = {"str": "TEXT", "float64": "REAL", "int64": "INTEGER", "bool": "INTEGER"}
_UNRELATED = frozenset({"cli", "exams", "output", "phantom", "runs", "training"})
"""Parts of the package on which neither detections nor truth depend."""
_SUFFIXES = (".py", ".json")
_WRITING = frozenset({"pandas", "pyarrow"})
"""Libraries that write tables of what was found, and do not change it."""


@lru_cache(maxsize=1)
def detector_digest() -> str:
    """Return a SHA-256 of the code, the kernels and the models on which detections and truth depend.

    The version alone would let figures of changed code pass for those of the release.
    """
    return digest_of(Path(mcdetect.__file__).parent)


def digest_of(package: Path) -> str:
    """Return the digest of the package in a folder."""
    state = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in _SUFFIXES and p.is_file()):
        relative = path.relative_to(package)
        if relative.parts[0] not in _UNRELATED:
            state.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


@lru_cache(maxsize=1)
def _libraries() -> dict[str, str]:
    """Return the versions of the libraries whose results may differ in the last digit, or by more."""
    return library_versions([name for name in LIBRARIES if name not in _WRITING])


def result_key(content: str, parts: Sequence[str]) -> str:
    """Return a key that changes with whatever the results of an image depend on.

    Parameters
    ----------
    content : str
        SHA-256 of the bytes of the image's file.
    parts : sequence of str
        What else they depend on: configuration, spacing given, the user's model, truth. The version,
        `detector_digest` and the versions of the libraries that read and compute count, too.
    """
    everything = [mcdetect.__version__, detector_digest(), _libraries(), content, *parts]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


class Entry:
    """What the store has of one image.

    Parameters
    ----------
    number : int
        Its row in the store.
    name, key : str
        Name in the tables, and what its results depend on.
    facts : dict
        What else was kept of it, as it was given to `Store.put`.
    """

    __slots__ = ("facts", "key", "name", "number")

    def __init__(self, number: int, name: str, key: str, facts: str) -> None:
        self.number, self.name, self.key = number, name, key
        self.facts: dict[str, Any] = json.loads(facts)


class Store:
    """Results of images by name and key, in one SQLite file.

    Parameters
    ----------
    path : Path
        The file; made when it does not exist. One that is damaged, or of another layout or schema, is put
        aside under the ending ``.old`` and made anew.
    tables : mapping of str to sequence of Column
        The tables that an image may have rows in.

    Notes
    -----
    Every `put` is one transaction: after a crash an image is there whole or not at all.
    """

    def __init__(self, path: Path, tables: Mapping[str, Sequence[Column]]) -> None:
        self.path = path
        self.tables = {name: tuple(columns) for name, columns in tables.items()}
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(
                error, sqlite3.OperationalError
            ):  # cannot be opened or written: nothing to put aside
                raise OSError(f"{path.name}: {error}") from error
            self._put_aside("damaged")
        if self._version() != self._wanted():
            if self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                self._put_aside("of another version")
            self._make()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA foreign_keys=ON")
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

    def _wanted(self) -> str:
        names = {name: [column.name for column in columns] for name, columns in self.tables.items()}
        return json.dumps([_LAYOUT, SCHEMA_VERSION, names])

    def _version(self) -> str | None:
        try:
            found = self._connection.execute("SELECT version FROM layout").fetchone()
        except sqlite3.OperationalError:
            return None
        return None if found is None else str(found[0])

    def _make(self) -> None:
        with self._transaction() as run:
            run("CREATE TABLE layout (version TEXT NOT NULL, salt TEXT NOT NULL)")
            run("INSERT INTO layout VALUES (?, ?)", (self._wanted(), secrets.token_hex(16)))
            run(
                "CREATE TABLE entries (entry INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, "
                "facts TEXT NOT NULL, UNIQUE (name, key))"
            )
            run(
                "CREATE TABLE files (file TEXT PRIMARY KEY, bytes INTEGER NOT NULL, "
                "entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE)"
            )
            for name, columns in self.tables.items():
                declared = ", ".join(f'"{c.name}" {_SQL_TYPES[c.dtype]}' for c in columns)
                run(
                    f'CREATE TABLE "{name}" (entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE, '
                    f"{declared})"
                )
                run(f'CREATE INDEX "{name}_entry" ON "{name}" (entry)')

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Any]:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            yield execute
        except BaseException:
            execute("ROLLBACK")
            raise
        execute("COMMIT")

    def put(
        self,
        name: str,
        key: str,
        tables: Mapping[str, pd.DataFrame],
        facts: Mapping[str, Any],
        files: Mapping[str, int] | None = None,
    ) -> Entry:
        """Keep the results of one image, whole or not at all; one of that name and key is replaced.

        Parameters
        ----------
        name, key : str
            Name in the tables, and what the results depend on (`result_key`).
        tables : mapping of str to DataFrame
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
        try:
            with self._transaction() as run:
                run("DELETE FROM entries WHERE name = ? AND key = ?", (name, key))
                made = run("INSERT INTO entries (name, key, facts) VALUES (?, ?, ?)", (name, key, text))
                number = int(made.lastrowid)
                for table, rows in tables.items():
                    self._insert(number, table, rows)
                for file, size in (files or {}).items():
                    run("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (file, size, number))
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.path.name}: {error}") from error
        return Entry(number, name, key, text)

    def _insert(self, number: int, table: str, rows: pd.DataFrame) -> None:
        columns = [column for column in self.tables[table] if column.name in rows.columns]
        values = [rows[column.name].tolist() for column in columns]  # SQLite keeps not-a-number as NULL
        names = ", ".join(f'"{column.name}"' for column in columns)
        marks = ", ".join("?" for _ in range(len(columns) + 1))
        self._connection.executemany(
            f'INSERT INTO "{table}" (entry, {names}) VALUES ({marks})',
            ((number, *row) for row in zip(*values, strict=True)),
        )

    def alias(self, text: str) -> str:
        """Return a pseudonym that is the same within this store only; empty for an empty text."""
        (salt,) = self._connection.execute("SELECT salt FROM layout").fetchone()
        return hashlib.sha256(f"{salt} {text}".encode()).hexdigest()[:16] if text else ""

    def owned(self, entry: Entry) -> dict[str, int]:
        """Return the files that were last written for an entry, with their length in bytes."""
        found = self._connection.execute("SELECT file, bytes FROM files WHERE entry = ?", (entry.number,))
        return {str(file): int(size) for file, size in found}

    def find(self, name: str) -> list[Entry]:
        """Return the entries of an image, one for each key."""
        found = self._connection.execute(
            "SELECT entry, name, key, facts FROM entries WHERE name = ? ORDER BY entry", (name,)
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
            f'SELECT {names} FROM "{table}" WHERE entry = ? ORDER BY rowid',
            (entry.number,),
        ).fetchall()
        values = list(zip(*found, strict=True)) if found else [()] * len(wanted)
        return make_table(
            wanted, {column.name: list(value) for column, value in zip(wanted, values, strict=True)}
        )

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
