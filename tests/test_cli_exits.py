"""How verbs end: the exit code of each signal, and what could not be done in words."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
import typer
from detector_standin import install, write
from typer.testing import CliRunner

from mcdetect.cli import app
from mcdetect.cli.console import Terminal
from mcdetect.cli.exits import written
from mcdetect.runs import ImageReport


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_is_told_by_the_exit_code_of_its_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: int
) -> None:
    number = getattr(signal, name)

    def asked(self: Terminal, image: ImageReport) -> None:
        signal.raise_signal(number)

    install(monkeypatch)
    monkeypatch.setattr(Terminal, "finished", asked)
    write(tmp_path / "in", a="good", b="good")
    result = CliRunner().invoke(app, ["detect", str(tmp_path / "in"), "-o", str(tmp_path / "out")])
    assert result.exit_code == code
    assert "stopped early" in result.stdout
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "interrupted"


def test_what_cannot_be_written_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    for error, words in (
        (OSError(28, "No space left"), "no space left"),
        (OSError("results.sqlite: unable to open database file"), "results.sqlite: unable to open"),
        (OSError(), "OSError"),
    ):
        with pytest.raises(typer.Exit) as end, written():
            raise error
        assert end.value.exit_code == 1
        assert f"cannot be written ({words}" in capsys.readouterr().err
