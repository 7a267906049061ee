"""Views that are no whole views, in a batch of real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from dicom_factory import write_dicom

from mcdetect.runs import run_batch

SPECIAL_VIEWS: dict[str, dict[str, Any]] = {
    "plain": {},
    "magnified": {"PaddleDescription": "10CM MAG"},
    "spot": {"PaddleDescription": "SPT CMP"},
    "specimen": {"ImageType": ["DERIVED", "PRIMARY", "", "SPECIMEN"]},
    "stereotactic": {"ImageType": ["DERIVED", "PRIMARY", "", "STEREOTACTIC"]},
    "partial": {"PartialView": "YES"},
    "implant": {"BreastImplantPresent": "YES"},  # a whole view
}


def test_parts_of_a_breast_do_not_stand_for_a_view(tmp_path: Path) -> None:
    """Their distances are not those of a whole view: an examination with only such a view lacks it."""
    for name, elements in SPECIAL_VIEWS.items():
        (tmp_path / name).mkdir()
        write_dicom(tmp_path / name / "a.dcm", ImagerPixelSpacing=[0.4, 0.4], **elements)
    options = {"force": True, "magnification": 1.0, "studies_by": "folder"}
    run_batch([tmp_path], tmp_path / "out", overlay=False, **options)
    studies = pd.read_csv(tmp_path / "out" / "studies.csv", keep_default_na=False)
    lacking = {Path(row["files"]).parts[0]: row["missing_views"] for _, row in studies.iterrows()}
    whole = {"plain", "implant"}
    assert lacking == {name: "L MLO" if name in whole else "L CC, L MLO" for name in SPECIAL_VIEWS}
