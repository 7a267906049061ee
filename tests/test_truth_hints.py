"""What `evaluate` says of a truth table that fits badly, and what readers of tables refuse with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mcdetect.validation.datasets.tables import read_rows
from mcdetect.validation.datasets.tables import read_table as read_dataset_table
from mcdetect.validation.evaluation import evaluate
from mcdetect.validation.evaluation.names import misnamed
from mcdetect.validation.evaluation.readers import TableError, read_table, standardise

ROWS, COLS, SPACING_MM = 900, 700, 0.1
IMAGES = pd.DataFrame(
    {
        "file": ["a.dcm", "b.dcm", "c.dcm"],
        "rows": ROWS,
        "cols": COLS,
        "row_spacing_mm": SPACING_MM,
        "col_spacing_mm": SPACING_MM,
    }
)


def tables(seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return marks, most of them right and many doubtful ones beside, and the truth."""
    rng = np.random.default_rng(seed)
    truth = pd.DataFrame(
        {
            "image": np.repeat(["a.dcm", "b.dcm"], 12),
            "x": rng.uniform(50, 300, 24),
            "y": rng.uniform(500, 850, 24),
        }
    )
    found = truth.iloc[::2].assign(score=0.9)
    found[["x", "y"]] += rng.normal(0, 1, (len(found), 2))
    false = pd.DataFrame(
        {
            "image": np.repeat(["a.dcm", "b.dcm", "c.dcm"], 200),
            "x": rng.uniform(0, COLS, 600),
            "y": rng.uniform(0, ROWS, 600),
            "score": rng.uniform(0, 0.4, 600),
        }
    )
    return pd.concat([found, truth.iloc[1::4].assign(score=0.7), false], ignore_index=True), truth


def notes(truth: pd.DataFrame, images: pd.DataFrame | None = IMAGES, **options: Any) -> str:
    marks, _ = tables()
    return "\n".join(evaluate(marks, truth, images, samples=0, **options).notes)


def test_a_truth_that_fits_is_not_doubted() -> None:
    _, truth = tables()
    assert "looks" not in notes(truth)
    assert "twice" not in notes(truth)


def test_a_poor_detector_is_not_taken_for_a_wrong_table() -> None:
    for seed in range(1, 6):
        assert "looks" not in notes(tables(seed)[1])  # marks of other places


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.assign(x=COLS - 1 - t["x"]), "mirrored: x is counted from the right edge"),
        (lambda t: t.assign(y=ROWS - 1 - t["y"]), "upside down: y is counted from the lower edge"),
        (lambda t: t.assign(x=t["y"], y=t["x"]), "transposed: x and y"),
        (lambda t: t.assign(x=COLS - 1 - t["x"], y=ROWS - 1 - t["y"]), "turned by 180 degrees"),
        (lambda t: t.assign(x=t["y"], y=COLS - 1 - t["x"]), "turned by 90 degrees"),
        (lambda t: t.assign(x=t["x"] * SPACING_MM, y=t["y"] * SPACING_MM), "written in mm, not in pixels"),
        (lambda t: t.assign(x=t["x"] / 2, y=t["y"] / 2), "of another scale: its places times 2 fit"),
        (lambda t: t.assign(x=t["x"] * 1.7, y=t["y"] * 1.7), "of another scale: its places times 0.5"),
    ],
)
def test_the_table_is_called_what_it_looks_like(change: Any, said: str) -> None:
    marks, truth = tables()
    found = notes(change(truth))
    assert f"the truth looks {said}" in found
    assert len(marks) > 600


def test_boxes_are_looked_at_by_their_centres() -> None:
    marks, truth = tables()
    boxes = pd.DataFrame({"image": truth["image"]})
    x = COLS - 1 - truth["x"]
    boxes = boxes.assign(x_min=x - 5, x_max=x + 5, y_min=truth["y"] - 5, y_max=truth["y"] + 5)
    said = evaluate(marks, boxes, IMAGES, target="clusters", rule="centroid", samples=0).notes
    assert any("mirrored" in note for note in said)


def test_mirrored_is_not_told_without_the_size_of_the_images() -> None:
    _, truth = tables()
    assert "looks" not in notes(truth.assign(x=COLS - 1 - truth["x"]), IMAGES.drop(columns=["rows", "cols"]))
    assert "transposed" in notes(truth.assign(x=truth["y"], y=truth["x"]), None, spacing_mm=SPACING_MM)


@pytest.mark.parametrize("again", [1, 5, 24])
def test_doubled_rows_are_counted(again: int) -> None:
    _, truth = tables()
    twice = pd.concat([truth, truth.iloc[:again]], ignore_index=True)
    assert f"{again} of {24 + again} rows of the truth stand there twice" in notes(twice)
    named = pd.concat([truth, pd.DataFrame({"image": ["c.dcm", "c.dcm"]})], ignore_index=True)
    assert "twice" not in notes(named)  # rows that only name an image


@pytest.mark.parametrize(
    ("change", "how"),
    [
        (lambda name: f"study/{name}", "by folder only"),
        (lambda name: name.removesuffix(".dcm"), "by suffix only"),
        (lambda name: name.replace(".dcm", ".png"), "by suffix only"),
        (lambda name: f"x\\{name[:-4]}.jpg", "by folder or suffix only"),
        (lambda name: name.upper(), "by capital letters only"),
        (lambda name: f"S/{name[:-4].upper()}", "by folder, suffix or capital letters only"),
    ],
)
def test_names_that_differ_are_told_how(change: Any, how: str) -> None:
    _, truth = tables()
    other = truth.assign(image=truth["image"].map(change))
    with pytest.raises(TableError, match=f"they differ {how}"):
        notes(other)
    assert f"their names differ {how}" in notes(other, None, spacing_mm=SPACING_MM)


def test_other_names_are_not_explained() -> None:
    assert misnamed(["q"], ["a", "b"]) == ""
    assert misnamed([], ["a"]) == ""
    _, truth = tables()
    with pytest.raises(TableError, match=r"there are names such as 'a.dcm'\)"):
        notes(truth.assign(image="other"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image;x;y\na.dcm;96.3;440.8\n", "it looks separated by semicolons$|semicolons;"),
        ("image;x;y\na.dcm;96,3;440,8\n", "semicolons|separated"),
        ("image\tx\ty\na.dcm\t96.3\t440.8\n", "separated by tabulators"),
        ("image|x|y\na.dcm|96.3|440.8\n", "separated by upright strokes"),
        ("image,x,y\na.dcm,96,3,440,8\nb.dcm,9,3,44,8\n", "it looks like decimal commas"),
        (
            'image,x,y\na.dcm,1,2\n"b.dcm,3,4\nc.dcm,5,6\n"d.dcm",1,2\n',
            "not readable|runs over several lines",
        ),
        ('image,x,y\na.dcm,1,2\n"b.dcm,3,4\nc.dcm,5,6\n', "not readable|runs over several lines"),
    ],
)
def test_tables_of_another_dialect_say_so(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(TableError, match=said) as caught:
        read_table(tmp_path / "t.csv")
    assert len(str(caught.value)) < 300


def test_decimal_commas_in_quotes_are_called_so(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('image,x,y\na.dcm,1.5,2\nb.dcm,"96,3","440,8"\n')
    with pytest.raises(TableError, match=r"column 'x' of the truth has decimal commas \(such as row 2\)"):
        standardise(read_table(tmp_path / "t.csv"), what="truth", required=("image",))


@pytest.mark.parametrize(
    "text",
    [
        'image,row,col\na.dcm,1,2\n"b.dcm,3,4\nc.dcm,5,6\nd.dcm,7,8\n',
        'image,row,col\na.dcm,1,2\nb.dcm",3,4\nc.dcm,5,6\nd.dcm,7,8\n',
        'image,row,col\na.dcm,1,2\n"b.dcm,3,4\nc.dcm,5,6\n"d.dcm",7,8\n',
        'image;row;col\na.dcm;1;2\nb.dcm;"3;4\nc.dcm;5;6\nd.dcm;7;8\n',
    ],
)
def test_a_stray_quote_costs_no_row(tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "truth.csv").write_text(text)
    rows = read_dataset_table(tmp_path / "truth.csv", ("image",))
    assert [row["image"] for row in rows] == ["a.dcm", "b.dcm", "c.dcm", "d.dcm"]
    assert [row["row"] for row in rows] == ["1", "3", "5", "7"]
    assert sum("has a quote that is not closed" in text for text in caplog.messages) <= 1


def test_cells_of_several_lines_stay_whole(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        'image,remark,n\na.dcm,"two\nlines, and a comma",1\nb.dcm,"x ""y"" z",2\n'
    )
    rows = read_rows(tmp_path / "t.csv")[""]
    assert rows[1:] == [["a.dcm", "two\nlines, and a comma", "1"], ["b.dcm", 'x "y" z', "2"]]
