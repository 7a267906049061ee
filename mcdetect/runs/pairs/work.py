"""One pair of images to one outcome; heavy imports wait until it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import mcdetect
from mcdetect.output.overlays import OVERLAY_FOLDER, write_png
from mcdetect.output.seam import Output
from mcdetect.runs.worker import Begun, Outcome, Task, attempt, process_in_worker, reading_from

if TYPE_CHECKING:
    from mcdetect.readers.image_file import Source

__all__ = ["ChangeTables", "Comparisons", "PairOutcome", "PairTask", "comparison_digest", "work"]


@dataclass(frozen=True)
class ChangeTables(Output):
    """The tables of changes and of members."""

    name: ClassVar[str] = "changes"


@dataclass(frozen=True)
class Comparisons(Output):
    """A picture of each pair.

    Parameters
    ----------
    picture : str
        Its name in the folder of pictures.
    """

    name: ClassVar[str] = "comparisons"
    picture: str


@dataclass(frozen=True)
class PairTask(Task):
    """What a worker needs to know about a pair; what a `Task` says is said of the current image.

    Parameters
    ----------
    prior : Source
        Where the prior image comes from.
    force : bool
        Compare also what the headers call different views or breasts.
    picture : str
        Name of the picture; empty for none.
    """

    prior: Source | None = None
    force: bool = False
    picture: str = ""


@dataclass(frozen=True)
class PairOutcome(Outcome):
    """What became of a pair.

    Parameters
    ----------
    facts : mapping
        How the two register, and how many groups have which verdict; ready for JSON.
    """

    facts: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=1)
def comparison_digest() -> str:
    """Return a SHA-256 of the code of comparisons, on which no detection depends."""
    folder = Path(mcdetect.__file__).parent / "exams" / "comparison"
    state = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        state.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return state.hexdigest()


def work(task: Task) -> Outcome:
    """Compare one pair in a worker process."""
    return process_in_worker(task, _process)


def _process(task: Task) -> Outcome:
    assert isinstance(task, PairTask)
    return attempt(task.file, partial(_read_both, task))


def _read_both(task: PairTask, begun: Begun) -> Outcome:
    from mcdetect.readers.held import held

    assert task.prior is not None
    with (
        held(task.prior.path) as (prior, prior_sha256, _),
        held(task.source.path) as (current, sha256, size),
    ):
        known = begun.known(task, f"{prior_sha256} {sha256}", sha256, size)
        if known is not None:
            return known
        return _compare(task, reading_from(task.prior, prior), reading_from(task.source, current))


def _compare(task: PairTask, prior: Source, current: Source) -> Outcome:
    from mcdetect.exams.comparison.compare import check_alike, compare
    from mcdetect.pipeline import detect_file
    from mcdetect.readers.image_file import OpenedFile
    from mcdetect.runs.compare_files import comparable_mammogram

    images = [comparable_mammogram(source) for source in (prior, current)]
    if not task.force:
        check_alike(*images)
    results = [
        detect_file(OpenedFile(source.path, image), task.config)
        for source, image in zip((prior, current), images, strict=True)
    ]
    found = compare(*results, config=task.config, force=task.force)
    outputs: dict[str, tuple[str, ...]] = {ChangeTables.name: ()}
    if task.picture:
        write_png(task.folder / OVERLAY_FOLDER / task.picture, found.picture())
        outputs[Comparisons.name] = (f"{OVERLAY_FOLDER}/{task.picture}",)
    return PairOutcome(
        task.file,
        tables={"changes": found.changes, "members": found.members},
        outputs=dict(outputs),
        seconds={name: float(value) for name, value in found.seconds.items()},
        facts=found.summary(),
    )
