"""What each stage is worth: the detector with one stage at a time switched off.

    python benchmarks/ablation.py --models DIR [--record]

Individual score: the fit of benchmarks/fit_spot_model.py is repeated without the stage, on the largest
pixel size of every background (two insertions each), and scored on backgrounds held out; sensitivity for
SNR of at least 5 at 0.1 and 0.4 false marks per cm2, each candidate by its looks alone. "Individual score
off" ranks candidates by their SNR. Whole detector: the insertion study (`insertion.py --quick`) with
context off, and with the score of groups replaced by their number of members; calcifications at the same
rates, groups flagged at the default operating point and found at 0.05 and 0.2 false ones per image.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import fit_spot_model
import insertion
import numpy as np
import numpy.typing as npt
import pandas as pd
from fit_spot_model import Item
from insertion_cases import KINDS, study_backgrounds
from record import recorded
from study_models import StudyModels

import mcdetect
from mcdetect import pipeline
from mcdetect.spots import find as spots
from mcdetect.spots.appearance import FEATURE_NAMES
from mcdetect.validation.evaluation import Evaluation

LINE_FEATURES = ("roundness", "stretch", "line", "arm", "uneven")
OBSERVER_FEATURES = ("body",)


def _without_equalisation(pixels, mask, spacing, config, zero_exposure_level=None):  # type: ignore[no-untyped-def]
    """One noise level for the whole image instead of one for each grey level."""
    inside = pixels[1:][mask[1:]] - pixels[:-1][mask[1:]]
    noise = 1.4826 * float(np.median(np.abs(inside - np.median(inside)))) / np.sqrt(2.0)
    noise = max(noise, 1e-3 * float(np.ptp(pixels[mask])), 1e-6)

    @dataclasses.dataclass
    class Plain:
        pixels: npt.NDArray[np.float32]

    return Plain(np.ascontiguousarray(pixels / np.float32(noise), np.float32))


@contextmanager
def no_equalisation() -> Iterator[None]:
    """Switch noise equalisation off."""
    with mock.patch.object(pipeline, "equalise", _without_equalisation):
        yield


@contextmanager
def no_local_normalisation() -> Iterator[None]:
    """Give every tile the median spread of its band."""
    real: Callable[..., npt.NDArray[np.float32]] = spots._band_spread

    def flat(*args: object) -> npt.NDArray[np.float32]:
        spread = real(*args)
        return np.full_like(spread, np.median(spread))

    with mock.patch.object(spots, "_band_spread", flat):
        yield


def _masked(items: list[Item], names: tuple[str, ...]) -> list[Item]:
    """Features without those whose name begins with one of `names`: they become constant."""
    gone = [k for k, name in enumerate(FEATURE_NAMES) if name.startswith(names)]
    out = []
    for background, spots_ in items:
        features = spots_.features.copy()
        features[:, gone] = 0.0
        out.append((background, dataclasses.replace(spots_, features=features)))
    return out


def individual_score() -> pd.DataFrame:
    """Sensitivity of every variant, by kind of background."""
    backgrounds = list(study_backgrounds(quick=True))
    items = fit_spot_model.gather(2, backgrounds)
    variants: dict[str, tuple[list[Item], list[npt.NDArray[np.float64]]]] = {}

    def fitted(name: str, given: list[Item]) -> None:
        variants[name] = (given, fit_spot_model.held_out(given)[0])

    fitted("full", items)
    fitted("line rejection off", _masked(items, LINE_FEATURES))
    fitted("covariance of the bands off", _masked(items, OBSERVER_FEATURES))
    variants["individual score off"] = (items, [s.snr for _, s in items])
    with no_equalisation():
        other = fit_spot_model.gather(2, backgrounds)
    fitted("noise equalisation off", other)
    variants["noise equalisation and individual score off"] = (other, [s.snr for _, s in other])
    with no_local_normalisation():
        other = fit_spot_model.gather(2, backgrounds)
    fitted("local normalisation off", other)
    variants["local normalisation and individual score off"] = (other, [s.snr for _, s in other])
    rows = []
    for name, (given, scores) in variants.items():
        print(f"## {name}")
        row: dict[str, object] = {"variant": name}
        for kind, figures in fit_spot_model.report(given, scores).items():
            row |= {f"{kind} {at}": figures[f"all at {at}"] for at in (0.1, 0.4)}
        rows.append(row)
    return pd.DataFrame(rows)


def whole_detector(models: StudyModels) -> pd.DataFrame:
    """Calcifications and groups found, and false groups per image without any, of every variant."""
    config = mcdetect.Config()
    alone = config.replace(context_weight=0.0)
    full = insertion.run(models, KINDS, config, quick=True)
    counted = full["clusters"].assign(score=full["clusters"]["n_calcifications"])
    variants = {
        "full": full,
        "context off": insertion.run(models, KINDS, alone, quick=True),
        "score of groups off": {**full, "clusters": counted},
    }
    rows = []
    for name, tables in variants.items():
        for kind in KINDS:
            marks, groups = insertion.calcifications(tables, kind, 0), insertion.groups(tables, kind, 0)
            images = tables["images"]
            images = images[(images["kind"] == kind) & (images["content"] != "groups")]
            false = groups.marks[groups.marks["flagged"] & (groups.marks["status"] == "false")]
            rating = groups.lesions.loc[groups.lesions["counted"], "rating"]
            rows.append(
                {
                    "variant": name,
                    "kind": kind,
                    **{f"found at {at} per cm2": _sensitivity(marks, "cm2", at) for at in (0.1, 0.4)},
                    "groups flagged": float((rating > -np.inf).mean()),
                    "false per image": float(false["image"].isin(images["image"]).sum() / len(images)),
                    **{f"groups at {at}": _sensitivity(groups, "image", at) for at in (0.05, 0.2)},
                }
            )
    return pd.DataFrame(rows)


def _sensitivity(found: Evaluation, unit: str, at: float) -> float:
    table = found.summary[(found.summary["measure"] == "sensitivity") & (found.summary["pool"] == "normal")]
    table = table[(table["by"] == "") & (table["unit"] == unit) & np.isclose(table["at"], at)]
    return float(table["value"].iloc[0])


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of fit_spot_model.py --folds")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    models = StudyModels(options.models)
    with recorded("ablation", keep=options.record):
        for table in (individual_score(), whole_detector(models)):
            print(f"\n{table.to_string(index=False, float_format=lambda v: f'{v:.3f}')}\n", flush=True)


if __name__ == "__main__":
    main()
