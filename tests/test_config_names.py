"""A quantity has one name and one place; an option that moved says where it went."""

from __future__ import annotations

import dataclasses
import inspect
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mcdetect.breast import find_breast
from mcdetect.config import BLUR_LIMITS_MM, USUAL_BLUR_MM, CalcificationConfig, Config, SpotConfig
from mcdetect.errors import ConfigError, UnusableImageError
from mcdetect.image.mammogram import MIN_SIDE_PX, Mammogram, PixelSpacing
from mcdetect.kernels import appearance
from mcdetect.kernels.constants import LEAST_SIGMA_PX
from mcdetect.readers.examination import check_size
from mcdetect.shapes.outlines import measure_shapes
from mcdetect.spots import observer
from mcdetect.spots.find import find_spots


def test_an_old_place_of_an_option_names_the_new_one(tmp_path: Path) -> None:
    file = tmp_path / "old.toml"
    file.write_text("[noise]\nbins = 32\ntile_mm = 10.0\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        Config.from_toml(file)
    assert str(error.value) == "old.toml: noise.tile_mm is spots.tile_mm now: move its line to [spots]"
    file.write_text("[noise]\nbins = 32\n[spots]\ntile_mm = 10.0\n", encoding="utf-8")
    assert Config.from_toml(file).spots.tile_mm == 10.0


def test_the_tile_is_that_of_the_spots() -> None:
    image = np.random.default_rng(0).standard_normal((100, 120)).astype(np.float32)
    searched, spacing = np.ones(image.shape, bool), PixelSpacing(0.1, 0.2)
    config = Config().replace(tile_mm=4.0).spots
    assert config == SpotConfig(tile_mm=4.0)
    assert find_spots(image, searched, spacing, config).tile_px == (40, 20)


def test_option_names_are_unique_across_sections() -> None:
    sections = [dataclasses.fields(getattr(Config(), item.name)) for item in dataclasses.fields(Config)]
    names = Counter(item.name for section in sections for item in section)
    assert set(names.values()) == {1}


def test_the_usual_blur_is_one_number() -> None:
    assert CalcificationConfig().blur_mm == USUAL_BLUR_MM
    assert inspect.signature(measure_shapes).parameters["blur_mm"].default == USUAL_BLUR_MM
    assert observer.USUAL_BLUR_MM is USUAL_BLUR_MM
    empty, nowhere = np.zeros((9, 9), np.float32), np.empty(0)
    for blur_mm in BLUR_LIMITS_MM:
        CalcificationConfig(blur_mm=blur_mm)
        measure_shapes(empty, nowhere, nowhere, PixelSpacing(0.1, 0.1), blur_mm=blur_mm)
    with pytest.raises(ConfigError, match="blur_mm"):
        CalcificationConfig(blur_mm=1.01 * BLUR_LIMITS_MM[1])
    with pytest.raises(ValueError, match="blur_mm"):
        measure_shapes(empty, nowhere, nowhere, PixelSpacing(0.1, 0.1), blur_mm=1.01 * BLUR_LIMITS_MM[1])


def test_observer_and_kernel_narrow_gaussians_alike() -> None:
    assert observer.LEAST_SIGMA_PX is LEAST_SIGMA_PX
    assert appearance.LEAST_SIGMA_PX is LEAST_SIGMA_PX


def test_loader_and_breast_refuse_the_same_small_images() -> None:
    """The smallest side that one of them takes, the other takes as well."""
    shape = (MIN_SIDE_PX - 1, 200)
    with pytest.raises(UnusableImageError, match=str(MIN_SIDE_PX)):
        check_size(*shape)
    with pytest.raises(UnusableImageError, match=str(MIN_SIDE_PX)):
        find_breast(Mammogram(np.zeros(shape, np.float32), PixelSpacing(0.2, 0.2)), Config().breast)
