"""Insertion study: calcifications of exact truth in real backgrounds that the model did not see.

    python -m benchmarks spot_model --report --folds DIR
    python -m benchmarks insertion --models DIR [--record] [--out DIR] [--kinds digital film ...]

What is inserted, and where: insertion_cases.py (fixed seeds, other than those of the fit).
Each background is scored by the model whose fit held it out: for film the one that saw only the other
patient, for the digital exam the one that saw only the other view. All figures come from
`mcdetect.validation.evaluation`: calcifications by the rule hdogreg, of SNR of at least 5 (fainter ones count
neither way), false positives per cm2 on the plain images; groups of at least five such members by
centroid, false groups per plain or singles image. Intervals: 1,000 bootstrap samples of backgrounds. At
the default operating point false marks and false flagged groups are counted too. What a background has of
its own (native_calcifications.csv) counts neither way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

import mcdetect
from benchmarks.common.backgrounds import EVERY, Choice
from benchmarks.common.command import Command, choice_of, finish
from benchmarks.common.fold_models import FoldModels
from benchmarks.common.record import RESULTS, Recorder
from benchmarks.detection.insertion_cases import KINDS, study_cases
from mcdetect.validation.evaluation import FALSE_MARK, Evaluation, evaluate

MIN_SNR = 5.0


def detected(
    models: FoldModels,
    kinds: tuple[str, ...],
    config: mcdetect.Config,
    *,
    quick: bool,
    choice: Choice = EVERY,
) -> dict[str, pd.DataFrame]:
    """Detect in every image of the study; tables with the column `kind` added."""
    tables: dict[str, list[pd.DataFrame]] = {
        "candidates": [],
        "calcifications": [],
        "clusters": [],
        "truth": [],
    }
    images = []
    for case in study_cases(kinds, quick=quick, choice=choice):
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
        rule="centroid_many",
        min_snr=MIN_SNR,
        rates_per_image=(0.05, 0.2, 0.5),
        samples=samples,
    )


def add_figures(
    recorder: Recorder, tables: dict[str, pd.DataFrame], kinds: Sequence[str], samples: int, out: Path | None
) -> dict[str, dict[str, pd.DataFrame]]:
    """Add the figures of every kind of image, and return their curves."""
    images = tables["images"]
    recorder.add("images", len(images), "count")
    recorder.add("seconds per image", float(images["seconds"].median()), "s")
    curves: dict[str, dict[str, pd.DataFrame]] = {"cm2": {}, "image": {}}
    for kind in kinds:
        if not (images["kind"] == kind).any():
            continue
        single, group = calcifications(tables, kind, samples), groups(tables, kind, samples)
        for name, part in (("all", ""), ("grouped", "in a cluster"), ("singles", "single")):
            for rate in (0.1, 0.4):
                _add_sensitivity(recorder, "sensitivity", single, "cm2", rate, part, kind=kind, part=name)
        _add_merit(recorder, "JAFROC", single, kind)
        for rate in (0.05, 0.2):
            _add_sensitivity(recorder, "groups found", group, "image", rate, "", kind=kind)
        flagged = group.lesions.loc[group.lesions["counted"], "rating"] > -np.inf
        recorder.add("groups flagged", float(flagged.mean()), "share", kind=kind)
        _add_merit(recorder, "groups JAFROC", group, kind)
        _add_at_default(recorder, images, kind, single.marks, group.marks)
        curves["cm2"][kind], curves["image"][kind] = single.froc, group.froc
        if out is not None:
            for name, found in (("calcifications", single), ("groups", group)):
                found.save(out / f"{name} {kind}".replace(" ", "_"))
    return curves


def _add_sensitivity(
    recorder: Recorder, name: str, found: Evaluation, unit: str, at: float, bin: str, **labels: str
) -> None:
    table = found.summary[(found.summary["measure"] == "sensitivity") & (found.summary["pool"] == "normal")]
    rows = table[(table["bin"] == bin) & (table["unit"] == unit) & ((table["at"] - at).abs() < 1e-9)]
    for row in rows.to_dict("records"):  # one, or none where there is no such calcification
        recorder.add(name, row["value"], "share", low=row["low"], high=row["high"], labels=labels, at=at)


def _add_merit(recorder: Recorder, name: str, found: Evaluation, kind: str) -> None:
    for value in found.summary.loc[found.summary["measure"] == "jafroc", "value"]:
        recorder.add(name, float(value), kind=kind)


def _add_at_default(
    recorder: Recorder, images: pd.DataFrame, kind: str, marks: pd.DataFrame, groups: pd.DataFrame
) -> None:
    """Add what is false at the default operating point; the backgrounds' own calcifications are not."""
    least = mcdetect.Config().calcifications.min_score
    marks = marks[(marks["status"] == FALSE_MARK) & (marks["score"] >= least)]
    groups = groups[(groups["status"] == FALSE_MARK) & groups["flagged"]]
    for content in ("plain", "singles"):
        part = images[(images["kind"] == kind) & (images["content"] == content)]
        wrong = int(groups["image"].isin(part["image"]).sum())
        recorder.add("false groups", wrong / len(part), "per image", kind=kind, content=content)
        if content == "plain":
            false = int(marks["image"].isin(part["image"]).sum())
            recorder.add("false marks per image", false / len(part), "per image", kind=kind)
            recorder.add("false marks per cm²", false / float(part["area_cm2"].sum()), "per cm²", kind=kind)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("insertion", __doc__, models=True)
    command.trial_option("--kinds", nargs="+", choices=KINDS, default=KINDS, help="of image")
    command.trial_option("--quick", action="store_true", help="one pixel size of each real background")
    command.choose_backgrounds()
    command.parser.add_argument("--samples", type=int, default=1000, help="bootstrap samples")
    command.parser.add_argument("--out", type=Path, metavar="DIR", help="write the whole evaluations here")
    options, recorder = command.parse(arguments)
    tables = detected(
        FoldModels(options.models),
        tuple(options.kinds),
        mcdetect.Config(),
        quick=options.quick,
        choice=choice_of(options),
    )
    curves = add_figures(recorder, tables, options.kinds, options.samples, options.out)
    finish(recorder, options)
    if options.record:
        _plot(curves, RESULTS / "insertion_froc.png")


if __name__ == "__main__":
    main()
