"""The report: figures beside chance, what weighs, right and wrong groups as pictures, nobody named."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from training_examples import LINEAR, TREES, examples

from mcdetect.training import save, train
from mcdetect.training.learning import Training
from mcdetect.training.measures import Measure
from mcdetect.training.page import in_words, line_of, page
from mcdetect.training.shown import draw_examples, examples_of

QUICK = {"samples": 50, "stability_samples": 5, "permutations": 8, "repeats": 2}


@pytest.fixture(scope="module")
def linear() -> Training:
    return train(examples(100, 2), candidates=LINEAR[:1], **QUICK)


class Balance(HTMLParser):
    """Checks that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(str(dict(attrs)["src"]))
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report(linear: Training, tmp_path: Path) -> None:
    written = save(linear, tmp_path / "report")
    names = {path.name for path in written}
    assert names == {
        *("report.html", "report.json", "predictions.csv", "stability.csv"),
        *("roc.png", "reliability.png"),
    }
    assert names == {path.name for path in (tmp_path / "report").iterdir()}
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    area = linear.measures["auc"]
    assert data["measures"]["auc"] == dataclasses.asdict(area)
    assert data["model_sha256"] == linear.model.digest
    assert sum(data["reliability"]["n"]) >= 100
    assert data["weights"][0]["feature"] in ("good_0", "good_1")
    text = (tmp_path / "report" / "report.html").read_text()
    reader = Balance()
    reader.feed(text)
    assert reader.open == []
    assert len(reader.images) == 2
    assert all(image.startswith("data:image/png;base64,") for image in reader.images)
    for shown in (area.value, area.low, area.high, area.null, area.null_low, area.null_high, area.p):
        assert f"{shown:.3f}" in text
    assert "<code>good_0</code>" in text
    assert "Right</h3>" in text
    assert not any(word in text for word in ("SECRET", "case1", ".dcm"))
    table = pd.read_csv(tmp_path / "report" / "predictions.csv")
    assert len(table) == 200
    assert table["fold"].nunique() == 5
    assert not any("SECRET" in path.read_text() for path in written if path.suffix != ".png")


def test_names_are_escaped(linear: Training) -> None:
    model = dataclasses.replace(linear.model, target="<b>&")
    text = page(dataclasses.replace(linear, model=model, notes=("<i>",)), examples_of(linear))
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;b&gt;&amp;" in text


def test_trees_have_a_report_too(tmp_path: Path) -> None:
    found = train(
        examples(40, 1), model="boosting", candidates=TREES, **QUICK | {"permutations": 0, "repeats": 1}
    )
    assert found.shares.empty
    text = page(found, examples_of(found))
    assert "share of splits" in text
    assert "nothing to show" not in text
    assert "50 % is a coin" in text


@pytest.mark.parametrize(
    ("measure", "said", "unsaid"),
    [
        (Measure(0.8, 0.6, 0.9, 0.5, 0.3, 0.7, 0.01), "more than chance", "it may yet"),
        (Measure(0.8, 0.4, 0.9, 0.5, 0.3, 0.7, 0.01), "it may yet be anything", "nothing is shown"),
        (Measure(0.8, 0.6, 0.9, 0.5, 0.3, 0.7, 0.05), "more than chance", "nothing is shown"),
        (Measure(0.8, 0.6, 0.9, 0.5, 0.3, 0.7, 0.06), "nothing is shown to be learned", "more than chance"),
        (Measure(0.8, 0.6, 0.9), "80 % of the time (60 % to 90 %); 50 % is a coin", "chance"),
        (Measure(float("nan"), 0.6, 0.9), "cannot be told", "chance"),
    ],
)
def test_the_first_sentence(linear: Training, measure: Measure, said: str, unsaid: str) -> None:
    text = in_words(dataclasses.replace(linear, measures={"auc": measure}))
    assert said in text
    assert unsaid not in text


def test_lines_of_the_terminal() -> None:
    full = Measure(0.8, 0.6, 0.9, 0.5, 0.3, 0.7, 0.01)
    expected = "auc patient: 0.800 (0.600 to 0.900); shuffled labels 0.500 (0.300 to 0.700), reached by 1 %"
    assert line_of("auc_patient", full) == expected
    assert line_of("brier", full).endswith("(0.300 to 0.700)")
    rare = dataclasses.replace(full, p=0.004, null=-0.0001)
    assert line_of("auc", rare).endswith("labels 0.000 (0.300 to 0.700), reached by less than 1 %")
    assert line_of("auc", Measure(0.8, float("nan"), float("nan"))) == "auc: 0.800 (none)"


def test_right_and_wrong_groups(linear: Training) -> None:
    shown = examples_of(linear)
    assert shown["verdict"].tolist() == ["right"] * 5 + ["wrong"] * 5
    score, fold = linear.out_of_fold.log_odds[0], linear.out_of_fold.fold[0]
    label, patient = linear.examples.label, linear.examples.patient
    for verdict, part in shown.groupby("verdict"):
        assert part["label"].tolist() == [1, 0, 1, 0, 1]
        assert patient[part["row"]].tolist() == list(dict.fromkeys(patient[part["row"]]))
        for row, known, above in part[["row", "label", "above"]].itertuples(index=False):
            others = (fold == fold[row]) & (patient != patient[row])
            assert above == pytest.approx(np.mean(score[others] < score[row]))
            assert ((above > 0.5) == (known == 1)) == (verdict == "right")
            assert known == label[row]
    best = shown["row"].iloc[0]
    assert shown["above"].iloc[0] >= max(
        np.mean(score[(fold == fold[r]) & (patient != patient[r])] < score[r])
        for r in np.flatnonzero(label)
        if r != best
    )


def test_pictures_of_groups(linear: Training, tmp_path: Path) -> None:
    """The group lies in the middle of its picture, at the spacing of the table of images."""
    shown = examples_of(linear)
    files = linear.examples.clusters["file"]
    chosen = [str(files.iloc[row]) for row in shown["row"]]
    ends = {"min_row_px": 290.0, "max_row_px": 310.0, "min_col_px": 140.0, "max_col_px": 160.0}
    places = pd.DataFrame(ends, index=files.index)
    given = dataclasses.replace(
        linear,
        examples=dataclasses.replace(
            linear.examples,
            clusters=linear.examples.clusters.assign(
                file=files.str.replace("/a.dcm", ".png"), n_calcifications=5, suspicion=40.0
            ).join(places),
        ),
    )
    image = np.random.default_rng(0).integers(800, 1000, (600, 300)).astype(np.uint16)
    image[295:306, 145:156] = 40_000
    folder = tmp_path / "images"
    folder.mkdir()
    for name in {name.replace("/a.dcm", ".png") for name in chosen[1:]}:
        cv2.imwrite(str(folder / name), image)
    table = pd.DataFrame(
        {"file": given.examples.clusters["file"].unique(), "row_spacing_mm": 0.1, "col_spacing_mm": 0.1}
    )
    out = tmp_path / "report"
    written = save(given, out, plots=False, images=[folder], table_of_images=table)
    pictures = sorted(path.name for path in written if path.suffix == ".png")
    expected = {row for row, name in zip(shown["row"], chosen, strict=True) if name != chosen[0]}
    assert len(pictures) == len(expected)
    assert all(re.fullmatch(r"(right|wrong)_\d+\.png", name) for name in pictures)
    picture = cv2.imread(str(out / pictures[0]), cv2.IMREAD_GRAYSCALE)
    assert picture.shape == (360, 360)
    bright = np.argwhere(picture[:330] > 128)
    assert bright.mean(axis=0) == pytest.approx([180, 180], abs=4)
    assert np.ptp(bright[:, 0]) == pytest.approx(11 * 0.1 / 8.0 * 360, abs=6)  # 8 mm are 360 px
    text = (out / "report.html").read_text()
    assert text.count("<img") == len(pictures)
    assert "5 calcifications; suspicion index 40" in text
    assert draw_examples(given, shown, [tmp_path / "nothing"], out) == {}
