"""What was found in each case, kept on disk so that a benchmark can go on where it stopped."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mcdetect
from mcdetect.config import Config
from mcdetect.validation.datasets.base import Case, plain_name
from mcdetect.validation.datasets.shapes import MaskFile

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["case_key", "entry_path", "is_done", "read_facts", "read_table", "write_entry"]

FACTS = "case.json"
_LONGEST_NAME = 80
_UNRELATED = frozenset({"cli", "exams", "output", "phantom", "pictures", "runs", "training"})


@lru_cache(maxsize=1)
def detector_digest() -> str:
    """Return a SHA-256 of the code and the models on which detections and truth depend.

    The version alone would let figures of changed code pass for those of the release.
    """
    package = Path(mcdetect.__file__).parent
    state = hashlib.sha256()
    for path in sorted(p for p in package.rglob("*") if p.suffix in (".py", ".json") and p.is_file()):
        relative = path.relative_to(package)
        if relative.parts[0] not in _UNRELATED:
            state.update(relative.as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def case_key(case: Case, config: Config) -> str:
    """Return a key that changes with whatever the stored results of a case depend on.

    Parameters
    ----------
    case : Case
        Its set, name, files (size and time of change), spacing and findings.
    config : Config
        Options of the detector; its version and code count, too.
    """
    parts: list[object] = [
        mcdetect.__version__,
        detector_digest(),
        config.digest,
        case.dataset,
        case.name,
        case.patient,
    ]
    parts += [repr(case.spacing), case.view, case.laterality, repr(case.findings)]
    parts += map(_state, _files(case))
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _files(case: Case) -> Iterator[Path]:
    yield case.path
    for finding in case.findings:
        if isinstance(finding.shape, MaskFile):
            yield from finding.shape.candidates


def _state(path: Path) -> list[int]:
    try:
        found = path.stat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def entry_path(folder: Path, case: Case, key: str) -> Path:
    """Return where the results of a case are kept."""
    return folder / f"{plain_name(case.name)[:_LONGEST_NAME]}-{key[:16]}"


def is_done(entry: Path, key: str, *, candidates: bool) -> bool:
    """Tell whether a case is there with everything that is needed."""
    if candidates and not (entry / "candidates.parquet").is_file():
        return False
    try:
        return bool(read_facts(entry)["key"] == key)
    except (OSError, ValueError, KeyError):
        return False


def write_entry(entry: Path, tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> None:
    """Write the results of a case; they appear whole or not at all.

    Parameters
    ----------
    entry : Path
        From `entry_path`; an earlier one is replaced.
    tables : mapping of str to DataFrame
        By name.
    facts : mapping
        What else is to be kept, ready for JSON.
    """
    part = Path(tempfile.mkdtemp(prefix=".part-", dir=entry.parent))
    try:
        for name, table in tables.items():
            table.to_parquet(part / f"{name}.parquet", index=False, compression="zstd")
        (part / FACTS).write_text(json.dumps(dict(facts)) + "\n", encoding="utf-8")
        part.chmod(0o755)
        if entry.exists():
            shutil.rmtree(entry)
        part.rename(entry)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def read_table(entry: Path, name: str) -> pd.DataFrame:
    """Return one table of a case."""
    import pandas as pd

    return pd.read_parquet(entry / f"{name}.parquet")


def read_facts(entry: Path) -> dict[str, Any]:
    """Return what else was kept of a case."""
    facts: dict[str, Any] = json.loads((entry / FACTS).read_text(encoding="utf-8"))
    return facts
