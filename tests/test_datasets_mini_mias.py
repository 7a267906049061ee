"""mini-MIAS: bottom-left origin, note 3, doubtful cases, and the real files where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_factory import SHARED, breast_image

from mcdetect.errors import UnreadableFileError
from mcdetect.image.mammogram import Plane
from mcdetect.validation.datasets import Circle, Kind, TruthStatus, open_dataset, truth_table

# Text around the table, several lines for one image, and notes, as in the published file.
INFO = """
1st column:  MIAS database reference number.
mdb001 shows the format of the file.

mdb001 G CIRC B 535 425 197
mdb005 F CIRC B 477 133 30
mdb005 F CIRC B 500 168 26
mdb059 F CIRC B *NOTE 2*
mdb212 G CALC B 687 882 3
mdb216 D CALC M *NOTE 3*
mdb003 D NORM
mdb226 D CALC B 287 610 7
mdb226 D CALC B 329 550 25
mdb240 D CALC B 643 614
mdb999 D NORM
"""


def build(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    (root / "Info.txt").write_text(INFO)
    pixels = np.zeros((1024, 1024), dtype=np.uint8)
    pixels[200:600, 300:600] = breast_image(400, 300, bits=8)
    for number in (1, 3, 5, 59, 212, 216, 226, 240):
        header = b"P5\n1024 1024\n255\n"
        (root / f"mdb{number:03d}.pgm").write_bytes(header + pixels.tobytes())
    return root


def test_cases_and_truth(tmp_path: Path) -> None:
    dataset = open_dataset("mini-mias", build(tmp_path))
    cases = {case.name: case for case in dataset}
    assert {name: case.status for name, case in cases.items()} == {
        "mdb001": TruthStatus.NEGATIVE,
        "mdb005": TruthStatus.NEGATIVE,
        "mdb059": TruthStatus.NEGATIVE,
        "mdb212": TruthStatus.LOCATED,
        "mdb216": TruthStatus.UNLOCATED,
        "mdb003": TruthStatus.NEGATIVE,
        "mdb226": TruthStatus.LOCATED,
    }
    assert sorted(str(problem) for problem in dataset.problems) == [
        "Info.txt: the line of mdb240 lacks x, y or radius; correct it",
        f"{tmp_path.name}: mdb999.pgm is missing; complete the download; needed: {dataset.info.layout}",
    ]
    assert "doubtful" in cases["mdb212"].remarks[0]
    assert "note 3" in cases["mdb216"].remarks[0]
    assert cases["mdb216"].labels["pathology"] == "malignant"
    assert cases["mdb059"].remarks == ("circumscribed mass not located",)
    assert [finding.kind for finding in cases["mdb005"].findings] == [Kind.OTHER] * 2
    assert cases["mdb226"].findings[0].shape == Circle(1024 - 610, 287, 7)
    assert cases["mdb001"].patient == "pair001" != cases["mdb003"].patient == "pair002"
    assert (cases["mdb001"].laterality, cases["mdb212"].laterality) == ("R", "L")


def test_the_image_and_its_spacing(tmp_path: Path) -> None:
    case = next(case for case in open_dataset("mini-mias", build(tmp_path)) if case.name == "mdb226")
    image = case.read()
    assert (image.spacing.row_mm, image.spacing.source, image.spacing.plane) == (
        0.2,
        "stated by mini-MIAS",
        Plane.FILM,
    )
    table = truth_table(case, image)
    assert table[["x", "y", "radius"]].to_numpy().tolist() == [[287, 414, 7], [329, 474, 25]]
    assert table["cluster"].tolist() == ["1", "2"]
    region = case.regions(image.shape)[0]
    assert (region.row, region.col) == pytest.approx((414, 287))
    assert region.area_px == pytest.approx(np.pi * 49, rel=0.05)


def test_a_text_without_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Info.txt").write_text("nothing\nmdb001 is an image\n")
    with pytest.raises(UnreadableFileError, match=r"Info\.txt: it lists no image"):
        list(open_dataset("mini-mias", tmp_path))


@pytest.mark.skipif(not (SHARED / "mini_mias").is_dir(), reason="the mini-MIAS films are not there")
def test_the_real_files() -> None:
    dataset = open_dataset("mini-mias", SHARED / "mini_mias")
    cases = list(dataset)
    assert dataset.problems == []
    assert len(cases) == 20
    marked = [case for case in cases if case.status is TruthStatus.LOCATED]
    assert [case.name for case in marked] == ["mdb219", "mdb241", "mdb248", "mdb253"]
    for case in marked:
        image = case.read()
        (region,) = case.regions(image.shape)
        inside = image.pixels[region.full_mask(image.shape)]
        assert np.median(inside) > 100  # in the breast, not in the air
        # The breast lies on the side of its chest wall: odd numbers are right breasts.
        left = image.pixels[:, :512].sum() > image.pixels[:, 512:].sum()
        assert left == (case.laterality == "L")
