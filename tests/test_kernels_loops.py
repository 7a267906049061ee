"""The best closed way around a centre, against a plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from mcdetect.kernels.loops import best_loop


def best_loop_plainly(gain: np.ndarray, toll: float) -> np.ndarray:
    """Two turns of dynamic programming, a row of radii at a time; the middle turn is kept."""
    angles, radii = gain.shape
    total = np.zeros(radii)
    came = []
    for turn in range(2 * angles):
        below = np.concatenate([[-np.inf], total[:-1] - toll])
        above = np.concatenate([total[1:] - toll, [-np.inf]])
        options = np.stack([total, below, above])  # staying is preferred, then the way from below
        choice = options.argmax(axis=0)
        total = options.max(axis=0) + gain[turn % angles].astype(np.float64)
        came.append(np.array([0, -1, 1])[choice])
    here = int(total.argmax())
    path = np.zeros(angles, np.int64)
    for turn in range(2 * angles - 1, angles // 2 - 1, -1):
        if turn < angles // 2 + angles:
            path[turn % angles] = here
        here += came[turn][here]
    return path


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(48, 30), (7, 5), (4, 1)])
@pytest.mark.parametrize("toll", [0.0, 0.15])
def test_it_equals_its_twin(seed: int, shape: tuple[int, int], toll: float) -> None:
    gain = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(best_loop(gain, toll), best_loop_plainly(gain, toll))


def test_it_follows_a_closed_line_over_a_gap() -> None:
    angle = np.arange(48)
    radius = np.rint(12.0 + 2.0 * np.cos(2.0 * np.pi * angle / 48.0)).astype(int)
    gain = np.zeros((48, 30), np.float32)
    gain[angle, radius] = 1.0
    gain[10:16] = 0.0
    path = best_loop(gain, 0.15)
    seen = np.r_[0:10, 16:48]
    np.testing.assert_array_equal(path[seen], radius[seen])
    assert np.abs(np.diff(np.append(path, path[0]))).max() <= 1
