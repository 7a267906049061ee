"""How the store is laid out, and how one of an earlier version is brought up to date."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from mcdetect.output.tables import SCHEMAS
from mcdetect.schema import SCHEMA_VERSION, Column

__all__ = ["LAYOUT", "WHOLE", "NewerStoreError", "OtherStoreError", "make", "update", "version_of", "wanted"]

# Technical: format of the file.
LAYOUT = 3
"""Version of the tables below; what an earlier one lacks is in `_MIGRATIONS`."""

_SQL_TYPES = {"str": "TEXT", "float64": "REAL", "int64": "INTEGER", "bool": "INTEGER"}

WHOLE: tuple[str, ...] = tuple(
    name for name in ("studies", "findings", "skipped", "pairs") if name in SCHEMAS
)
"""Tables of a run as a whole, with its `run_id`."""

_RUNS = (
    "CREATE TABLE runs (run_id INTEGER PRIMARY KEY, status TEXT NOT NULL, started REAL NOT NULL, ended REAL, "
    "n_inputs INTEGER NOT NULL, n_skipped INTEGER NOT NULL, n_duplicates INTEGER NOT NULL, "
    "facts TEXT NOT NULL)",
    "CREATE TABLE inputs (run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, "
    "position INTEGER NOT NULL, file TEXT NOT NULL, status TEXT NOT NULL, image_id INTEGER, sha256 TEXT, "
    "size_bytes INTEGER, error TEXT, cause TEXT, remedy TEXT, reused INTEGER, seconds TEXT, at REAL, "
    "study_id INTEGER, exposure_id INTEGER, same_as TEXT, remark TEXT, "
    "PRIMARY KEY (run_id, position)) WITHOUT ROWID",
    "CREATE INDEX inputs_file ON inputs (run_id, file)",
    "CREATE INDEX inputs_image ON inputs (image_id)",
    "CREATE TABLE failed (name TEXT NOT NULL, key TEXT NOT NULL, limits TEXT NOT NULL, error TEXT NOT NULL, "
    "cause TEXT NOT NULL, remedy TEXT NOT NULL, PRIMARY KEY (name, key)) WITHOUT ROWID",
    "CREATE VIEW failures AS SELECT run_id, file, error, cause, remedy FROM inputs WHERE error IS NOT NULL",
)

_ENTRIES = (
    "CREATE TABLE entries (image_id INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, "
    "facts TEXT NOT NULL, UNIQUE (name, key))",
    "CREATE TABLE files (file TEXT PRIMARY KEY, bytes INTEGER NOT NULL, "
    "image_id INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE)",
)


class OtherStoreError(Exception):
    """The file is no store, or its tables cannot be brought up to date."""


class NewerStoreError(OSError):
    """A newer version of mcdetect wrote the store."""


Tables = Mapping[str, Sequence[Column]]
Execute = Callable[..., sqlite3.Cursor]


def wanted(tables: Tables) -> str:
    """Return the version of a store with these tables."""
    names = {name: [f"{c.name} {c.dtype}" for c in columns] for name, columns in tables.items()}
    return json.dumps([LAYOUT, SCHEMA_VERSION, names])


def version_of(execute: Execute) -> str | None:
    """Return the version that a store states, or None."""
    try:
        found = execute("SELECT version FROM layout").fetchone()
    except sqlite3.OperationalError:
        return None
    return None if found is None else str(found[0])


def make(execute: Execute, tables: Tables) -> None:
    """Make the tables of an empty store."""
    execute("CREATE TABLE layout (version TEXT NOT NULL, salt TEXT NOT NULL)")
    execute("INSERT INTO layout VALUES (?, ?)", (wanted(tables), secrets.token_hex(16)))
    for statement in (*_ENTRIES, *_RUNS):
        execute(statement)
    _make_tables(execute, tables)


def _make_tables(execute: Execute, tables: Tables) -> None:
    for name, columns in tables.items():
        _make_table(execute, name, columns, "image_id INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE")
    for name in WHOLE:
        _make_table(execute, name, SCHEMAS[name], "run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE")


def _make_table(execute: Execute, name: str, columns: Sequence[Column], owner: str) -> None:
    declared = ", ".join(f'"{c.name}" {_SQL_TYPES[c.dtype]}' for c in columns)
    execute(f'CREATE TABLE "{name}" ({owner}, {declared})')
    execute(f'CREATE INDEX "{name}_owner" ON "{name}" ({owner.partition(" ")[0]})')


def update(execute: Execute, version: str | None, tables: Tables) -> None:
    """Bring a store of an earlier version up to date, within a transaction of the caller.

    Parameters
    ----------
    execute : callable
        Of the connection.
    version : str or None
        What the store states (`version_of`).
    tables : mapping of str to sequence of Column
        The tables that an image may have rows in.

    Raises
    ------
    NewerStoreError
        A newer version of mcdetect wrote it.
    OtherStoreError
        It is no store, or of a version that is not known.
    """
    try:
        layout = int(json.loads(version or "")[0])
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise OtherStoreError("of another version") from error
    if layout > LAYOUT:
        raise NewerStoreError("a newer version of mcdetect wrote it; use that one, or another output folder")
    for step in range(layout, LAYOUT):
        if step not in _MIGRATIONS:
            raise OtherStoreError("of another version")
        _MIGRATIONS[step](execute)
    _add_columns(execute, tables, "image_id INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE")
    whole = {name: SCHEMAS[name] for name in WHOLE}
    _add_columns(execute, whole, "run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE")
    execute("UPDATE layout SET version = ?", (wanted(tables),))


def _add_columns(execute: Execute, tables: Tables, owner: str) -> None:
    """Add tables and columns that are new; those that are gone stay with what they hold."""
    for name, columns in tables.items():
        there = {str(row[1]): str(row[2]) for row in execute(f'PRAGMA table_info("{name}")')}
        if not there:
            _make_table(execute, name, columns, owner)
            continue
        for column in columns:
            if column.name not in there:
                execute(f'ALTER TABLE "{name}" ADD COLUMN "{column.name}" {_SQL_TYPES[column.dtype]}')
            elif there[column.name] != _SQL_TYPES[column.dtype]:
                raise OtherStoreError("of another version")


def _from_2(execute: Execute) -> None:
    """Layout 3 calls the number of an image `image_id` everywhere, and keeps runs, inputs and failures."""
    tables = [str(row[0]) for row in execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in tables:
        if any(row[1] == "entry" for row in execute(f'PRAGMA table_info("{name}")')):
            execute(f'ALTER TABLE "{name}" RENAME COLUMN entry TO image_id')
    for statement in _RUNS:
        execute(statement)


_MIGRATIONS: dict[int, Callable[[Execute], None]] = {2: _from_2}
"""Technical: what brings a store from a layout to the next."""
