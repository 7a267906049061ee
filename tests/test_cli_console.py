"""What the terminal shows: progress, failures, log lines and the summary."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from io import StringIO

import pytest
from output_fakes import fake_image, fake_result, ring
from rich.console import Console

from mcdetect.cli.console import Terminal, log_to, one_line, print_summary
from mcdetect.runs import BatchReport, Failure, ImageReport

FAILURE = Failure("UnreadableFileError", "the file is broken", "get a new copy")


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    package = logging.getLogger("mcdetect")
    before = package.handlers, package.propagate, package.level
    yield
    package.handlers, package.propagate = before[0], before[1]
    package.setLevel(before[2])


def console(*, terminal: bool, width: int = 200) -> Console:
    return Console(file=StringIO(), force_terminal=terminal, width=width, color_system=None)


def text_of(screen: Console) -> str:
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


def report_of(name: str, flagged: int = 0, score: float = 0.9) -> ImageReport:
    groups = [ring(100 + 100 * index, 90) for index in range(flagged)]
    row = fake_result(fake_image(source=name), groups=groups).summary().iloc[0].to_dict()
    return ImageReport(
        name, row={str(k): v for k, v in row.items()}, best_score=score if flagged else float("nan")
    )


def watch(screen: Console, *, quiet: bool = False) -> str:
    terminal = Terminal(screen, quiet=quiet)
    terminal.started(2, 1)
    terminal.finished(report_of("a.dcm"))
    terminal.finished(ImageReport("b.dcm", failure=FAILURE))
    terminal.close()
    return text_of(screen)


def test_progress_is_shown_on_terminals_only() -> None:
    assert "detecting" in watch(console(terminal=True))
    assert "detecting" not in watch(console(terminal=True), quiet=True)
    line = "failed b.dcm: the file is broken; get a new copy\n"
    assert watch(console(terminal=False)) == line
    assert watch(console(terminal=False), quiet=True) == line


def test_hostile_names_stay_on_their_line_and_are_no_markup() -> None:
    name = "[red]x[/red]\n\x1b[31mfake.dcm"
    screen = console(terminal=False)
    Terminal(screen, quiet=False).finished(ImageReport(name, failure=FAILURE))
    (line,) = text_of(screen).splitlines()
    assert line.startswith("failed [red]x[/red] [31mfake.dcm: ")
    assert one_line("a\r\n\tb\x07") == "a   b"


def test_the_summary_lists_every_image_of_a_small_batch() -> None:
    screen = console(terminal=False)
    images = [report_of("a.dcm", 2, 0.87), report_of("b.dcm"), ImageReport("c.dcm", failure=FAILURE)]
    print_summary(
        screen, BatchReport(images, passed_over=[("a.txt", "it is a text file")], duplicates=2), "out"
    )
    text = text_of(screen)
    for words in ("a.dcm", "b.dcm", "0.87", "L CC", "2 images processed", "2 flagged groups in 1"):
        assert words in text
    for words in (
        "1 failed (see failures.csv)",
        "1 file passed over (see skipped.csv)",
        "2 duplicates left out",
        "results in out",
    ):
        assert words in text
    assert "c.dcm" not in text


def test_the_summary_of_a_large_batch_lists_flagged_images_best_first() -> None:
    screen = console(terminal=False)
    images = [report_of(f"normal{index}.dcm") for index in range(40)]
    images += [report_of("low.dcm", 1, 0.5), report_of("high.dcm", 1, 0.95)]
    print_summary(screen, BatchReport(images), "out")
    text = text_of(screen)
    assert "normal" not in text
    assert text.index("high.dcm") < text.index("low.dcm")
    assert "42 images processed, 2 flagged groups in 2" in text


def test_the_summary_tells_what_an_earlier_run_found() -> None:
    screen = console(terminal=False)
    known = [dataclasses.replace(report_of(f"{n}.dcm"), reused=True) for n in "ab"]
    print_summary(screen, BatchReport([*known, report_of("c.dcm")]), "out")
    assert "3 images processed (2 of them known from an earlier run), 0 flagged groups in 0" in text_of(
        screen
    )
    screen = console(terminal=False)
    print_summary(screen, BatchReport([report_of("c.dcm")]), "out")
    assert "earlier run" not in text_of(screen)


def test_a_summary_without_images() -> None:
    screen = console(terminal=False)
    print_summary(screen, BatchReport([ImageReport("c.dcm", failure=FAILURE)]), "out")
    assert "0 images processed" in text_of(screen)


@pytest.mark.parametrize(
    ("verbose", "quiet", "shown"),
    [(0, False, "we"), (1, False, "iwe"), (2, False, "diwe"), (5, False, "diwe"), (0, True, "e")],
)
def test_log_levels(verbose: int, quiet: bool, shown: str) -> None:
    screen = console(terminal=False)
    log_to(screen, verbose=verbose, quiet=quiet)
    logger = logging.getLogger("mcdetect.test")
    for letter, level in (("d", 10), ("i", 20), ("w", 30), ("e", 40)):
        logger.log(level, "message %s", letter)
    logging.getLogger("pydicom").error("PatientName")
    lines = text_of(screen).splitlines()
    assert "".join(line[-1] for line in lines) == shown
    assert all("message" in line for line in lines)
