"""One run of a benchmark: its figures, and what made them, kept as JSON."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import mcdetect
import mcdetect.phantom
import mcdetect.validation.evaluation
from mcdetect.runs.keys import detector_digest

__all__ = [
    "RESULTS",
    "RUNS",
    "Figure",
    "Label",
    "Recorder",
    "Run",
    "answers_digest",
    "benchmark_digest",
    "code_now",
    "load_runs",
    "shown_command",
    "state_of",
]

HOME = Path(__file__).resolve().parents[1]
RESULTS = HOME / "results"
"""Recorded runs, from which the pages are made."""
RUNS = Path("benchmark-runs")
"""Where, in the working directory, every other run is kept."""
FORMAT = "mcdetect benchmark 1"
LIBRARIES = ("numpy", "scipy", "pandas", "numba", "opencv-python-headless", "scikit-image", "scikit-learn")

Label = str | int | float


@dataclass(frozen=True)
class Figure:
    """One figure of a run.

    Attributes
    ----------
    name : str
        What was measured, such as ``sensitivity``.
    value : float, int or str
        Not rounded, but for runs that were converted from a print-out.
    unit : str
        Such as ``share``, ``mm``, ``per cm²``; empty for pure numbers and words.
    labels : mapping of str to str, int or float
        What tells the figure from others of its name, such as ``kind: film``.
    low, high : float or None
        Ends of its 95 % interval.
    of : int or None
        Of how many a share is.
    """

    name: str
    value: float | int | str
    unit: str = ""
    labels: Mapping[str, Label] = field(default_factory=dict)
    low: float | None = None
    high: float | None = None
    of: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the figure ready for JSON, without what it lacks."""
        data: dict[str, Any] = {"name": self.name, **({"labels": dict(self.labels)} if self.labels else {})}
        data |= {"value": self.value, "unit": self.unit}
        return data | {k: v for k in ("low", "high", "of") if (v := getattr(self, k)) is not None}


@dataclass(frozen=True)
class Run:
    """A run of a benchmark.

    Attributes
    ----------
    benchmark : str
        Its name, as ``python -m benchmarks --list`` gives it.
    command : str
        With folders outside the project as ``DIR``.
    date : str
        ISO 8601.
    environment : mapping of str to str or int
        Versions, threads, machine.
    code : mapping of str to str or None
        Digests of what made the figures: ``detector`` (code and models), ``benchmark`` (its own code, the
        phantom and the evaluation) and ``answers`` (what the detector found in one drawn image). None
        where a run from before these were kept does not know.
    figures : tuple of Figure
    note : str
        What a reader must know beside the figures.
    """

    benchmark: str
    command: str
    date: str
    environment: Mapping[str, str | int]
    code: Mapping[str, str | None]
    figures: tuple[Figure, ...]
    note: str = ""

    def figure(self, name: str, **labels: Label) -> Figure:
        """Return the one figure of this name with exactly these labels.

        Raises
        ------
        KeyError
            When there is none, or more than one.
        """
        found = [f for f in self.figures if f.name == name and dict(f.labels) == labels]
        if len(found) != 1:
            raise KeyError(f"{self.benchmark}: {len(found)} figures {name!r} with {labels}")
        return found[0]

    def value(self, name: str, **labels: Label) -> float:
        """Return the number of one figure."""
        return float(self.figure(name, **labels).value)

    def labelled(self, name: str, label: str) -> tuple[Label, ...]:
        """Return the values that a label takes among figures of a name, in order of appearance."""
        return tuple(dict.fromkeys(f.labels[label] for f in self.figures if f.name == name))

    def to_json(self) -> str:
        """Return the run as JSON text, one figure a line."""
        head = {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "command": self.command,
            "date": self.date,
            "environment": dict(self.environment),
            "code": dict(self.code),
            "note": self.note,
        }
        lines = [json.dumps(f.to_dict(), ensure_ascii=False, allow_nan=False) for f in self.figures]
        text = json.dumps(head, ensure_ascii=False, indent=1)[:-2]
        return text + ',\n "figures": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> Run:
        """Read a run.

        Raises
        ------
        ValueError
            When the text is no run of this format.
        """
        data = json.loads(text)
        if data.pop("format", None) != FORMAT:
            raise ValueError(f"no run of the format {FORMAT!r}")
        figures = tuple(Figure(**figure) for figure in data.pop("figures"))
        return cls(**data, figures=figures)


def load_runs(folder: Path = RESULTS) -> dict[str, Run]:
    """Return the recorded runs by name of the benchmark."""
    runs = (Run.from_json(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
    return {run.benchmark: run for run in runs}


class Recorder:
    """Collects the figures of one run.

    Parameters
    ----------
    benchmark : str
    arguments : sequence of str
        Of its command line.
    paths : iterable of Path
        Given there; they are not written down.
    note : str
    """

    def __init__(
        self, benchmark: str, arguments: Sequence[str] = (), *, paths: Iterable[Path] = (), note: str = ""
    ) -> None:
        self.benchmark = benchmark
        self.command = shown_command(benchmark, arguments, paths)
        self.note = note
        self._figures: list[Figure] = []

    def add(
        self,
        name: str,
        value: float | int | str,
        unit: str = "",
        *,
        low: float | None = None,
        high: float | None = None,
        of: int | None = None,
        labels: Mapping[str, Label] | None = None,
        **more: Label,
    ) -> None:
        """Add a figure; one that is not a number is left out, since there is nothing to say.

        Parameters
        ----------
        name, value, unit, low, high, of
            As in `Figure`.
        labels, **more
            Its labels, as a mapping or one by one.
        """
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float) and not math.isfinite(value):
            return
        whole = {k: v.item() if hasattr(v, "item") else v for k, v in {**(labels or {}), **more}.items()}
        first, last = (None if v is None or not math.isfinite(v) else _rounded(float(v)) for v in (low, high))
        value = _rounded(value) if isinstance(value, float) else value
        self._figures.append(Figure(name, value, unit, whole, first, last, of))

    def run(self) -> Run:
        """Return the run as it stands, with its circumstances."""
        return Run(
            self.benchmark,
            self.command,
            date.today().isoformat(),
            environment(),
            code_now(),
            tuple(self._figures),
            self.note,
        )


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def shown_command(benchmark: str, arguments: Sequence[str], paths: Iterable[Path] = ()) -> str:
    """Return the command of a run; folders that were given to it become ``DIR``."""
    given = {str(path) for path in paths}
    words = []
    for before, word in pairwise(["", *arguments]):
        if word != "--json" and before != "--json":
            words.append("DIR" if word in given or Path(word).is_absolute() else word)
    quoted = [f'"{word}"' if " " in word else word for word in words]
    return " ".join(["python -m benchmarks", benchmark, *quoted])


def environment() -> dict[str, str | int]:
    """Return versions, threads and machine."""
    from numba import get_num_threads

    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # of an extra, and not used
            continue
    return {
        "mcdetect": mcdetect.__version__,
        "python": platform.python_version(),
        **versions,
        "threads": int(get_num_threads()),
        "cores": os.cpu_count() or 1,
        "machine": platform.machine(),
        "system": platform.system(),
    }


def code_now() -> dict[str, str | None]:
    """Return the digests of the code that now stands."""
    return {"detector": detector_digest(), "benchmark": benchmark_digest(), "answers": answers_digest()}


@cache
def benchmark_digest(home: Path = HOME) -> str:
    """Return a SHA-256 of the benchmarks' code and tables, of the phantom and of the evaluation.

    The pages, and what only shows results, do not count.
    """
    folders = [
        home,
        *(Path(str(m.__file__)).parent for m in (mcdetect.phantom, mcdetect.validation.evaluation)),
    ]
    state = hashlib.sha256()
    for folder in folders:
        for path in _sources(folder):
            state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix in (".py", ".csv") and parts[0] not in ("pages", "results", "catalogue.py"):
            yield path


@cache
def answers_digest() -> str:
    """Return a SHA-256 of what the detector finds in one drawn image, to four digits.

    The digests of code change with a comment; this one changes only with what the detector says. Where it
    is equal, figures of other code very probably hold still. Other processors may round otherwise.
    """
    from mcdetect.phantom import Group, Scatter, draw_mammogram

    groups = [Group(n=8, extent_mm=7.0), Group(n=12, extent_mm=9.0)]
    image = draw_mammogram((1000, 800), 0.1, seed=11, groups=groups, scatter=Scatter(n=12))
    result = mcdetect.detect(image.to_mammogram())
    state = hashlib.sha256()
    for table in (result.calcifications, result.clusters):
        numbers = table.select_dtypes("number").astype(float)
        state.update(numbers.to_csv(index=False, float_format="%.4g").encode())
    return state.hexdigest()


def state_of(run: Run, now: Mapping[str, str | None]) -> str:
    """Tell whether a run was made by the code that now stands.

    Parameters
    ----------
    run : Run
    now : mapping
        From `code_now`.

    Returns
    -------
    str
        ``this code``; ``other code, same answers`` when the detector still finds the same in the image of
        `answers_digest`; ``other code``; or ``code not recorded``.
    """
    known = {name: value for name, value in run.code.items() if value is not None}
    if "detector" not in known:
        return "code not recorded"
    if all(value == now[name] for name, value in known.items() if name != "answers"):
        return "this code"
    return "other code, same answers" if known.get("answers") == now["answers"] else "other code"
