"""Steps of a training that were done, kept so that the same command goes on where it was killed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import mcdetect
from mcdetect.output.folder import STORE_FILE, make_folder
from mcdetect.output.lock import locked
from mcdetect.output.run_record import library_versions
from mcdetect.runs.results import STORED
from mcdetect.runs.store import Store
from mcdetect.training.fitting import Recipe
from mcdetect.training.rows import Rows

__all__ = ["Memo", "key_of"]

logger = logging.getLogger(__name__)

_STEP = "training: "
"""How steps are called in the store, beside images of a run that may be there, too."""
_LIBRARIES = ("numpy", "scipy", "scikit-learn")


class Memo:
    """Steps of one training in the store of its report folder, which it locks.

    The folder is not touched before `begin`. Where the disk is full, training goes on without.

    Parameters
    ----------
    folder : Path
        The folder of the report.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ""
        self._store: Store | None = None
        self._open = contextlib.ExitStack()

    def begin(self, key: str) -> None:
        """Take what is kept for a training; steps of another one are forgotten.

        Parameters
        ----------
        key : str
            What the steps depend on, see `key_of`.

        Raises
        ------
        OutputError
            The folder cannot be written to, or another training works in it.
        """
        make_folder(self.folder)
        self._open.enter_context(locked(self.folder))
        self.key = key
        self._store = self._open.enter_context(Store(self.folder / STORE_FILE, STORED))
        with self._store.transaction() as run:
            run("DELETE FROM entries WHERE name LIKE ? AND key != ?", (f"{_STEP}%", key))
        (done,) = self._store.query(
            "SELECT count(*) FROM entries WHERE name LIKE ?", (f"{_STEP}%",)
        ).fetchone()
        if done:
            logger.info("%d steps of this training were done before", done)

    def known(self, step: str) -> Any:
        """Return what a step gave, or None."""
        if self._store is None:
            return None
        found = [entry for entry in self._store.find(_STEP + step) if entry.key == self.key]
        return found[0].facts["value"] if found else None

    def keep(self, step: str, value: Any) -> None:
        """Keep what a step gave, ready for JSON; numbers come back as they were."""
        if self._store is None:
            return
        try:
            self._store.put(_STEP + step, self.key, {}, {"value": value})
        except OSError as error:
            logger.warning("steps of the training are no longer kept (%s)", error)
            self._store = None

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store and give the folder back."""
        self._store = None
        self._open.close()


def key_of(recipes: Sequence[Recipe], rows: Rows, settings: dict[str, Any]) -> str:
    """Return a key that changes with whatever the steps of a training depend on."""
    state = hashlib.sha256()
    folder = Path(mcdetect.__file__).parent
    for part in ("training", "models", "validation/evaluation"):
        for path in sorted((folder / part).rglob("*.py")):
            state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    for values in (rows.values, rows.label, rows.patient, rows.prior, rows.freedom, rows.unit):
        state.update(repr((values.shape, values.dtype.str)).encode() + values.tobytes())
    said = [repr(recipes), repr(rows.pooled), settings, mcdetect.__version__, library_versions(_LIBRARIES)]
    state.update(json.dumps(said, sort_keys=True).encode())
    return state.hexdigest()
