"""The COCO file of a run: boxes where the calcifications are, and read again as truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mcdetect.runs import run_batch
from mcdetect.validation.datasets import Kind, open_dataset

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "clusters_L_CC.dcm"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("coco")
    run_batch([SAMPLE], folder, overlay=False, also=["coco"])
    return folder


def test_boxes_lie_on_the_calcifications(out: Path) -> None:
    content = json.loads((out / "coco.json").read_text(encoding="utf-8"))
    table = pd.read_parquet(out / "calcifications.parquet")
    (image,) = content["images"]
    row = pd.read_csv(out / "images.csv").iloc[0]
    assert (image["height"], image["width"]) == (row["rows"], row["cols"])
    assert image["pixel_spacing_mm"] == row["row_spacing_mm"]
    boxes = np.array([a["bbox"] for a in content["annotations"] if a["category_id"] == 1])
    assert len(boxes) == len(table)
    centre = boxes[:, :2] + 0.5 * boxes[:, 2:] - 0.5
    np.testing.assert_allclose(centre, table[["col_px", "row_px"]], atol=2e-3)
    np.testing.assert_allclose(boxes[:, 2] * row["col_spacing_mm"], table["diameter_mm"], atol=1e-3)


def test_groups_hold_their_members_and_say_whether_they_are_flagged(out: Path) -> None:
    content = json.loads((out / "coco.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    clusters = pd.read_parquet(out / "clusters.parquet")
    groups = [a for a in content["annotations"] if names[a["category_id"]] != "calcification"]
    flags = [names[a["category_id"]] == "flagged calcification cluster" for a in groups]
    assert flags == clusters["flagged"].to_list()
    for group in groups:
        members = [
            a["bbox"]
            for a in content["annotations"]
            if a["category_id"] == 1 and a["cluster_id"] == group["cluster_id"]
        ]
        x, y, width, height = group["bbox"]
        assert min(m[0] for m in members) == pytest.approx(x, abs=2e-3)
        assert max(m[1] + m[3] for m in members) == pytest.approx(y + height, abs=2e-3)
        assert width > 0
    assert len({a["id"] for a in content["annotations"]}) == len(content["annotations"])


def test_the_file_is_read_as_truth(out: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    (root / SAMPLE.name).write_bytes(SAMPLE.read_bytes())
    (root / "truth.json").write_bytes((out / "coco.json").read_bytes())
    (case,) = open_dataset("generic", root)
    singles = [f for f in case.findings if f.kind is Kind.CALCIFICATION]
    table = pd.read_parquet(out / "calcifications.parquet")
    regions = [r for r in case.regions(case.read().shape) if r.finding.kind is Kind.CALCIFICATION]
    assert len(singles) == len(table)
    np.testing.assert_allclose([r.row for r in regions], table["row_px"], atol=1.0)
    np.testing.assert_allclose([r.col for r in regions], table["col_px"], atol=1.0)
    groups = [f for f in case.findings if f.kind is Kind.GROUP]
    assert len(groups) == len(pd.read_parquet(out / "clusters.parquet"))
