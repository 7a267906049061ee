"""A spot model is data that is checked: its trees, and the names of its features against the code's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcdetect.clusters.scoring import suspicion
from mcdetect.config import SpotConfig
from mcdetect.errors import UnreadableFileError
from mcdetect.image.mammogram import PixelSpacing
from mcdetect.spots import appearance, observer
from mcdetect.spots.appearance import FEATURE_NAMES, describe_spots
from mcdetect.spots.find import find_spots
from mcdetect.spots.score import SpotModel, default_spot_model

CONTRAST = FEATURE_NAMES.index("contrast")


def small() -> dict[str, Any]:
    """Return a model of one tree with one question."""
    return {
        "format": "mcdetect spot model 1",
        "features": list(FEATURE_NAMES),
        "base": 0.5,
        "trees": [
            {
                "feature": [CONTRAST, -1, -1],
                "threshold": [1.0, 0, 0],
                "left": [1, 0, 0],
                "right": [2, 0, 0],
                "value": [0, -1, 2],
            }
        ],
    }


def swapped(names: list[str]) -> list[str]:
    return [names[1], names[0], *names[2:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swapped, "at feature 1 it has 'log_scale', while this version of mcdetect measures 'snr'"),
        (lambda names: [*names[:-1], "lustre"], f"at feature {len(FEATURE_NAMES)} it has 'lustre'"),
        (lambda names: names[:-1], f"at feature {len(FEATURE_NAMES)} it ends"),
        (lambda names: [*names, "lustre"], "measures nothing more"),
    ],
)
def test_a_model_of_other_features_is_refused_with_file_cause_and_remedy(
    change: Callable[[list[str]], list[str]], said: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.json"
    data = small()
    file.write_text(json.dumps(data), encoding="utf-8")
    assert SpotModel.load(file).features == FEATURE_NAMES
    data["features"] = change(data["features"])
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UnreadableFileError) as error:
        SpotModel.load(file)
    assert error.value.path == file
    assert said in error.value.cause
    assert error.value.remedy == "use a model that was fitted with this version of mcdetect"
    with pytest.raises(ValueError, match="at feature"):
        dataclasses.replace(SpotModel.from_json(json.dumps(small())), features=tuple(data["features"]))


def test_the_model_that_comes_with_the_package_names_every_feature_in_order() -> None:
    stored = resources.files("mcdetect.models").joinpath("spot_model.json").read_text(encoding="utf-8")
    assert tuple(json.loads(stored)["features"]) == FEATURE_NAMES
    assert default_spot_model().roots.size > 10


def test_a_model_scores_by_its_trees() -> None:
    rows = np.zeros((2, len(FEATURE_NAMES)), np.float32)
    rows[1, CONTRAST] = 2.0
    model = SpotModel.from_json(json.dumps(small()))
    np.testing.assert_array_equal(model.log_odds(rows), [-0.5, 2.5])
    with pytest.raises(ValueError, match="features"):
        model.log_odds(rows[:, :3])


@pytest.mark.parametrize(
    "change",
    [
        {"left": [0, 0, 0]},
        {"right": [7, 0, 0]},
        {"feature": [len(FEATURE_NAMES), -1, -1]},
        {"value": [0, -1]},
        {"threshold": ["high", 0, 0]},
        {"left": None},
    ],
)
def test_trees_that_cannot_be_walked_are_refused(change: dict[str, Any]) -> None:
    bad = small()
    bad["trees"][0].update(change)
    with pytest.raises(UnreadableFileError, match="no usable spot model"):
        SpotModel.from_json(json.dumps(bad))


@pytest.mark.parametrize("text", ["[]", "{", "null", '{"format": "mcdetect spot model 1"}', "[" * 100_000])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFileError, match="no usable spot model"):
        SpotModel.from_json(text)


def test_a_model_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"gone\.json: cannot be opened"):
        SpotModel.load(tmp_path / "gone.json")
    (tmp_path / "odd.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UnreadableFileError, match=r"odd\.json: not UTF-8 text"):
        SpotModel.load(tmp_path / "odd.json")


def spots_of_a_noisy_image() -> tuple[np.ndarray, PixelSpacing]:
    image = np.random.default_rng(1).standard_normal((240, 260)).astype(np.float32)
    image[100:104, 120:124] += 12.0
    return image, PixelSpacing(0.07, 0.07)


def test_names_and_columns_come_from_one_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn the order of the declarations round: every column goes with its name."""
    image, spacing = spots_of_a_noisy_image()
    spots = find_spots(image, np.ones(image.shape, bool), spacing, SpotConfig())
    before = describe_spots(image, spots, spacing)
    assert before.shape[1] == len(FEATURE_NAMES) == len(set(FEATURE_NAMES))
    monkeypatch.setattr(appearance, "_COLUMNS", dict(reversed(appearance._COLUMNS.items())))
    after = describe_spots(image, spots, spacing)
    for k, name in enumerate(appearance._COLUMNS):
        np.testing.assert_array_equal(after[:, k], before[:, FEATURE_NAMES.index(name)], err_msg=name)


def test_each_column_holds_what_its_name_says() -> None:
    image, spacing = spots_of_a_noisy_image()
    spots = find_spots(image, np.ones(image.shape, bool), spacing, SpotConfig())
    column = dict(zip(FEATURE_NAMES, describe_spots(image, spots, spacing).T, strict=True))
    measured = appearance._measure(image, spots, spacing)
    series = {
        "band": measured.bands,
        "ring": measured.profile,
        "roundness": measured.roundness[:, 1:],
        "stretch": measured.stretch[:, 1:],
        "body": measured.observed[:, : len(observer.BODY_MM)],
    }
    for stem, values in series.items():
        for k in range(values.shape[1]):
            np.testing.assert_allclose(column[f"{stem}_{k}"], values[:, k], rtol=1e-6, err_msg=f"{stem}_{k}")
    for k, band in enumerate((1, 3, 5)):
        np.testing.assert_allclose(column[f"spread_ratio_{band}"], measured.spread_ratio[:, k], rtol=1e-6)
    np.testing.assert_allclose(column["snr"], spots.snr, rtol=1e-6)
    np.testing.assert_allclose(column["roundness_own"], measured.roundness[:, 0], rtol=1e-6)
    np.testing.assert_allclose(column["arm_far"], measured.far.max(axis=1), rtol=1e-6)
    np.testing.assert_allclose(
        column["body_best"], np.max([column[f"body_{k}"] for k in range(len(observer.BODY_MM))], axis=0)
    )
    assert np.all(column["line_near"] <= column["arm_near"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["features"].reverse(), "its features are"),
        (lambda data: data["features"][0]["terms"][0].update(column="hue"), "it reads hue, which groups do"),
    ],
)
def test_a_suspicion_file_of_another_version_is_refused(
    change: Callable[[dict[str, Any]], None],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = json.loads(resources.files("mcdetect.models").joinpath("suspicion.json").read_text("utf-8"))
    change(data)
    (tmp_path / "suspicion.json").write_text(json.dumps(data), encoding="utf-8")
    monkeypatch.setattr(suspicion.resources, "files", lambda package: tmp_path)
    with pytest.raises(UnreadableFileError, match=said) as error:
        suspicion.default_scorer.__wrapped__()
    assert error.value.path == tmp_path / "suspicion.json"
    assert "install mcdetect again" in error.value.remedy
