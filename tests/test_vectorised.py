"""Hot loops hold vector instructions, and take no more instructions than they did."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import mcdetect
from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.kernels import gaussian, peaks, scales, spots
from mcdetect.kernels.gaussian import discrete_gaussian
from mcdetect.spots.find import find_spots

PACKED = re.compile(r"\bv?(?:add|sub|mul|max|min|fn?madd\d+|fn?msub\d+)ps\b.*")
SINGLE = re.compile(r"\bv?(?:add|sub|mul|max|min|fn?madd\d+|fn?msub\d+)ss\b")
WIDE = re.compile(r"%[yz]mm")


def _smooth() -> None:
    image = np.ones((40, 50), np.float32)
    gaussian.smooth(image, discrete_gaussian(1.0), discrete_gaussian(1.0), np.empty_like(image))


def _keep_strongest() -> None:
    image = np.ones((40, 50), np.float32)
    gain, level = np.ones((2, 2), np.float32), np.zeros(image.shape, np.uint8)
    spots.keep_strongest(image, image, gain, 25, 25, 1, image.copy(), level)


def _find() -> None:
    image = np.random.default_rng(0).normal(size=(200, 150)).astype(np.float32)
    found = find_spots(image, np.ones(image.shape, np.bool_), PixelSpacing(0.1, 0.1), SpotConfig())
    assert found.snr.size > 0


HOT: dict[str, tuple[Any, Callable[[], None], int]] = {
    "gaussian": (gaussian._smooth, _smooth, 12),
    "strongest": (spots._keep_strongest, _keep_strongest, 4),
    "peaks": (peaks._scale_peaks, _find, 6),
    "levels": (scales._coarsen, _find, 12),
}
"""Kernel, a call of it, and vector instructions of its loops, at least."""


def assembly_of(kernel: Any, call: Callable[[], None]) -> str:
    """Compile a kernel anew, as it was called: what comes from the disk cannot be looked at."""
    call()
    fresh = numba.jit(**kernel.targetoptions)(kernel.py_func)
    (signature,) = kernel.signatures
    fresh.compile(signature)
    return str(fresh.inspect_asm(signature))


def has_wide_registers() -> bool:
    from llvmlite import binding

    return bool(binding.get_host_cpu_features().get("avx2"))


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="its instructions are not known here"
)
@pytest.mark.parametrize("name", HOT)
def test_hot_loops_are_vectorised(name: str) -> None:
    kernel, call, least = HOT[name]
    code = assembly_of(kernel, call)
    packed = PACKED.findall(code)
    assert len(packed) >= least
    if has_wide_registers():
        assert sum(bool(WIDE.search(line)) for line in packed) >= least


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="its instructions are not known here"
)
def test_a_loop_that_is_not_vectorised_is_noticed() -> None:
    @numba.njit
    def one_after_the_other(values, out):  # type: ignore[no-untyped-def]
        last = np.float32(0.0)
        for i in range(values.size):
            last = last * np.float32(0.5) + values[i]
            out[i] = last

    values = np.ones(100, np.float32)
    one_after_the_other(values, values.copy())
    (code,) = one_after_the_other.inspect_asm().values()
    assert not PACKED.findall(code)
    assert SINGLE.findall(code)


COUNTED = """
import sys
import numpy as np
from mcdetect.kernels.gaussian import discrete_gaussian, smooth
from mcdetect.kernels.lookup import apply_lookup

image = np.random.default_rng(0).uniform(0.0, 100.0, (512, 512)).astype(np.float32)
out = np.empty_like(image)
taps = discrete_gaussian(1.1)
table = np.arange(128, dtype=np.float32)
work = {
    "copy": lambda: np.copyto(out, image),
    "gaussian": lambda: smooth(image, taps, taps, out),
    "look-up": lambda: apply_lookup(image, 0.0, 1.0, table, out),
}[sys.argv[1]]
for _ in range(int(sys.argv[2])):
    work()
"""
AT_MOST = {"gaussian": 12.0, "look-up": 40.0}
"""Instructions per pixel: what was counted with vectors of 256 bits, and half of it more."""


def instructions(folder: Path, work: str, times: int) -> int:
    """Count the instructions of a process under callgrind, in one thread."""
    package = str(Path(mcdetect.__file__).parents[1])
    environment = {**os.environ, "MCDETECT_CACHE_DIR": str(folder), "PYTHONPATH": package}
    environment |= {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment["PYTHONHASHSEED"] = "0"
    valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder / 'out'}"]
    command = [*valgrind, sys.executable, "-c", COUNTED, work, str(times)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"valgrind does not run Python here: {done.stderr[-300:]}")
    (count,) = re.findall(r"Collected : (\d+)", done.stderr)
    return int(count)


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("valgrind") is None, reason="counts instructions with valgrind, which is not there"
)
@pytest.mark.parametrize("work", AT_MOST)
def test_kernels_take_no_more_instructions(work: str, tmp_path: Path) -> None:
    """Twenty calls more in a second process: imports and compiled kernels are the same in both."""
    instructions(tmp_path, work, 1)  # compiles
    few, many = (instructions(tmp_path, work, times) for times in (1, 21))
    assert 0.1 < (many - few) / 20 / 512**2 < AT_MOST[work]
