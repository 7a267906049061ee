"""Tables of the last run of an output folder, made again from its store in any format."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from mcdetect.config import Config
from mcdetect.output.files import PART_SUFFIX, replace_with
from mcdetect.output.folder import STORE_FILE, make_folder
from mcdetect.output.further import FURTHER, further_outputs
from mcdetect.output.lock import OutputError, locked
from mcdetect.output.sinks import SINKS
from mcdetect.output.tables import CSV_ONLY, FORMATS, SCHEMAS, write_tables
from mcdetect.runs.ledger import Ledger
from mcdetect.runs.pairs.results import COMMAND, TABLES, PairResults
from mcdetect.runs.report import Observer
from mcdetect.runs.results import STORED, RunResults
from mcdetect.runs.store import Store
from mcdetect.schema import DICOM_COLUMNS, MODEL_COLUMNS, Column

__all__ = ["EXPORTS", "MissingDuckdbError", "export_run", "export_tables"]

DUCKDB = "duckdb"
DUCKDB_FILE = "results.duckdb"

EXPORTS = (*SINKS, DUCKDB, *FURTHER)
"""What tables can be exported as."""


class MissingDuckdbError(ImportError):
    """The library duckdb is not installed."""

    def __init__(self) -> None:
        super().__init__("duckdb is not installed: pip install 'mcdetect-mammo[duckdb]'")


def export_run(
    out: str | Path, formats: Sequence[str] = FORMATS, to: str | Path | None = None
) -> dict[str, int]:
    """Write the tables of the last run again, also of one that was killed.

    Parameters
    ----------
    out : path-like
        Output folder of a run.
    formats : sequence of str
        Of `EXPORTS`.
    to : path-like, optional
        Folder for the tables; the output folder when left out.

    Returns
    -------
    dict of str to int
        Rows by table.

    Raises
    ------
    OutputError
        The folder holds no run, or one that is at work.
    MissingDuckdbError
        That format was asked for, and the library is not there.
    ValueError
        There is no such format.
    """
    folder = Path(out)
    target = folder if to is None else Path(to)
    for form in formats:
        if form not in EXPORTS:
            raise ValueError(f"there is no format {form!r}; known are {', '.join(EXPORTS)}")
    if not (folder / STORE_FILE).is_file():
        raise OutputError(f"{folder.name or folder} holds no {STORE_FILE}; name the output folder of a run")
    make_folder(target)
    with locked(folder), Store(folder / STORE_FILE, STORED) as store:
        ledger = Ledger.latest(store)
        if ledger is None:
            raise OutputError(f"{folder.name or folder} holds no run that this version knows; run it again")
        if ledger.facts()["options"].get("command") == COMMAND:
            return export_tables(target, PairResults(ledger, Observer()), formats)
        results = RunResults(ledger, Observer())
        facts = ledger.facts()
        if facts["status"] != "complete":
            results.make_studies(Config.from_dict(facts["config"]), facts["options"]["studies_by"])
        return export_tables(target, results, formats)


def export_tables(folder: Path, results: RunResults, formats: Sequence[str]) -> dict[str, int]:
    """Write the tables of a run; return their rows."""
    ledger = results.ledger
    options = ledger.facts()["options"]
    names = ["images", "calcifications", "clusters", "studies", "findings", "skipped", "failures"]
    names += ["candidates"] * bool(options.get("candidates"))
    if options.get("command") == COMMAND:
        names, formats = list(TABLES), [form for form in formats if form not in FURTHER]
    of_images = DICOM_COLUMNS if options.get("dicom_columns") else ()
    added = {"clusters": _model_columns(ledger), "images": of_images}
    rows: dict[str, int] = {}
    plain = [form for form in formats if form in SINKS]
    if plain:
        rows |= write_tables(folder, names, results, added, plain)
    if DUCKDB in formats:
        rows |= _write_duckdb(folder, names, results, added)
    for output in further_outputs([form for form in formats if form in FURTHER]):
        rows |= output.close(folder, results)
    return rows


def _model_columns(ledger: Ledger) -> tuple[Column, ...]:
    """Return the columns that the user's model added; all images of a run have the same."""
    found = ledger.store.query(
        "SELECT json_extract(e.facts, '$.model_columns') FROM inputs AS i "
        "JOIN entries AS e ON e.image_id = i.image_id WHERE i.run_id = ? LIMIT 1",
        (ledger.run,),
    ).fetchone()
    names = json.loads(found[0]) if found and found[0] else []
    return tuple(column for column in MODEL_COLUMNS if column.name in names)


def _write_duckdb(
    folder: Path,
    names: Sequence[str],
    results: RunResults,
    added: Mapping[str, Sequence[Column]],
) -> dict[str, int]:
    """Write one DuckDB file with a table for each of ours."""
    try:
        import duckdb
    except ImportError as error:
        raise MissingDuckdbError from error
    part = folder / f".{DUCKDB_FILE}{PART_SUFFIX}"
    passing = Path(tempfile.mkdtemp(dir=folder, prefix=".export-"))
    try:
        plain = [name for name in names if name in CSV_ONLY]
        whole = [name for name in names if name not in CSV_ONLY]
        rows = write_tables(passing, whole, results, added, ("parquet",))
        part.unlink(missing_ok=True)
        with contextlib.closing(duckdb.connect(str(part))) as database:
            for name in whole:
                file = str(passing / f"{name}.parquet").replace("'", "''")
                database.execute(f"CREATE TABLE \"{name}\" AS SELECT * FROM read_parquet('{file}')")
            for name in plain:  # of texts only
                declared = ", ".join(f'"{column.name}" VARCHAR' for column in SCHEMAS[name])
                database.execute(f'CREATE TABLE "{name}" ({declared})')
                marks = ", ".join("?" for _ in SCHEMAS[name])
                rows[name] = 0
                for batch in filter(len, results.batches(name, SCHEMAS[name])):
                    database.executemany(f'INSERT INTO "{name}" VALUES ({marks})', batch)
                    rows[name] += len(batch)
        replace_with(part, folder / DUCKDB_FILE)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
        part.unlink(missing_ok=True)
    return rows
