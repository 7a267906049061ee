"""Print which share of the changes of the code the tests notice: of all mutants, or of a random sample.

Run in the folder in which ``mutmut run`` was run, once at least, so that the mutants are there::

    mutmut run $(python tests/mutation_shares.py --draw 100 --seed 3 --names)
    python tests/mutation_shares.py --draw 100 --seed 3

The first tries 100 mutants of each part, drawn at random; the second prints what became of these, and of no
others: those that were looked at while tests were written would flatter the share. Without ``--draw`` all
mutants count. It fails when the share of a part may be below 85 %: when the exact lower bound
(Clopper-Pearson, one-sided, 95 %) is, or, where all mutants were tried, the share itself.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from pathlib import Path

from scipy.stats import beta

PARTS = ("clusters/rule.py", "readers/dicom/geometry.py", "pipeline", "runs")
LEAST = 0.85
CONFIDENCE = 0.95
_UNNOTICED = (0, 5, 33, 34)  # exit codes: all tests passed; there were none, twice; left out


def mutants_of(part: str, folder: Path = Path("mutants")) -> dict[str, int | None]:
    """Return the mutants of a file or folder of the package, with the exit code of their tests if tried."""
    found: dict[str, int | None] = {}
    for file in sorted((folder / "mcdetect").rglob("*.py.meta")):
        name = file.relative_to(folder / "mcdetect").as_posix().removesuffix(".meta")
        if name == part or name.startswith(part + "/"):
            found |= json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def drawn(names: list[str], number: int | None, seed: int) -> list[str]:
    """Return so many of the names, drawn without replacement; all of them when there are no more."""
    if number is None or number >= len(names):
        return sorted(names)
    return sorted(random.Random(seed).sample(sorted(names), number))


def lower_bound(killed: int, tried: int, mutants: int) -> float:
    """Return the share of all mutants that is killed at least, from a random sample of them."""
    if tried == 0:
        return 0.0
    if tried == mutants:
        return killed / tried
    return float(beta.ppf(1.0 - CONFIDENCE, killed, tried - killed + 1)) if killed else 0.0


def main(arguments: list[str] | None = None) -> int:
    """Print the names or the table; return 1 when a part is too low, or mutants were not tried."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", default=PARTS, help=f"files and folders, by default {' '.join(PARTS)}"
    )
    parser.add_argument("--draw", type=int, metavar="N", help="only N mutants of each part, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--names", action="store_true", help="print the names of the mutants instead")
    given = parser.parse_args(arguments)
    good = True
    for part in given.parts:
        codes = mutants_of(part)
        sample = drawn(list(codes), given.draw, given.seed)
        if given.names:
            print("\n".join(sample))
            continue
        tried = [code for name in sample if (code := codes[name]) is not None]
        killed = sum(code not in _UNNOTICED for code in tried)
        left = len(sample) - len(tried)
        least = lower_bound(killed, len(tried), len(codes))
        share = killed / len(tried) if tried else 0.0
        good = good and bool(codes) and left == 0 and least >= LEAST
        print(
            f"{part:28} {len(codes):5} mutants {len(tried):5} tried {killed:5} killed {share:6.1%}"
            f", at least {least:6.1%}" + f", {left} not tried" * (left > 0)
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
