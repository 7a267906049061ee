"""Files in which a run can be followed, with a clock that the test sets."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from mcdetect.cli.console import Terminal
from mcdetect.cli.following import Logbook, Metrics, Several, json_log, text_log
from mcdetect.runs import Failure, ImageReport
from mcdetect.runs.pace import Pace, in_words

FAILURE = Failure("UnreadableFileError", "the file is broken", "get a new copy")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_is_that_of_the_latest() -> None:
    pace = Pace(1000)
    pace.start(0.0)
    for k in range(400):
        pace.add(0.001 * (k + 1) if k < 200 else 0.2 + 2.0 * (k - 199))
    assert abs(pace.rate() - 0.5) < 0.01
    assert abs(pace.left_s() - 1200) < 20
    assert [in_words(s) for s in (float("nan"), 12, 600, 7300, 4e5)] == [
        "unknown",
        "12 s",
        "10 min",
        "2 h 2 min",
        "5 days",
    ]


def test_without_a_terminal_a_line_comes_every_so_often() -> None:
    clock, screen = Clock(), Console(file=StringIO(), force_terminal=False, width=200)
    terminal = Terminal(screen, quiet=False, clock=clock)
    terminal.started(100, 2)
    for _ in range(20):
        clock.now += 10.0
        terminal.finished(ImageReport("a.dcm"))
    terminal.finished(ImageReport("b.dcm", failure=FAILURE))
    clock.now += 30.0
    terminal.finished(ImageReport("c.dcm"))
    assert isinstance(screen.file, StringIO)
    lines = screen.file.getvalue().splitlines()
    assert lines[0] == "3 of 100 images (3 %), 6 per min, 16 min left"
    assert len(lines) == 8  # one for each 30 s, and the failure
    assert "22 of 100 images (22 %), 1 failed" in lines[-1]


def test_logs_tell_begin_images_failures_and_progress(tmp_path: Path) -> None:
    clock = Clock()
    handlers = [text_log(tmp_path / "a.log"), json_log(tmp_path / "a.json")]
    book = Logbook(handlers, clock)
    several = Several([book])
    several.started(2, 1)
    clock.now += 1.0
    several.finished(ImageReport("a\nb.dcm", row={"n_flagged": 2}))
    several.stopping()
    several.finished(ImageReport("b.dcm", failure=FAILURE))
    several.close()
    text = (tmp_path / "a.log").read_text()
    assert "info: 2 images, 1 worker" in text
    assert "warning: failed b.dcm: the file is broken; get a new copy" in text
    assert "2 of 2 images (100 %), 1 failed" in text
    assert "finished" not in text
    told = [json.loads(line) for line in (tmp_path / "a.json").read_text().splitlines()]
    assert [line["event"] for line in told] == ["started", "image", "stopping", "image", "progress"]
    assert (told[1]["file"], told[1]["flagged"]) == ("a\nb.dcm", 2)
    assert told[3]["cause"] == "the file is broken"


def test_figures_for_prometheus(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "mcdetect.prom"
    metrics = Metrics(path, clock)
    metrics.started(4, 1)
    assert 'mcdetect_images{state="left"} 4' in path.read_text()
    clock.now += 1.0
    metrics.finished(ImageReport("a.dcm", row={"file": "a"}))
    assert 'mcdetect_images{state="left"} 4' in path.read_text()  # not at every image
    clock.now += 9.0
    metrics.finished(ImageReport("b.dcm", row={"file": "b"}, reused=True))
    metrics.finished(ImageReport("c.dcm", failure=FAILURE))
    metrics.close()
    lines = path.read_text().splitlines()
    for line in (
        'mcdetect_images{state="processed"} 1',
        'mcdetect_images{state="failed"} 1',
        'mcdetect_images{state="known"} 1',
        'mcdetect_images{state="left"} 1',
        "mcdetect_active 0",
        "mcdetect_images_per_second 0.3",
    ):
        assert line in lines
