"""Output folders of several machines put together as if one had done all."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcdetect.config import Config
from mcdetect.output.folder import STORE_FILE, make_folder, prepare_output
from mcdetect.output.lock import OutputError, holder, locked
from mcdetect.output.overlays import OVERLAY_FOLDER
from mcdetect.output.run_record import RunRecord, read_record
from mcdetect.output.tables import FORMATS
from mcdetect.runs.exporting import export_tables
from mcdetect.runs.ledger import Ledger, RunFacts
from mcdetect.runs.pairs.results import COMMAND
from mcdetect.runs.report import Observer
from mcdetect.runs.results import STORED, RunResults
from mcdetect.runs.store import Store

__all__ = ["Merged", "merge_runs"]

logger = logging.getLogger(__name__)

_MAY_DIFFER = frozenset({"shard", "jobs", "timeout_s", "memory_gb"})
"""Options on which results do not depend."""


@dataclass(frozen=True)
class Merged:
    """What was put together.

    Parameters
    ----------
    done, failed, left : int
        Inputs with results, without, and not yet worked on.
    rows : dict of str to int
        Rows by table.
    """

    done: int
    failed: int
    left: int
    rows: dict[str, int]


@dataclass(frozen=True)
class _Part:
    folder: Path
    run: int
    facts: dict[str, Any]
    salt: str


def merge_runs(folders: Sequence[str | Path], out: str | Path) -> Merged:
    """Put output folders together: shards of one list of files, or runs over other files.

    Parameters
    ----------
    folders : sequence of path-like
        Output folders of `run_batch`, of the same version and options.
    out : path-like
        Folder for the results; made when it does not exist.

    Returns
    -------
    Merged

    Raises
    ------
    OutputError
        A folder cannot be used, works at the moment, was made with other options, or has other results of
        the same image.
    """
    given = [Path(folder) for folder in folders]
    target = Path(out)
    if not given:
        raise OutputError("no folder to merge is given")
    if any(folder.resolve() == target.resolve() for folder in given):
        raise OutputError(f"{target.name or target} is one of the folders to merge; name another one")
    parts = [_look(folder) for folder in dict.fromkeys(given)]
    for part in parts[1:]:
        _check_alike(parts[0], part)
    shards = len({part.facts["listing"] for part in parts}) == 1
    _tell_missing(parts, shards)
    if (target / STORE_FILE).exists() and "merged" not in ((read_record(target) or {}).get("options") or {}):
        raise OutputError(f"{target.name or target} holds results of a run of its own; name another folder")
    make_folder(target)
    with locked(target):
        prepare_output(target)
        (target / STORE_FILE).unlink(missing_ok=True)  # of an earlier merge
        with Store(target / STORE_FILE, STORED) as store:
            return _merge(store, parts, target, shards)


def _look(folder: Path) -> _Part:
    here = folder.name or folder
    if not (folder / STORE_FILE).is_file():
        raise OutputError(f"{here} holds no {STORE_FILE}; name output folders of detect")
    if holder(folder) is not None:
        raise OutputError(f"{here}: a run works in it; wait for its end")
    try:
        with Store(folder / STORE_FILE, STORED, reading=True) as store:
            ledger = Ledger.latest(store)
            if ledger is None:
                raise OutputError(f"{here} holds no run")
            if ledger.facts()["options"].get("command") == COMMAND:
                raise OutputError(f"{here} holds results of compare, which are not merged")
            (salt,) = store.query("SELECT salt FROM layout").fetchone()
            return _Part(folder, ledger.run, ledger.facts(), str(salt))
    except OSError as error:
        raise OutputError(f"{here}: {error}") from error


def _check_alike(one: _Part, other: _Part) -> None:
    first, second = one.facts["options"], other.facts["options"]
    for name in sorted((set(first) | set(second)) - _MAY_DIFFER):
        if first.get(name) != second.get(name):
            raise OutputError(
                f"{one.folder.name} and {other.folder.name} were made with other options or code ({name}); "
                "run one of them again"
            )


def _tell_missing(parts: Sequence[_Part], shards: bool) -> None:
    """Warn of shards that are not there, and of examinations that cannot be put together."""
    named = [str(part.facts["options"]["shard"]) for part in parts if part.facts["options"].get("shard")]
    if not named:
        return
    number = int(named[0].partition("/")[2])
    missing = sorted(set(range(1, number + 1)) - {int(name.partition("/")[0]) for name in named})
    if missing:
        logger.warning("of %d shards these are missing: %s", number, ", ".join(map(str, missing)))
    if not shards:
        logger.warning(
            "the shards are of lists that differ: images of one examination in two of them stay apart"
        )


def _merge(store: Store, parts: Sequence[_Part], target: Path, shards: bool) -> Merged:
    facts = parts[0].facts
    if len({part.salt for part in parts}) == 1:
        with store.transaction() as run:
            run("UPDATE layout SET salt = ?", (parts[0].salt,))
    count = max if shards else sum
    ledger = Ledger.begin(
        store,
        RunFacts(
            options={name: v for name, v in facts["options"].items() if name != "shard"} | {"shard": None},
            config=facts["config"],
            files=(),
            listing=facts["listing"] if shards else "",
            skipped=count([part.facts["n_skipped"] for part in parts]),
            duplicates=count([part.facts["n_duplicates"] for part in parts]),
        ),
    )
    offset = 0
    for part in parts:
        offset = _copy(store, ledger, part, offset, shards)
        _copy_pictures(part.folder, target)
    with store.transaction() as run:
        number = "SELECT count(*) FROM inputs WHERE run_id = ?1 AND position >= 0"
        run(f"UPDATE runs SET n_inputs = ({number}) WHERE run_id = ?1", (ledger.run,))
    config = Config.from_dict(facts["config"])
    results = RunResults(ledger, Observer())
    results.make_studies(config, str(facts["options"]["studies_by"]))
    also = facts["options"].get("also", ())
    record = RunRecord(config, facts["options"] | {"shard": None, "merged": len(parts)}, jobs=1)
    record.rows = export_tables(target, results, (*FORMATS, *also))
    counts = ledger.counts()
    record.status = "interrupted" if counts["pending"] else "complete"
    told = {name: counts[name] for name in ("processed", "failed", "pending")}
    record.write(target, ledger.records(), told)
    ledger.finish(record.status)
    return Merged(counts["processed"], counts["failed"], counts["pending"], dict(record.rows))


def _copy(store: Store, ledger: Ledger, part: _Part, offset: int, shards: bool) -> int:
    """Copy the inputs of one folder with their results; return where the next one's positions begin."""
    query = store.query
    query("ATTACH ? AS part", (str(part.folder / STORE_FILE),))
    try:
        with store.transaction() as run:
            _refuse_clash(store, ledger, part)
            (shift,) = query("SELECT coalesce(max(image_id), 0) FROM main.entries").fetchone()
            # Shards list all problems, each of them; an input that a shard has already is not taken again.
            there = "SELECT file FROM main.inputs WHERE run_id = :run AND status != 'pending'"
            mine = f"i.run_id = :theirs AND i.file NOT IN ({there})"
            names = {"run": ledger.run, "theirs": part.run, "shift": shift, "offset": offset}
            names |= {"problems": query("SELECT count(*) FROM main.inputs WHERE position < 0").fetchone()[0]}
            run(
                "INSERT INTO main.entries (image_id, name, key, facts) SELECT e.image_id + :shift, e.name, "
                "e.key, e.facts FROM part.inputs AS i JOIN part.entries AS e ON e.image_id = i.image_id "
                f"WHERE {mine}",
                names,
            )
            new = "t.image_id + :shift IN (SELECT image_id FROM main.entries WHERE image_id > :shift)"
            for table, columns in store.tables.items():
                listed = ", ".join(f'"{column.name}"' for column in columns)
                run(
                    f'INSERT INTO main."{table}" (image_id, {listed}) SELECT t.image_id + :shift, {listed} '
                    f'FROM part."{table}" AS t WHERE {new} ORDER BY t.rowid',
                    names,
                )
            run(
                "INSERT OR REPLACE INTO main.files (file, bytes, image_id) "
                f"SELECT t.file, t.bytes, t.image_id + :shift FROM part.files AS t WHERE {new}",
                names,
            )
            run("INSERT OR REPLACE INTO main.failed SELECT * FROM part.failed")
            kept = "file, sha256, size_bytes, error, cause, remedy, reused, seconds, at"
            run(
                f"INSERT OR REPLACE INTO main.inputs (run_id, position, status, image_id, {kept}) "
                "SELECT :run, CASE WHEN i.position < 0 THEN i.position - :problems "
                "ELSE i.position + :offset END, i.status, i.image_id + :shift, "
                f"{', '.join('i.' + name for name in kept.split(', '))} FROM part.inputs AS i WHERE {mine}",
                names,
            )
            (last,) = query("SELECT coalesce(max(position), -1) FROM main.inputs").fetchone()
    finally:
        query("DETACH part")
    return 0 if shards else int(last) + 1


def _refuse_clash(store: Store, ledger: Ledger, part: _Part) -> None:
    """Refuse two images of one name that are not the same."""
    clash = store.query(
        "SELECT a.file FROM main.inputs AS a JOIN part.inputs AS b ON a.file = b.file AND b.run_id = ? "
        "WHERE a.run_id = ? AND a.position >= 0 AND b.position >= 0 AND a.sha256 != b.sha256 LIMIT 1",
        (part.run, ledger.run),
    ).fetchone()
    if clash:
        raise OutputError(
            f"{part.folder.name} holds another image that is called {clash[0]}; run them from a folder above"
        )


def _copy_pictures(folder: Path, target: Path) -> None:
    pictures = folder / OVERLAY_FOLDER
    if not pictures.is_dir():
        return
    (target / OVERLAY_FOLDER).mkdir(exist_ok=True)
    for picture in pictures.glob("*.png"):
        place = target / OVERLAY_FOLDER / picture.name
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        try:
            os.link(picture, place)
        except OSError:
            shutil.copy2(picture, place)
