"""Read damaged inputs of every kind; nothing may crash, hang or raise an error that is not ours.

    python -m benchmarks fuzz [--inputs 21000] [--first 0] [--kinds "JPEG-LS" RLE] [--record]
    python -m benchmarks fuzz --again "TIFF LZW" 2171 --keep x.tif    one input once more, with its traceback

An input is known by its kind and its number, from which it is made again. Each is read in a child process,
which the system ends after 10 s of processor time. The numbers can be run in parts (--first).
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.common.command import Command, finish
from benchmarks.reading.inputs import KINDS, SPACING_MM, damaged
from mcdetect.errors import McdetectError
from mcdetect.readers.read import examine

__all__ = ["Verdict", "main", "read_damaged", "verdict_on"]

SECONDS = 10
"""Processor time after which reading one small input counts as hanging."""
MOST_BYTES = 6 << 30
"""Memory that the reader may ask the system for."""


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    Attributes
    ----------
    kind : str
    number : int
    what : {"read", "refused", "wrong error", "hang", "crash"}
    detail : str
        The error, or the signal.
    """

    kind: str
    number: int
    what: str
    detail: str = ""


def verdict_on(kind: str, number: int, folder: Path) -> Verdict:
    """Read one input here and now."""
    path = folder / "input"
    path.write_bytes(damaged(kind, number))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = examine(
                path, pixel_spacing_mm=SPACING_MM, force=number % 2 == 1, thorough=number % 3 == 0
            )
    except McdetectError as error:
        return Verdict(kind, number, "refused", str(error))
    except Exception as error:  # noqa: BLE001  (that is what is looked for)
        frames = traceback.extract_tb(error.__traceback__)
        return Verdict(
            kind, number, "wrong error", f"{type(error).__name__} in {frames[-1].name}: {error}"[:200]
        )
    image = found.mammogram
    if image is None:
        return Verdict(
            kind, number, "refused" if found.problems else "wrong error", "neither image nor problem"
        )
    if not np.isfinite(image.pixels).all() or image.pixels.dtype != np.float32:
        return Verdict(kind, number, "wrong error", "pixels that are not finite")
    return Verdict(kind, number, "read")


def read_damaged(kinds: Sequence[str], first: int, count: int) -> Iterator[Verdict]:
    """Read inputs of the given numbers of every kind, in children of this process.

    Parameters
    ----------
    kinds : sequence of str
        Of `benchmarks.reading.inputs.KINDS`.
    first, count : int
        Numbers, of each kind.
    """
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            number = first
            while number < first + count:
                for verdict in _in_child(kind, number, first + count, Path(folder)):
                    number = verdict.number + 1
                    yield verdict


def _in_child(kind: str, first: int, end: int, folder: Path) -> Iterator[Verdict]:
    """Read inputs in a child until it ends; the one at which it was ended is a hang or a crash."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(kind, first, end, folder, writer)
    os.close(writer)
    number = first
    with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            what, _, detail = line.rstrip("\n").partition("\t")
            yield Verdict(kind, number, what, detail)
            number += 1
    status = os.waitpid(child, 0)[1]
    if number < end:
        code = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        what = "hang" if code == signal.SIGPROF else "crash"
        yield Verdict(kind, number, what, signal.Signals(code).name if code else f"exit {status >> 8}")


def _work(kind: str, first: int, end: int, folder: Path, writer: int) -> None:
    """Read inputs and write a line about each; never returns."""
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)  # what codecs print
    code = 1
    try:
        for number in range(first, end):
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            verdict = verdict_on(kind, number, folder)
            detail = " ".join(verdict.detail.split())
            os.write(writer, f"{verdict.what}\t{detail}\n".encode("utf-8", "replace"))
        code = 0
    finally:
        os._exit(code)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("fuzz", __doc__)
    command.trial_option("--inputs", type=int, default=21_000, metavar="N", help="inputs in all")
    command.trial_option("--first", type=int, default=0, metavar="N", help="number of the first of each kind")
    command.trial_option("--kinds", nargs="+", choices=KINDS, default=list(KINDS), metavar="KIND")
    command.parser.add_argument("--again", nargs=2, metavar=("KIND", "NUMBER"), help="read one input, here")
    command.parser.add_argument("--keep", type=Path, metavar="FILE", help="with --again: write it there")
    options, recorder = command.parse(arguments)
    if options.again:
        _again(options.again[0], int(options.again[1]), options.keep)
        return
    each = -(-options.inputs // len(options.kinds))
    counts: dict[tuple[str, str], int] = {}
    for verdict in read_damaged(options.kinds, options.first, each):
        counts[verdict.kind, verdict.what] = counts.get((verdict.kind, verdict.what), 0) + 1
        if verdict.what not in ("read", "refused"):
            print(f"{verdict.what}: --again {verdict.kind!r} {verdict.number}   {verdict.detail}", flush=True)
    recorder.add("kinds", len(options.kinds), "count")
    recorder.add("inputs", sum(counts.values()), "count")
    for what in ("read", "refused", "wrong error", "hang", "crash"):
        recorder.add("became", sum(n for (_, name), n in counts.items() if name == what), "count", what=what)
    finish(recorder, options)


def _again(kind: str, number: int, keep: Path | None) -> None:
    if keep is not None:
        keep.write_bytes(damaged(kind, number))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "input"
        path.write_bytes(damaged(kind, number))
        found = examine(path, pixel_spacing_mm=SPACING_MM, force=number % 2 == 1, thorough=number % 3 == 0)
    print(found.facts, found.flags, [str(problem) for problem in found.problems], sep="\n")


if __name__ == "__main__":
    main()
