"""Which images of a folder are copies of one exposure, and what examinations make of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dicom_factory import breast_image, make_dataset, raw_image, write_dicom
from pydicom import uid

from mcdetect.exams.studies import (
    Trace,
    ViewImage,
    find_exposures,
    same_pixels,
    shared_instances,
    study_tables,
)
from mcdetect.image.sketch import SIDE, likeness, sketch
from mcdetect.phantom import draw_mammogram
from mcdetect.readers.read import read_mammogram

IMAGE = breast_image()


def test_textures_tell_breasts_apart() -> None:
    one, two = (draw_mammogram((500, 400), 0.3, seed=seed) for seed in (3, 4))
    breast = one.pixels > np.quantile(one.pixels, 0.6)
    first, second = (sketch(drawn.pixels.astype(np.float32), breast) for drawn in (one, two))
    darker = sketch(np.sqrt(one.pixels.astype(np.float32)), breast)
    assert likeness(first, first) == pytest.approx(1.0)
    assert likeness(first, darker) > 0.9
    assert likeness(first, second) < 0.5
    nothing = sketch(np.zeros((90, 80), np.float32), np.zeros((90, 80), np.bool_))
    assert likeness(first, nothing) == likeness(first, "") == 0.0
    assert SIDE == 64


PLACE = ("study", "L", "CC")
FIRST = Trace("a", pixels="p", instance="i", place=PLACE)


@pytest.mark.parametrize(
    ("other", "one"),
    [
        (Trace("b", pixels="p", instance="j", place=PLACE), True),  # sent again under another UID
        (Trace("b", pixels="q", instance="i", place=PLACE), False),  # one UID for two images
        (Trace("b", pixels="q", sources=("i",), place=PLACE), True),  # processed from it
        (Trace("b", pixels="q", sources=("i",), place=("study", "", "")), True),
        (Trace("b", pixels="q", sources=("i",), place=("study", "R", "CC")), False),  # a sheet of all views
        (Trace("b", pixels="q", place=PLACE), False),  # a second exposure
    ],
)
def test_copies_are_told_by_pixels_and_sources(other: Trace, one: bool) -> None:
    exposure = find_exposures([FIRST, other])
    assert (exposure["a"] == exposure["b"]) is one


def test_a_moment_tells_an_exposure_unless_the_pictures_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    traces = [Trace(name, pixels=name, event="10:15", place=PLACE, sketch=name) for name in "ab"]
    for like, one in ((0.9, True), (0.5, True), (0.1, False)):
        monkeypatch.setattr("mcdetect.exams.studies.copies.likeness", lambda a, b, like=like: like)
        assert len(set(find_exposures(traces).values())) == (1 if one else 2)
        later = [traces[0], dataclasses.replace(traces[1], event="10:20")]
        assert len(set(find_exposures(later).values())) == 2
        bare_traces = [dataclasses.replace(trace, event="") for trace in traces]
        assert len(set(find_exposures(bare_traces).values())) == (1 if like > 0.7 else 2)


def test_same_pixels_and_shared_instances_are_named() -> None:
    traces = [
        FIRST,
        dataclasses.replace(FIRST, file="b"),
        Trace("c", pixels="q", instance="i"),
        Trace("d", pixels="q", instance="k"),
        Trace("e"),
        Trace("f"),
    ]
    assert same_pixels(traces) == {"b": "a", "d": "c"}
    assert shared_instances(traces) == {"c": "a"}
    assert find_exposures(traces) == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3, "f": 4}


def view(file: str, name: str, boxes: list[tuple[float, ...]], **changes: Any) -> ViewImage:
    clusters = pd.DataFrame(
        {
            "cluster_id": range(1, len(boxes) + 1),
            "flagged": [True] * len(boxes),
            "score": [0.8] * len(boxes),
            "nipple_distance_mm": [40.0 + box[0] / 100.0 for box in boxes],
            **dict(
                zip(
                    ("min_row_px", "min_col_px", "max_row_px", "max_col_px"),
                    zip(*boxes, strict=True),
                    strict=True,
                )
            ),
        }
    )
    return ViewImage(file, "s", "L", name, special=False, clusters=clusters, spacing_mm=(0.1, 0.1), **changes)


def test_an_examination_counts_a_finding_of_copies_once() -> None:
    here, there = (100.0, 100.0, 200.0, 200.0), (1500.0, 100.0, 1600.0, 200.0)
    images = [
        view("cc", "CC", [here], exposure=1, intent="FOR PRESENTATION"),
        view("cc_again", "CC", [here], exposure=1, intent="FOR PRESENTATION"),
        view("a_raw", "CC", [(110.0, 90.0, 190.0, 205.0), there], exposure=1, intent="FOR PROCESSING"),
        view("mlo", "MLO", [here], exposure=2, intent="FOR PRESENTATION"),
        view("unknown", "", [here], exposure=2, intent="FOR PRESENTATION"),
    ]
    tables = study_tables(images)
    findings = tables["findings"]
    assert findings["seen_in"].tolist() == ["both views", "not compared"]
    assert set(findings.loc[0, ["file", "other_file"]]) == {"cc", "mlo"}
    assert findings.loc[1, "file"] == "a_raw"  # only there
    assert tables["studies"].loc[0, "n_findings"] == 2
    apart = [dataclasses.replace(image, exposure=0) for image in images]
    assert len(study_tables(apart)["findings"]) == 5


def test_a_group_flagged_in_a_copy_only_is_a_flagged_finding() -> None:
    box = (100.0, 100.0, 200.0, 200.0)
    lead = view("a", "CC", [box], exposure=1, intent="FOR PRESENTATION")
    lead.clusters["flagged"], lead.clusters["score"] = False, 0.2
    copy = view("b", "CC", [box], exposure=1, intent="FOR PROCESSING")
    findings = study_tables([copy, lead])["findings"]
    assert findings[["file", "flagged", "two_view_score"]].to_numpy().tolist() == [["a", True, 0.8]]


def test_copies_of_stripped_pictures_lie_in_one_examination() -> None:
    box = (100.0, 100.0, 200.0, 200.0)
    images = [
        dataclasses.replace(view(name, side, [box], exposure=number), study="")
        for name, side, number in (("in/a", "CC", 1), ("in/b", "MLO", 2), ("backup/a", "CC", 1))
    ]
    assert study_tables(images)["studies"]["files"].tolist() == ["backup/a; in/a", "in/b"]
    mixed = [image for image in images if image.file != "backup/a"]
    mixed.append(dataclasses.replace(images[2], file="in/a2"))
    assert study_tables(mixed)["studies"]["files"].tolist() == ["in/a; in/a2; in/b"]


def test_headers_tell_the_exposure(tmp_path: Path) -> None:
    raw = {
        "PresentationIntentType": "FOR PROCESSING",
        "SOPClassUID": uid.DigitalMammographyXRayImageStorageForProcessing,
        "SOPInstanceUID": "1.2.3.9",
        "PixelIntensityRelationship": "LIN",
        "PixelIntensityRelationshipSign": 1,
        "PhotometricInterpretation": "MONOCHROME1",
        "BitsStored": 14,
    }
    moment = {"StudyInstanceUID": "1.2.3", "AcquisitionDate": "20200229", "AcquisitionTime": "101502.123"}
    source = make_dataset().__class__()
    source.ReferencedSOPInstanceUID = "1.2.3.9"
    one = read_mammogram(
        write_dicom(tmp_path / "a.dcm", IMAGE, **moment, SourceImageSequence=[source])
    ).origin
    two = read_mammogram(write_dicom(tmp_path / "b.dcm", raw_image(), **(raw | moment))).origin
    assert one.sources == (two.instance,)
    assert one.event == two.event != ""
    assert one.instance != two.instance
    nameless = read_mammogram(
        write_dicom(tmp_path / "c.dcm", IMAGE, **(moment | {"ViewPosition": None}))
    ).origin
    zeroed = read_mammogram(
        write_dicom(tmp_path / "d.dcm", IMAGE, **(moment | {"AcquisitionTime": "000000"}))
    ).origin
    assert nameless.event == zeroed.event == ""
    irradiated = [
        read_mammogram(
            write_dicom(tmp_path / f"{k}.dcm", IMAGE, IrradiationEventUID="1.9", ViewPosition=name)
        )
        for k, name in enumerate(("CC", "CC", "MLO"))
    ]
    assert irradiated[0].origin.event == irradiated[1].origin.event != irradiated[2].origin.event
    assert "1.2.3" not in repr(irradiated[0])
