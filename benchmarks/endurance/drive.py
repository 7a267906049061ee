"""One run with the stand-in, which the soak kills: `python -m benchmarks.endurance.drive IN OUT`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.endurance.standin import work
from benchmarks.endurance.standin_pairs import compare
from mcdetect.output.lock import OutputError
from mcdetect.runs import run_batch
from mcdetect.runs.pairs import compare_folders
from mcdetect.runs.store import DiskFullError

__all__ = ["main"]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--prior", type=Path, help="compare this folder with IN")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=10.0)
    options = parser.parse_args()
    limits = {"jobs": options.jobs, "timeout_s": options.timeout, "memory_gb": 8.0}
    try:
        if options.prior is not None:
            found = compare_folders(options.prior, options.source, options.out, work=compare, **limits)
            print(f"{found.compared} compared", "interrupted" if found.interrupted else "complete")
            return
        report = run_batch(
            [options.source],
            options.out,
            candidates=True,
            work=work,
            **limits,
        )
    except (DiskFullError, OutputError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    print(f"{len(report.images)} settled", "interrupted" if report.interrupted else "complete")


if __name__ == "__main__":
    main()
