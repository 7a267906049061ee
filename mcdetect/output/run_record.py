"""run.json: what ran, on what, with which options, and how long it took."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from mcdetect import __version__
from mcdetect.config import Config
from mcdetect.output.files import PART_SUFFIX, replace_with
from mcdetect.schema import SCHEMA_VERSION

__all__ = [
    "LIBRARIES",
    "RUN_FILE",
    "InputRecord",
    "RunRecord",
    "is_own_folder",
    "library_versions",
    "read_record",
]

RUN_FILE = "run.json"

LIBRARIES = (
    "imagecodecs",
    "llvmlite",
    "numba",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pyarrow",
    "pydicom",
    "scikit-image",
    "scipy",
)
"""Distributions whose versions are recorded."""


@dataclass(frozen=True)
class InputRecord:
    """One input of a run.

    Parameters
    ----------
    file : str
        Its name in the tables.
    status : {"pending", "processed", "failed"}
        What became of it.
    sha256 : str or None
        Hash of the file's bytes; None when it could not be read.
    size_bytes : int or None
        Length of the file.
    overlay : str or None
        Name of its picture inside ``overlays/``.
    seconds : dict of str to float
        Wall time of each stage, in s.
    """

    file: str
    status: str
    sha256: str | None = None
    size_bytes: int | None = None
    overlay: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return what goes into run.json."""
        return {
            "file": self.file,
            "status": self.status,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
            "overlay": self.overlay,
            "seconds": {stage: round(float(s), 4) for stage, s in self.seconds.items()},
        }


@dataclass
class RunRecord:
    """The record of one run; it names no path outside the input, no user and no host.

    Parameters
    ----------
    config : Config
        The options of the detector.
    options : mapping
        The other options of the command (spacing given, candidates, overlays, ...).
    jobs : int
        Worker processes; 1 is the calling process itself.
    comparison : mapping, optional
        Quality of the registration and number of changes, of a comparison of two images.
    """

    config: Config
    options: Mapping[str, Any]
    jobs: int
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "running"
    inputs: list[InputRecord] = field(default_factory=list)
    rows: Mapping[str, int] = field(default_factory=dict)
    skipped: int = 0
    duplicates: int = 0
    comparison: Mapping[str, Any] | None = None

    def as_dict(self, counts: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Return what goes into run.json, the inputs of `inputs` included."""
        failed = sum(item.status == "failed" for item in self.inputs)
        processed = sum(item.status == "processed" for item in self.inputs)
        return {
            "program": "mcdetect",
            "version": __version__,
            "schema_version": SCHEMA_VERSION,
            "status": self.status,
            "started_utc": self.started.isoformat(timespec="seconds"),
            "seconds": round((datetime.now(UTC) - self.started).total_seconds(), 3),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": os.cpu_count(),
            "jobs": self.jobs,
            "libraries": library_versions(LIBRARIES),
            "options": dict(self.options),
            "config": self.config.as_dict(),
            "config_sha256": self.config.digest,
            "counts": {
                **({"processed": processed, "failed": failed} if counts is None else counts),
                "skipped": self.skipped,
                "duplicates": self.duplicates,
            },
            "rows": dict(self.rows),
            "inputs": [item.as_dict() for item in self.inputs],
            **({} if self.comparison is None else {"comparison": dict(self.comparison)}),
        }

    def write(
        self,
        folder: Path,
        inputs: Iterable[InputRecord] | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Write run.json into a folder.

        Parameters
        ----------
        folder : Path
            The output folder.
        inputs : iterable of InputRecord, optional
            A line for each input, written one by one, as there may be millions; `self.inputs` by default.
        counts : mapping of str to int, optional
            Inputs by what became of them; counted from `self.inputs` by default.
        """
        found = self.as_dict(counts)
        lines = (item.as_dict() for item in (self.inputs if inputs is None else inputs))
        found["inputs"] = []
        head, _, tail = json.dumps(found, indent=1, ensure_ascii=False).rpartition('"inputs": []')
        part = folder / f".{RUN_FILE}{PART_SUFFIX}"
        try:
            with part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
                stream.write(f'{head}"inputs": [')
                lead = "\n  "
                for line in lines:
                    stream.write(lead + json.dumps(line, ensure_ascii=False))
                    lead = ",\n  "
                stream.write(("]" if lead == "\n  " else "\n ]") + tail + "\n")
            replace_with(part, folder / RUN_FILE)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise


def library_versions(names: Sequence[str]) -> dict[str, str]:
    """Return the installed version of each distribution."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def read_record(folder: Path) -> dict[str, Any] | None:
    """Return the content of an earlier run's run.json, or None when the folder holds none of ours."""
    try:
        data = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and data.get("program") == "mcdetect" else None


def is_own_folder(folder: Path) -> bool:
    """Tell whether a folder is the output of an earlier run."""
    return (folder / RUN_FILE).is_file() and read_record(folder) is not None
