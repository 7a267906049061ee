"""What a random sample of mutants says of all of them, and that no other mutants count in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mutation_shares import drawn, lower_bound, main
from scipy.stats import binom

NAMES = [f"mcdetect.runs.pool.x__mutmut_{k}" for k in range(200)]


def campaign(folder: Path, tried: list[str], survived: set[str]) -> None:
    file = folder / "mutants" / "mcdetect" / "runs" / "pool.py.meta"
    file.parent.mkdir(parents=True)
    codes = {name: (0 if name in survived else 1) if name in tried else None for name in NAMES}
    file.write_text(json.dumps({"exit_code_by_key": codes}))


@pytest.mark.parametrize(("killed", "tried"), [(1, 5), (55, 60), (140, 150), (60, 60)])
def test_a_true_share_below_the_bound_gives_so_many_kills_once_in_twenty(killed: int, tried: int) -> None:
    least = lower_bound(killed, tried, 1000)
    assert binom.sf(killed - 1, tried, least) == pytest.approx(0.05)


def test_where_all_were_tried_or_none_was_killed_nothing_is_left_to_chance() -> None:
    assert lower_bound(9, 10, 10) == 0.9
    assert lower_bound(0, 10, 100) == lower_bound(0, 0, 100) == 0.0


def test_a_draw_is_known_by_its_seed() -> None:
    assert drawn(NAMES, 20, 1) == drawn(NAMES[::-1], 20, 1) != drawn(NAMES, 20, 2)
    assert len(set(drawn(NAMES, 20, 1))) == 20
    assert drawn(NAMES, 300, 1) == drawn(NAMES, None, 1) == sorted(NAMES)


def test_only_what_was_drawn_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sample = drawn(NAMES, 60, 7)
    further = [name for name in NAMES if name not in sample][:50]
    campaign(tmp_path, [*sample, *further], {*sample[:2], *further})
    words = ["runs", "--draw", "60", "--seed", "7"]
    assert main([*words, "--names"]) == 0
    assert capsys.readouterr().out.split() == sample
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "200 mutants    60 tried    58 killed  96.7%" in told
    assert "not tried" not in told
    assert main(["runs", "--draw", "60", "--seed", "8"]) == 1  # not all of these were tried
    assert "not tried" in capsys.readouterr().out
    assert main(["runs"]) == 1
    assert main(["pipeline"]) == 1  # there are none
