"""Hot loops hold vector instructions."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import pytest

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
