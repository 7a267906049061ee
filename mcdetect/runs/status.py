"""How far the last run of an output folder is, told from its store, also while it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcdetect.output.folder import STORE_FILE
from mcdetect.output.lock import OutputError, holder
from mcdetect.runs.ledger import Ledger
from mcdetect.runs.pace import Pace
from mcdetect.runs.results import STORED
from mcdetect.runs.store import Store

__all__ = ["RunStatus", "run_status"]


@dataclass(frozen=True)
class RunStatus:
    """Figures of a run.

    Parameters
    ----------
    state : {"running", "complete", "interrupted", "disk full", "stopped"}
        "stopped" was killed, or ended at once.
    holder : mapping or None
        Who works in the folder: host, pid, started.
    done, failed, left : int
        Inputs with results, without, and not yet worked on.
    reused : int
        Of those done, known from an earlier run.
    skipped, duplicates : int
        Files that are no images, and files met more than once.
    rate : float
        Inputs per second, of the latest; not-a-number while nothing is known.
    left_s : float
        Expected time to the end, in s.
    started, updated : float
        Begin, and the latest input, in s since 1970; `updated` is `started` before the first.
    """

    state: str
    holder: Mapping[str, Any] | None
    done: int
    failed: int
    left: int
    reused: int
    skipped: int
    duplicates: int
    rate: float
    left_s: float
    started: float
    updated: float


def run_status(out: str | Path) -> RunStatus:
    """Return how far the last run of a folder is.

    Raises
    ------
    OutputError
        The folder holds no run.
    """
    folder = Path(out)
    here = folder.name or folder
    if not (folder / STORE_FILE).is_file():
        raise OutputError(f"{here} holds no {STORE_FILE}; name the output folder of a run")
    who = holder(folder)
    try:
        store = Store(folder / STORE_FILE, STORED, reading=True)
    except OSError as error:
        raise OutputError(f"{here}: {error}") from error
    with store:
        ledger = Ledger.latest(store)
        if ledger is None:
            raise OutputError(f"{here} holds no run yet")
        facts, counts = ledger.facts(), ledger.counts()
        latest = store.query(
            "SELECT at FROM inputs WHERE run_id = ? AND at IS NOT NULL ORDER BY at DESC LIMIT 200",
            (ledger.run,),
        ).fetchall()
    done = counts["processed"] + counts["failed"] + counts["skipped"]
    pace = Pace(done + counts["pending"])
    if len(latest) == done:
        pace.start(float(facts["started"]))
    for (at,) in reversed(latest):
        pace.add(float(at))
    pace.done = done
    state = str(facts["status"])
    return RunStatus(
        state="stopped" if state == "running" and who is None else state,
        holder=who,
        done=counts["processed"],
        failed=counts["failed"],
        left=counts["pending"],
        reused=counts["reused"],
        skipped=int(facts["n_skipped"]) + counts["skipped"],
        duplicates=int(facts["n_duplicates"]),
        rate=pace.rate(),
        left_s=pace.left_s(),
        started=float(facts["started"]),
        updated=float(latest[0][0]) if latest else float(facts["started"]),
    )
