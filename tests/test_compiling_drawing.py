"""What is searched so that every kernel is compiled: a breast with all that the stages look for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import center_of_mass, gaussian_filter, label

from mcdetect.config import Config
from mcdetect.runs import compiling


def test_the_drawing_holds_a_breast_a_group_and_two_rows_of_specks() -> None:
    drawing = compiling._drawing()
    assert (drawing.shape, drawing.dtype) == ((512, 384), np.float32)
    np.testing.assert_array_equal(drawing, compiling._drawing())  # the same each time
    row, col = np.indices(drawing.shape)
    depth = 230.0 - np.hypot(row - 256.0, 0.9 * col)  # how far within the breast, in px, about
    specks = [(float(r), float(c)) for r in range(200, 300, 20) for c in range(60, 140, 20)]
    specks += [(float(r), float(c)) for r in range(150, 370, 10) for c in (180, 192)]
    plain = (depth > 3.0) & np.all([np.hypot(row - r, col - c) > 6.0 for r, c in specks], axis=0)
    for part, level in ((depth < -1.0, 100.0), (plain, 1100.0)):
        assert drawing[part].mean() == pytest.approx(level, abs=0.5)
        assert drawing[part].std() == pytest.approx(10.0, rel=0.05)
    smooth = gaussian_filter(drawing, 1.0)
    shapes, number = label((smooth > 1125.0) & (depth > 3.0))
    assert number == len(specks)
    found = sorted(center_of_mass(smooth - 1100.0, shapes, range(1, number + 1)))
    np.testing.assert_allclose(np.array(found)[:, 0], [r for r, _ in sorted(specks)], atol=0.6)
    for r, c in specks:
        assert min(np.hypot(r - a, c - b) for a, b in found) < 0.6
        window = drawing[int(r) - 4 : int(r) + 5, int(c) - 4 : int(c) + 5] - 1100.0
        assert window.sum() == pytest.approx(600.0, abs=350.0)  # noise of 81 pixels is 90
        assert drawing[int(r), int(c)] == pytest.approx(1195.0, abs=45.0)


@pytest.mark.parametrize("folder", [Path("somewhere"), None])
@pytest.mark.parametrize("config", [Config().replace(min_count=7), None])
def test_it_is_searched_with_the_options_given(
    monkeypatch: pytest.MonkeyPatch, folder: Path | None, config: Config | None
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr("mcdetect.kernels.cache.version_folder", lambda: folder)
    monkeypatch.setattr("mcdetect.pipeline.detect", lambda image, **options: asked.append((image, options)))
    assert compiling.fill_cache(config) == folder
    ((image, options),) = asked
    np.testing.assert_array_equal(image, compiling._drawing())
    assert options == {"pixel_spacing_mm": 0.1, "config": config}
