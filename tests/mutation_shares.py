"""Print, for each file that the mutation campaign changes, how many of its mutants the tests kill.

Run after ``mutmut run``, in the same folder::

    python tests/mutation_shares.py

Then come the shares of each folder and of all. It fails when one of these lies below 85 %, or when mutants
are left.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

LEAST = 0.85
_SURVIVED, _UNTESTED = 0, (5, 33)  # exit codes of pytest: all tests passed; there were none


def shares(folder: Path) -> list[tuple[str, int, int, int]]:
    """Return name, number of mutants, of killed ones, and of those not tried yet, for each changed file."""
    lines = []
    for file in sorted(folder.rglob("*.py.meta")):
        codes = list(json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].values())
        tried = [code for code in codes if code is not None]
        killed = sum(code not in (_SURVIVED, *_UNTESTED) for code in tried)
        if codes:
            name = file.relative_to(folder).as_posix().removesuffix(".meta")
            lines.append((name, len(tried), killed, len(codes) - len(tried)))
    return lines


def main() -> int:
    """Print the table; return 1 when the share of a folder is too low, or mutants are left."""
    found = shares(Path("mutants"))
    together: dict[str, list[int]] = {}
    for name, *counts in found:
        for group in (f"{name.rpartition('/')[0]}/*", "all"):
            sums = together.setdefault(group, [0, 0, 0])
            together[group] = [a + b for a, b in zip(sums, counts, strict=True)]
    all_together = together.pop("all", [0, 0, 0])
    groups = [*sorted(together.items()), ("all", all_together)]
    for name, (tried, killed, left) in [*((name, counts) for name, *counts in found), *groups]:
        share = f"{killed / tried:6.1%}" if tried else "     -"
        print(f"{name:36} {tried:5} mutants {killed:5} killed {share}" + (f", {left} not tried" * (left > 0)))
    good = all(left == 0 and killed >= LEAST * tried for _, (tried, killed, left) in groups)
    return 0 if found and good else 1


if __name__ == "__main__":
    sys.exit(main())
