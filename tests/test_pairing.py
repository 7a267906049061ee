"""Which image of an earlier date a present one is compared with, and what is known of a file for that."""

from __future__ import annotations

import dataclasses
import gzip
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dicom_factory import write_dicom as write

from mcdetect.exams.comparison.pairing import Dated, Pairing, find_pairs
from mcdetect.readers.look import Look, look_at

DAY = date(2020, 1, 1).toordinal()


def image(file: str, patient: str = "", view: str = "L CC", day: int = 0, **more: Any) -> Dated:
    side, _, name = view.partition(" ")
    return Dated(file, Look(patient, side, name, day, instance=f"of {file} {day}" if patient else "", **more))


def told(found: Pairing, prior: list[Dated], current: list[Dated]) -> list[tuple[str, str, str]]:
    return [
        (
            "" if pair.prior is None else prior[pair.prior].file,
            "" if pair.current is None else current[pair.current].file,
            pair.reason,
        )
        for pair in found
    ]


def test_a_patient_is_followed_by_breast_and_view_to_the_latest_earlier_image() -> None:
    prior = [
        image("a/1", "P", day=DAY - 900),
        image("a/2", "P", day=DAY - 400, intent="raw"),
        image("a/3", "P", day=DAY - 400, intent="shown"),
        image("a/4", "P", "R CC", day=DAY - 400),
        image("a/5", "P", day=DAY + 5),
        image("b/1", "Q", day=DAY - 1),
    ]
    current = [
        image("z/1", "P", day=DAY, intent="shown"),
        image("z/2", "P", "L MLO", day=DAY),
        image("b/1", "R", day=DAY),
    ]
    found = find_pairs(prior, current)
    assert told(found, prior, current) == [
        ("a/3", "z/1", ""),
        ("", "z/2", "its patient has no prior image of the view L MLO"),
        ("", "b/1", "no prior image is of its patient"),  # though the name is the same
        *(
            (one.file, "", "no image of the current folder is compared with it")
            for one in prior
            if one.file != "a/3"
        ),
    ]
    assert [pair.days for pair in found][:2] == [400, None]
    assert [pair.patient for pair in found] == [1, 1, 2, 1, 1, 1, 1, 3]
    assert len(found.whole) == 1


def test_an_image_is_not_compared_with_itself_or_a_later_one() -> None:
    same = image("a/1", "P", day=DAY)
    later = image("a/2", "P", "R CC", day=DAY + 9)
    current = [same, image("a/2", "P", "R CC", day=DAY)]
    reasons = [pair.reason for pair in find_pairs([same, later], current)][:2]
    assert reasons == [
        "the prior image of its breast and view is a copy of it",
        "the prior images of its breast and view are of a later date",
    ]


def test_without_a_patient_names_tell_then_places() -> None:
    prior = [image("p/old.png"), image("p/other.png", view="R CC"), image("q/1.png"), image("q/2.png")]
    prior += [image("1.png", view=""), image("2.png")]
    current = [image("p/new.png"), image("p/other.png", view="R CC"), image("q/3.png")]
    current += [image("1.png", view=""), image("3.png")]
    whole = told(find_pairs(prior, current), prior, current)
    nothing = "its header names no patient, and no prior image has its name or its place"
    assert whole[:5] == [
        ("p/old.png", "p/new.png", ""),
        ("p/other.png", "p/other.png", ""),
        ("", "q/3.png", nothing),  # two of that view lie there
        ("1.png", "1.png", ""),
        ("", "3.png", nothing),  # a flat folder is no place
    ]


@pytest.mark.parametrize("differs", [{"laterality": "R"}, {"view": "MLO"}, {"patient": "Q"}])
def test_images_of_one_name_that_cannot_be_alike_are_not_compared(differs: dict[str, str]) -> None:
    one = image("p/1.png", "P")
    other = Dated("p/1.png", dataclasses.replace(one.look, instance="x", **differs))
    assert find_pairs([one], [other]).whole == []


def test_parts_and_stacks_are_told() -> None:
    prior = [image("a", "P", day=1)]
    current = [image("b", "P", day=2, part=True), image("c", "P", day=2, slices=True)]
    reasons = [pair.reason for pair in find_pairs(prior, current)]
    assert "a part of the breast" in reasons[0]
    assert "slices" in reasons[1]


def test_a_header_is_looked_at_without_its_pixels(tmp_path: Path) -> None:
    path = tmp_path / "1.dcm"
    write(path, PatientID="0012345", ImageLaterality="L", ViewPosition="CC", AcquisitionDate="20200101")
    found = look_at(path, "1.dcm")
    assert (found.laterality, found.view, found.day) == ("L", "CC", DAY)
    assert found.patient
    assert "12345" not in found.patient + repr(found)
    packed = tmp_path / "1.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert look_at(packed, "1.gz") == found
    write(path, PatientID="0012346", ImageLaterality="L", ViewPosition="CC")
    assert look_at(path, "1.dcm").patient not in ("", found.patient)
    for nobody in ("", "ANONYMOUS", "000", "Unknown"):
        write(path, PatientID=nobody)
        assert look_at(path, "1.dcm").patient == ""


def test_a_picture_is_known_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    found = look_at(tmp_path / "x.png", "p1/12_R_MLO.png")
    assert found == Look(laterality="R", view="MLO")
