"""Fit the individual score of spots of digital images and write mcdetect/models/spot_model_digital.json.

    python -m benchmarks spot_model_digital            # fit, report held-out figures, write the model
    python -m benchmarks spot_model_digital --report   # held-out figures only
    python -m benchmarks spot_model_digital --folds DIR   # also write the models of the folds

On real digital mammograms (../shared/data/real) with what readers marked in them, and with insertions
(real_spots.py), beside the digital exam and the phantoms of spot_model.py. Each figure comes from a model
that never saw the woman; the women are dealt out to as many folds as views and halves of phantoms make.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common.fold_models import DIGITAL_INDEX
from benchmarks.fit import real_spots, spot_model

__all__ = ["KINDS", "main"]

KINDS = ("digital", "phantom", real_spots.KIND, real_spots.SCREENING)

RATE_PER_CM2 = 0.06
"""False marks per cm2 at score 0.5, where readers marked all: as many as the general model lets pass."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    target = spot_model.MODELS / "spot_model_digital.json"
    spot_model.run(
        "spot_model_digital",
        __doc__,
        target,
        KINDS,
        arguments,
        rate_per_cm2=RATE_PER_CM2,
        index_name=DIGITAL_INDEX,
    )


if __name__ == "__main__":
    main()
