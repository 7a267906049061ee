"""Processes of their own for `speed`: memory that a search adds, batches, and the start from nothing.

    python -m benchmarks.measurement.speed_processes IMAGE.npy SPACING_MM

prints what a search of that image adds to the memory of a fresh process, as JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from mcdetect import detect
from mcdetect.phantom import PhantomMammogram, draw_mammogram
from mcdetect.phantom.dicom_writer import write_dicom

__all__ = ["Batch", "Memory", "Starts", "batch", "memory_added", "peak_while", "starts"]

BATCH_SHAPE, BATCH_SPACING_MM = (3328, 2560), 0.07
"""Standard: a common digital detector of 24 x 29 cm and half of it."""
DRAWN = 4  # Technical: breasts that the images of a batch are made of, each at several grey levels
LOOK_S = 0.02  # Technical: between two looks at the memory of other processes
WARM_PX = 1500  # Technical: side of the part that is searched first, so that all is loaded


@dataclass(frozen=True)
class Memory:
    """Bytes that a search adds at its peak: resident, and of what Python and NumPy ask for alone."""

    resident: int
    traced: int


@dataclass(frozen=True)
class Batch:
    """A run over many images; processor time is that of all processes, memory of the largest of them."""

    images: int
    wall_s: float
    processor_s: float
    worker_mib: float


@dataclass
class Peak:
    """The most bytes that were resident meanwhile, and those before."""

    before: int
    most: int = 0

    @property
    def added(self) -> int:
        """Bytes beyond those before."""
        return max(0, self.most - self.before)


@contextlib.contextmanager
def peak_while() -> Iterator[Peak]:
    """Watch the resident memory of this process.

    On Linux the kernel keeps the highest mark; elsewhere it is looked at every millisecond.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # memory freed, but not yet given back
        ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    peak = Peak(int(process.memory_info().rss))
    marks = Path("/proc/self/clear_refs")
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.001):
            peak.most = max(peak.most, int(process.memory_info().rss))

    watcher = threading.Thread(target=look)
    try:
        marks.write_text("5", encoding="ascii")  # proc(5): resets VmHWM
    except OSError:
        watcher.start()
    try:
        yield peak
    finally:
        done.set()
        if watcher.ident is not None:
            watcher.join()
        else:
            status = Path("/proc/self/status").read_text(encoding="ascii")
            peak.most = 1024 * int(status.partition("VmHWM:")[2].split()[0])


def memory_added(image: npt.NDArray[np.uint16], spacing_mm: float) -> Memory:
    """Search an image in a fresh process, and return what that added."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "image.npy"
        np.save(file, image)
        command = [sys.executable, "-m", __name__, str(file), str(spacing_mm)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Memory(**json.loads(done.stdout))


def _search_here(file: Path, spacing_mm: float) -> Memory:
    image = np.load(file)
    detect(np.ascontiguousarray(image[:WARM_PX, :WARM_PX]), pixel_spacing_mm=spacing_mm)
    with peak_while() as peak:
        result = detect(image, pixel_spacing_mm=spacing_mm)
    del result
    tracemalloc.start()
    detect(image, pixel_spacing_mm=spacing_mm)
    return Memory(peak.added, tracemalloc.get_traced_memory()[1])


@dataclass(frozen=True)
class Spent:
    """What a command took, with all its children; the memory is that of the largest process."""

    wall_s: float
    processor_s: float
    most_mib: float


def spent_by(command: list[str], environment: dict[str, str]) -> Spent:
    """Run a command to its end; its memory is looked at every `LOOK_S`."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    most, done = [0], threading.Event()

    def look() -> None:
        whole = psutil.Process(process.pid)
        while not done.wait(LOOK_S):
            with contextlib.suppress(psutil.Error):
                for one in (whole, *whole.children(recursive=True)):
                    most[0] = max(most[0], int(one.memory_info().rss))

    watcher = threading.Thread(target=look)
    watcher.start()
    with process.stdout:
        said = process.stdout.read()
    done.set()
    watcher.join()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[2:4]} failed: {said.decode(errors='replace')[-2000:]}")
    wall = time.perf_counter() - began
    return Spent(wall, used.ru_utime + used.ru_stime, most[0] / 2**20)


@dataclass(frozen=True)
class Starts:
    """Processor seconds of fresh processes on one image: without and with compiled kernels."""

    cold_s: float
    warm_s: float


DETECT = """
import sys
import numpy
import mcdetect
mcdetect.detect(numpy.load(sys.argv[1]), pixel_spacing_mm=float(sys.argv[2]))
"""


def starts(phantom: PhantomMammogram) -> tuple[Starts, Starts]:
    """Return what `mcdetect.detect` takes in Python, and ``mcdetect detect`` on a file (two processes)."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_dicom(phantom, folder / "image.dcm")
        np.save(folder / "image.npy", phantom.pixels)
        python = [sys.executable, "-c", DETECT, str(folder / "image.npy"), str(phantom.spacing.mean_mm)]
        found = []
        for name, command in (
            ("python", python),
            ("command", _detect(folder / "image.dcm", folder / "out", 1)),
        ):
            environment = {**os.environ, "MCDETECT_CACHE_DIR": str(folder / name)}
            again = [*command, "--force-all"] if name == "command" else command
            cold, warm = (spent_by(words, environment).processor_s for words in (command, again))
            found.append(Starts(cold, warm))
    return found[0], found[1]


def _detect(source: Path, out: Path, jobs: int) -> list[str]:
    words = ["detect", str(source), "-o", str(out), "--jobs", str(jobs), "--no-overlay"]
    return [sys.executable, "-m", "mcdetect", *words]


def batch(images: int, jobs: int, shape: tuple[int, int] = BATCH_SHAPE) -> Batch:
    """Search many uncompressed DICOM files to tables, without pictures; the kernels are compiled before."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "images").mkdir()
        _write_images(folder / "images", images, shape)
        subprocess.run([sys.executable, "-m", "mcdetect", "compile"], capture_output=True, check=True)
        spent = spent_by(_detect(folder / "images", folder / "out", jobs), dict(os.environ))
    return Batch(images, spent.wall_s, spent.processor_s, spent.most_mib)


def _write_images(folder: Path, images: int, shape: tuple[int, int]) -> None:
    """Write images that all differ, of a few drawn breasts."""
    for number in range(images):
        drawn = _drawn(shape, number % DRAWN)
        pixels = drawn.pixels + np.uint16(number // DRAWN)
        write_dicom(
            dataclasses.replace(drawn, pixels=pixels, seed=1000 + number), folder / f"image{number:04}.dcm"
        )


@cache
def _drawn(shape: tuple[int, int], seed: int) -> PhantomMammogram:
    return draw_mammogram(shape, BATCH_SPACING_MM, seed=50 + seed)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(_search_here(Path(sys.argv[1]), float(sys.argv[2])))))
