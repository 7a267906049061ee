"""What measures speed: OpenCV's chain finds our maxima, contests are fair, memory is seen."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, maximum_filter

import benchmarks
from benchmarks.measurement import speed
from benchmarks.measurement.opencv_chain import Agreement, Chain, agreement, gain_maps, typical_gains
from benchmarks.measurement.speed import BARS, Bar, Contest, Scene, contest
from benchmarks.measurement.speed_processes import Memory, peak_while, spent_by
from mcdetect.config import SpotConfig
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.phantom import draw_mammogram
from mcdetect.spots.find import Spots, find_spots
from mcdetect.spots.observer import LEVELS_MM

SPACING = PixelSpacing(0.07, 0.08)


@pytest.fixture(scope="module")
def found() -> tuple[Spots, Chain]:
    rng = np.random.default_rng(3)
    pixels = rng.normal(size=(400, 310)).astype(np.float32)
    pixels[20::60, 30::50] += 12.0
    pixels = (pixels + 6.0 * gaussian_filter(pixels, 4.0)).astype(np.float32)
    searched = np.hypot(*(np.indices(pixels.shape) - 200)) < 190
    config = SpotConfig()
    return find_spots(pixels, searched, SPACING, config), Chain(pixels, searched, SPACING, config)


def test_the_chain_finds_the_same_maxima(found: tuple[Spots, Chain]) -> None:
    spots, chain = found
    assert spots.snr.size > 100
    same = agreement(spots, chain)
    assert same.holds, same


@pytest.mark.parametrize("change", ["moved", "missing"])
def test_other_maxima_are_noticed(found: tuple[Spots, Chain], change: str) -> None:
    spots, chain = found
    if change == "moved":
        other = dataclasses.replace(spots, row_px=spots.row_px + 12.0)
    else:
        kept = spots.snr < np.quantile(spots.snr, 0.8)
        other = dataclasses.replace(
            spots, **{name: getattr(spots, name)[kept] for name in ("row_px", "col_px", "snr", "band")}
        )
    assert not agreement(other, chain).holds


def test_nothing_found_by_both_is_the_same(found: tuple[Spots, Chain]) -> None:
    spots, chain = found
    none = {name: getattr(spots, name)[:0] for name in ("row_px", "col_px", "snr", "band")}
    nowhere = dataclasses.replace(chain, searched=np.zeros_like(chain.searched))
    assert agreement(dataclasses.replace(spots, **none), nowhere) == Agreement(1.0, 1.0)
    assert not agreement(spots, nowhere).holds


def test_the_chain_equals_plain_filters(found: tuple[Spots, Chain]) -> None:
    """Its taps are those of the discrete Gaussian; from 2 px on that is the sampled one."""
    spots, chain = found
    best = chain.strongest(typical_gains(spots))
    spread = np.median(spots.spread, axis=(1, 2))
    levels = [
        gaussian_filter(chain.pixels.astype(float), (s / SPACING.row_mm, s / SPACING.col_mm), truncate=6)
        for s in LEVELS_MM
    ]
    bands = [(a - b) / s for a, b, s in zip(levels[:-1], levels[1:], spread, strict=True)]
    inner = np.s_[40:-40, 40:-40]
    coarse = chain.strongest([0.0] * 5 + typical_gains(spots)[5:])
    plain = np.maximum(np.max(bands[5:], axis=0), 0.0)
    assert np.abs(coarse - plain)[inner].max() < 0.05 * plain[inner].max()
    peaks = chain.maxima(best, 3.0)
    plain_peaks = (best == maximum_filter(best, 3)) & (best >= 3.0) & chain.searched
    assert np.array_equal(peaks, np.argwhere(plain_peaks))


def test_maps_of_gain_are_one_over_the_spread(found: tuple[Spots, Chain]) -> None:
    spots, chain = found
    rows, cols = spots.tile_px
    for band, gain in zip(spots.spread, gain_maps(spots, chain.pixels.shape), strict=True):
        assert gain.shape == chain.pixels.shape
        middle = gain[rows // 2, cols // 2]  # even tiles: within half a pixel of the middle
        assert middle == pytest.approx(1.0 / band[0, 0], rel=0.05)


def test_contestants_take_turns_in_both_orders() -> None:
    called: list[str] = []
    names = "abc"
    result = contest({name: lambda name=name: called.append(name) for name in names}, 3)  # type: ignore[misc]
    assert "".join(called) == "abc" + "cba" + "abc" + "cba"
    assert all(result.wall[name].size == 3 for name in names)


def test_ratios_are_taken_within_a_repetition() -> None:
    slow, quick = np.array([2.0, 20.0, 2.0]), np.array([1.0, 10.0, 4.0])
    result = Contest({"a": slow, "b": quick, "c": quick}, {"a": quick, "b": slow, "c": slow})
    assert result.ratio("a", "b") == 2.0
    assert result.ratio("a", "b", "c") == 1.0
    assert result.ratio("a", "b", processor=True) == 0.5


def test_bars_tell_what_is_reached() -> None:
    less, more = Bar(3.0, 2.0, 1.0), Bar(1.0, 2.0, 3.0, more_is_better=True)
    assert [less.met(v) for v in (0.5, 1.0, 2.0, 2.1)] == ["aim", "aim", "must", "no"]
    assert [more.met(v) for v in (3.5, 3.0, 2.0, 1.9)] == ["aim", "aim", "must", "no"]
    for bar in BARS.values():
        assert bar.met(bar.today) == "no"


def test_memory_that_is_taken_meanwhile_is_seen() -> None:
    with peak_while() as peak:
        held = np.ones(20_000_000)
        del held
    assert 150_000_000 < peak.added < 250_000_000


def test_memory_is_measured_in_a_fresh_process(tmp_path: Path) -> None:
    file = tmp_path / "image.npy"
    np.save(file, draw_mammogram((900, 700), 0.1, seed=5).pixels)
    module = "benchmarks.measurement.speed_processes"
    home = Path(benchmarks.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", module, file, "0.1"], cwd=home, capture_output=True, text=True, check=True
    )
    memory = Memory(**json.loads(done.stdout))
    assert 2 * 900 * 700 < memory.traced < 100 * 900 * 700


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    spent = spent_by([sys.executable, "-c", "sum(range(3000000))"], {})
    assert spent.wall_s > 0
    assert spent.processor_s > 0
    with pytest.raises(RuntimeError, match=r"failed: (.|\n)*oops"):
        spent_by([sys.executable, "-c", "raise SystemExit('oops')", "x"], {})


def test_as_many_blobs_are_compared() -> None:
    pytest.importorskip("skimage")
    scene = Scene.of(draw_mammogram((900, 700), 0.1, seed=5).pixels, 0.1)
    wanted = scene.found.spots.snr.size
    assert wanted > 100
    assert 0.8 < speed.blobs_like(scene.found.equalised, scene, wanted)() / wanted < 1.25
    assert scene.validate() == (pytest.approx(1.0, abs=0.03), pytest.approx(1.0, abs=0.03))


def test_the_file_runs_the_benchmark() -> None:
    file = Path(benchmarks.__file__).with_name("speed.py")
    done = subprocess.run([sys.executable, file, "--help"], capture_output=True, text=True, check=True)
    assert "python -m benchmarks speed" in done.stdout
