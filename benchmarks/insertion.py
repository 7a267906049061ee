"""Insertion study: calcifications of exact truth in real backgrounds that the model did not see.

    python benchmarks/fit_spot_model.py --report --folds DIR
    python benchmarks/insertion.py --models DIR [--record] [--out DIR] [--kinds digital film ...]

What is inserted, and where: benchmarks/insertion_cases.py (fixed seeds, other than those of the fit).
Each background is scored by the model whose fit held it out: for film the one that saw only the other
patient, for the digital exam the one that saw only the other view. All figures come from
`mcdetect.validation.evaluation`: calcifications by the rule hdogreg, of SNR of at least 5 (fainter ones count
neither way), false positives per cm2 on the plain images; groups of at least five such members by
centroid, false groups per plain or singles image. Intervals: 1,000 bootstrap samples of backgrounds. At
the default operating point false marks and false flagged groups are printed too. What a background has of
its own (native_calcifications.csv) counts neither way.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from insertion_cases import KINDS, study_cases
from record import RESULTS, recorded
from study_models import StudyModels

import mcdetect
from mcdetect.validation.evaluation import Evaluation, evaluate

MIN_SNR = 5.0


def run(
    models: StudyModels, kinds: tuple[str, ...], config: mcdetect.Config, *, quick: bool
) -> dict[str, pd.DataFrame]:
    """Detect in every image of the study; tables with the column `kind` added."""
    tables: dict[str, list[pd.DataFrame]] = {
        "candidates": [],
        "calcifications": [],
        "clusters": [],
        "truth": [],
    }
    images = []
    for case in study_cases(kinds, quick=quick):
        start = time.perf_counter()
        result = mcdetect.detect(
            case.mammogram, config=config, spot_model=models.for_background(case.background)
        )
        spacing = case.mammogram.spacing.row_mm
        images.append(
            {
                "image": case.name,
                "patient": case.background,
                "kind": case.kind,
                "content": case.content,
                "spacing_mm": spacing,
                "area_cm2": float(np.count_nonzero(result.breast.searched)) * spacing**2 / 100.0,
                "normal": case.content == "plain",
                "n_marks": len(result.calcifications),
                "n_flagged": len(result.flagged),
                "seconds": time.perf_counter() - start,
            }
        )
        tables["candidates"].append(result.candidates)
        tables["calcifications"].append(result.calcifications)
        tables["clusters"].append(result.clusters)
        tables["truth"].append(case.truth)
        for name in tables:
            tables[name][-1] = tables[name][-1].assign(kind=case.kind, content=case.content)
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    joined["truth"] = joined["truth"].fillna({"ignore": 0})
    joined["images"] = pd.DataFrame(images)
    print(f"{len(images)} images, median {joined['images']['seconds'].median():.2f} s", flush=True)
    return joined


def calcifications(tables: dict[str, pd.DataFrame], kind: str, samples: int) -> Evaluation:
    """Evaluate the calcifications of one kind of image."""
    chosen = {name: table[table["kind"] == kind] for name, table in tables.items()}
    return evaluate(
        chosen["candidates"][["file", "row_px", "col_px", "score"]],
        chosen["truth"].drop(columns=["kind", "content"]),
        chosen["images"][["image", "patient", "spacing_mm", "area_cm2", "normal"]],
        min_snr=MIN_SNR,
        rates_per_cm2=(0.1, 0.4),
        samples=samples,
    )


def groups(tables: dict[str, pd.DataFrame], kind: str, samples: int) -> Evaluation:
    """Evaluate flagged groups; images without an inserted group are the negatives."""
    chosen = {name: table[table["kind"] == kind] for name, table in tables.items()}
    truth = chosen["truth"]
    truth = truth[(truth["ignore"] == 1) | (truth.get("cluster", "") != "")]
    images = chosen["images"]
    bare = images.loc[~images["image"].isin(truth["image"]), ["image"]]
    return evaluate(
        chosen["clusters"].drop(columns=["kind", "content"]),
        pd.concat([truth.drop(columns=["kind", "content"]), bare], ignore_index=True),
        images[["image", "patient", "spacing_mm"]].assign(normal=images["content"] != "groups"),
        target="clusters",
        rule="centroid",
        min_snr=MIN_SNR,
        rates_per_image=(0.05, 0.2, 0.5),
        samples=samples,
    )


def _figure(found: Evaluation, unit: str, at: float, part: str = "") -> str:
    table = found.summary[(found.summary["measure"] == "sensitivity") & (found.summary["pool"] == "normal")]
    row = table[(table["bin"] == part) & (table["unit"] == unit) & ((table["at"] - at).abs() < 1e-9)].iloc[0]
    return f"{row['value']:.3f} ({row['low']:.3f}-{row['high']:.3f})"


def _merit(found: Evaluation) -> str:
    row = found.summary[found.summary["measure"] == "jafroc"]
    return f"{row.iloc[0]['value']:.3f}" if len(row) else "-"


def _at_default(
    images: pd.DataFrame, kind: str, marks: pd.DataFrame, groups: pd.DataFrame
) -> dict[str, object]:
    """What is false at the default operating point; the backgrounds' own calcifications are not."""
    marks = marks[
        (marks["status"] == "false") & (marks["score"] >= mcdetect.Config().calcifications.min_score)
    ]
    groups = groups[(groups["status"] == "false") & groups["flagged"]]
    row: dict[str, object] = {}
    for content in ("plain", "singles"):
        part = images[(images["kind"] == kind) & (images["content"] == content)]
        row[f"false groups per {content}"] = f"{groups['image'].isin(part['image']).sum() / len(part):.3f}"
        if content == "plain":
            false = marks["image"].isin(part["image"]).sum()
            row["false marks per plain"] = f"{false / len(part):.2f}"
            row["false marks per cm2"] = f"{false / part['area_cm2'].sum():.3f}"
    return row


def report(
    tables: dict[str, pd.DataFrame], kinds: tuple[str, ...], samples: int, out: Path | None
) -> dict[str, dict[str, pd.DataFrame]]:
    """Print the figures of every kind of image and return their curves."""
    rows = []
    curves: dict[str, dict[str, pd.DataFrame]] = {"cm2": {}, "image": {}}
    for kind in kinds:
        if not (tables["images"]["kind"] == kind).any():
            continue
        row: dict[str, object] = {"kind": kind}
        found = calcifications(tables, kind, samples)
        for name, part in (("all", ""), ("grouped", "in a cluster"), ("singles", "single")):
            row |= {f"{name} at {rate}": _figure(found, "cm2", rate, part) for rate in (0.1, 0.4)}
        row["JAFROC"] = _merit(found)
        curves["cm2"][kind] = found.froc
        if out is not None:
            found.save(out / f"calcifications {kind}".replace(" ", "_"))
        marks = found.marks
        found = groups(tables, kind, samples)
        row |= {f"groups at {rate}": _figure(found, "image", rate) for rate in (0.05, 0.2)}
        row["groups flagged"] = (
            f"{(found.lesions.loc[found.lesions['counted'], 'rating'] > -np.inf).mean():.3f}"
        )
        row["groups JAFROC"] = _merit(found)
        curves["image"][kind] = found.froc
        if out is not None:
            found.save(out / f"groups {kind}".replace(" ", "_"))
        row |= _at_default(tables["images"], kind, marks, found.marks)
        rows.append(row)
    table = pd.DataFrame(rows)
    print(table.set_index("kind").T.to_string(), flush=True)
    return curves


def _plot(curves: dict[str, dict[str, pd.DataFrame]], path: Path) -> None:
    """Draw the curves of every kind with their intervals: calcifications, and groups."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    titles = {
        "cm2": ("calcifications of SNR ≥ 5", "false positives per cm² of plain images", (0.01, 5.0)),
        "image": ("groups of ≥ 5 of SNR ≥ 5", "false groups per image without group", (0.005, 2.0)),
    }
    for axes, (unit, by_kind) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        for kind, froc in by_kind.items():
            table = froc[(froc["pool"] == "normal") & (froc["unit"] == unit)]
            x = table["false_positives"].clip(lower=1e-4)
            (line,) = axes.step(x, table["sensitivity"], where="post", label=kind)
            axes.fill_between(x, table["low"], table["high"], step="post", alpha=0.15, color=line.get_color())
        title, label, limits = titles[unit]
        axes.set(
            xscale="log", xlim=limits, ylim=(0.5, 1.005), title=title, ylabel="sensitivity", xlabel=label
        )
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of fit_spot_model.py --folds")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--quick", action="store_true", help="one pixel size of each real background")
    parser.add_argument("--samples", type=int, default=1000, help="bootstrap samples")
    parser.add_argument("--out", type=Path, help="write the whole evaluations here")
    parser.add_argument("--record", action="store_true", help="keep what is printed in results/")
    options = parser.parse_args()
    with recorded("insertion", keep=options.record):
        kinds = tuple(options.kinds)
        tables = run(StudyModels(options.models), kinds, mcdetect.Config(), quick=options.quick)
        curves = report(tables, kinds, options.samples, options.out)
    if options.record:
        _plot(curves, RESULTS / "insertion_froc.png")


if __name__ == "__main__":
    main()
