"""What a million images cost on a cluster: processor time of the search, and what Dask adds per image.

    python -m benchmarks cluster [--images 300] [--workers 2] [--price 0.05] [--record]

A drawn mammogram of 4096 x 3328 pixels, as a DICOM file, goes through reading, search, tables and picture
on one worker; its processor time (the least of three) is what is paid for. Then workers send the outcome of
that search again and again, picture included, without searching: the rate is the most that one scheduler
and one writer keep up with, and the processor time of the process that holds both (and the client) is what
each image costs it. The same without pictures. `--price` is that of one core for one hour, in any currency.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from pathlib import Path

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.measurement.large_image import SHAPE, SPACING_MM
from mcdetect.config import Config
from mcdetect.output.overlays import Overlays, overlay_names
from mcdetect.output.seam import Output
from mcdetect.output.tables import Tables
from mcdetect.phantom import draw_mammogram
from mcdetect.phantom.dicom_writer import write_dicom
from mcdetect.readers.image_file import ImageFile
from mcdetect.runs.compiling import compile_kernels
from mcdetect.runs.dask import LOCAL, DaskWorkers, connected
from mcdetect.runs.worker import Outcome, Task, process_in_worker

_MILLION, _HOUR_S = 1e6, 3600.0
REPEATS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("cluster", __doc__)
    command.trial_option("--images", type=int, default=300, help="outcomes to be sent")
    command.parser.add_argument("--workers", type=int, default=2)
    command.parser.add_argument("--price", type=float, default=0.05, help="of one core for one hour")
    options, recorder = command.parse(arguments)
    compile_kernels(Config())
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "image.dcm"
        write_dicom(draw_mammogram(SHAPE, SPACING_MM, seed=5), file)
        with connected(LOCAL, jobs=options.workers) as workers:
            measure(recorder, workers, file, options.images, options.price)
    finish(recorder, options)


def measure(recorder: Recorder, workers: DaskWorkers, file: Path, images: int, price: float) -> None:
    """Search, send, and add what both cost."""
    searched = list(workers.run_tasks(_tasks(file, REPEATS, pictures=True), work=timed))
    for outcome in searched:
        if outcome.failure is not None:
            raise RuntimeError(str(outcome.failure))
    cpu = min(outcome.seconds["processor"] for outcome in searched)  # what else runs only adds to it
    recorder.add("processor seconds per image", cpu, "s")
    for pictures in (True, False):
        what = "with pictures" if pictures else "without"
        list(workers.run_tasks(_tasks(file, workers.count() * 2, pictures=pictures), work=sent_again))
        wall, own = time.perf_counter(), time.process_time()
        with closing(workers.run_tasks(_tasks(file, images, pictures=pictures), work=sent_again)) as outcomes:
            count = sum(outcome.failure is None for outcome in outcomes)
        wall, own = time.perf_counter() - wall, time.process_time() - own
        recorder.add("images sent", count, "count", kind=what)
        recorder.add("images per second at most", images / wall, "per s", kind=what)
        recorder.add("own milliseconds per image", 1e3 * own / images, "ms", kind=what)
        recorder.add("workers that one writer keeps busy", images / own * cpu, "count", kind=what)
    hours = cpu * _MILLION / _HOUR_S
    recorder.add("core hours per million", hours, "h")
    recorder.add("price of a core hour", price, "")
    recorder.add("cost per million", hours * price, "")


def _tasks(file: Path, images: int, *, pictures: bool) -> list[Task]:
    names = [f"image{number:06}.dcm" for number in range(images)]
    outputs: list[Output] = [Tables(None)]
    if pictures:
        outputs.append(Overlays(dict(zip(names, overlay_names(names), strict=True))))
    for output in outputs:
        output.open(file.parent)
    return [
        Task(
            ImageFile(file, name),
            name,
            file.parent,
            outputs=[output.for_file(name) for output in outputs],
            key_parts=(name,),
        )
        for name in names
    ]


def timed(task: Task) -> Outcome:
    """Search twice on a worker, and tell the processor time of the second search."""
    process_in_worker(task)
    before = time.process_time()
    outcome = process_in_worker(task)
    return dataclasses.replace(
        outcome, seconds=dict(outcome.seconds) | {"processor": time.process_time() - before}
    )


def sent_again(task: Task) -> Outcome:
    """Return the outcome of a search of the same file, which takes place once in each worker."""
    outcome, picture = _found(str(task.source.path), any(isinstance(o, Overlays) for o in task.outputs))
    outputs = dict(outcome.outputs)
    for output in task.outputs:
        if isinstance(output, Overlays):
            place = f"overlays/{output.names[task.file]}"
            (task.folder / place).write_bytes(picture)
            outputs[output.name] = [place]
    return dataclasses.replace(outcome, file=task.file, outputs=outputs)


@cache
def _found(path: str, pictures: bool) -> tuple[Outcome, bytes]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        outputs: list[Output] = [Tables(None), *([Overlays({"x": "x.png"})] if pictures else [])]
        for output in outputs:
            output.open(folder)
        outcome = process_in_worker(Task(ImageFile(Path(path), "x"), "x", folder, outputs=outputs))
        return outcome, (folder / "overlays" / "x.png").read_bytes() if pictures else b""


if __name__ == "__main__":
    main()
