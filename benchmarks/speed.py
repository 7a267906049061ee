"""`python -m benchmarks speed` as a file that can be run: `python benchmarks/speed.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from benchmarks.measurement.speed import main

    main()
