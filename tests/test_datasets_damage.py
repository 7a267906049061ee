"""Damaged downloads: whatever bytes a table or annotation holds, only mcdetect's own errors come out."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import test_datasets_cbis_ddsm
import test_datasets_cmmd
import test_datasets_generic
import test_datasets_inbreast
import test_datasets_mini_mias
import test_datasets_vindr

from mcdetect.errors import McdetectError, McdetectWarning
from mcdetect.validation.datasets import Dataset, open_dataset

ROUNDS = 30
TEXTS = (".csv", ".json", ".txt", ".xlsx", ".xml")
PIECES = (
    b"9" * 50,
    b"1e999",
    b"NaN",
    b"-",
    b"null",
    b"\n",
    b'"',
    b"Infinity",
    b"[]",
    b"{}",
    b"\x00",
    b"\xff",
)


def _generic(root: Path) -> Path:
    rows = "images/two.png,A,,,masks/two.png,calc\nthree.dcm,B,10,20,,\n"
    return test_datasets_generic.build(root, f"image,patient,row,col,mask,kind\n{rows}")


BUILDERS: dict[str, Callable[[Path], Path]] = {
    "cbis-ddsm": test_datasets_cbis_ddsm.build,
    "inbreast": test_datasets_inbreast.build,
    "vindr-mammo": test_datasets_vindr.build,
    "cmmd": lambda root: test_datasets_cmmd.add_tompei(test_datasets_cmmd.build(root)),
    "mini-mias": test_datasets_mini_mias.build,
    "generic": _generic,
}


def corrupt(data: bytes, rng: random.Random) -> bytes:
    """Overwrite, cut out, insert or truncate at random places."""
    for _ in range(rng.choice((1, 1, 4))):
        place = rng.randrange(len(data) + 1)
        choice = rng.random()
        if choice < 0.5:
            data = data[:place] + rng.choice(PIECES) + data[place + 1 :]
        elif choice < 0.75:
            data = data[:place] + data[place + rng.choice((1, 5, 100)) :]
        elif choice < 0.9:
            data = data[:place] + rng.choice(PIECES) + data[place:]
        else:
            data = data[:place]
    return data


@pytest.mark.parametrize("name", BUILDERS)
def test_only_own_errors_come_out(tmp_path: Path, name: str) -> None:
    root = BUILDERS[name](tmp_path / "set")
    files = sorted(path for path in root.rglob("*") if path.suffix in TEXTS)
    rng = random.Random(name)
    troubles = 0
    for _ in range(ROUNDS):
        path = rng.choice(files)
        whole = path.read_bytes()
        path.write_bytes(corrupt(whole, rng))
        dataset: Dataset | None = None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", McdetectWarning)
                dataset = open_dataset(name, root)
            for case in dataset:
                case.regions((400, 300))
        except McdetectError:
            troubles += 1
        troubles += len(dataset.problems) if dataset is not None else 0
        path.write_bytes(whole)
    assert troubles > 0  # the damage was met
