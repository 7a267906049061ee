"""``mcdetect evaluate``: detections against truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mcdetect.cli.exits import written, wrong_usage
from mcdetect.cli.options import NoPlots, Seed

__all__ = ["evaluate"]


class Target(StrEnum):
    """What is evaluated."""

    calcifications = "calcifications"
    clusters = "clusters"


class Names(StrEnum):
    """How image names are compared."""

    exact = "exact"
    stem = "stem"


class Pool(StrEnum):
    """Which false positives are shown."""

    all = "all"
    normal = "normal"
    both = "both"


def _numbers(text: str | None, option: str) -> tuple[float, ...] | None:
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter(f"{option}: write numbers with commas between, such as 0.1,0.4,1") from None


def _mapping(pairs: list[str] | None, option: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in ",".join(pairs or []).split(","):
        name, sign, column = pair.partition("=")
        if pair and not (sign and name and column):
            raise typer.BadParameter(f"{option}: write NAME=COLUMN, such as x=centre_col")
        if pair:
            found[name.strip()] = column.strip()
    return found


def evaluate(
    detections: Annotated[
        Path,
        typer.Argument(
            metavar="DETECTIONS",
            help="Output folder of detect, or a table (CSV, Parquet) with image, x (column), y (row), score.",
        ),
    ],
    truth: Annotated[
        Path, typer.Option("--truth", "-t", metavar="FILE", help="Truth: points, boxes or circles in pixels.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="OUT", help="Folder for results, curves and plots.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Images with spacing, breast area and patient. [default: images.csv of the folder given]",
        ),
    ] = None,
    target: Annotated[
        Target, typer.Option(help="What is evaluated.", show_default=True)
    ] = Target.calcifications,
    rule: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Matching rule: hdogreg (default), calcdet, lenient; "
            "for clusters kallergi1999 (default), centroid, dbtex; with _many, a group may find several.",
        ),
    ] = None,
    members: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Calcifications of the detected clusters. [default: calcifications.csv of the folder given]",
        ),
    ] = None,
    versus: Annotated[
        Path | None,
        typer.Option(
            metavar="OTHER", help="Detections of another detector, for the difference. Same columns."
        ),
    ] = None,
    versus_members: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Calcifications of its clusters.")
    ] = None,
    false_positives: Annotated[
        Pool, typer.Option(help="Images whose false positives are shown; the files hold both.")
    ] = Pool.all,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=COLUMN", help="Where a detections column is called otherwise; repeatable."
        ),
    ] = None,
    truth_columns: Annotated[
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="The same for the truth.")
    ] = None,
    names: Annotated[
        Names, typer.Option(help="Compare whole image names, or without folder and extension.")
    ] = Names.exact,
    pixel_spacing: Annotated[
        float | None, typer.Option(metavar="MM", help="Pixel spacing of images for which no table gives one.")
    ] = None,
    min_snr: Annotated[
        float | None, typer.Option(metavar="SNR", help="True calcifications of lower SNR do not count.")
    ] = None,
    min_members: Annotated[
        int, typer.Option(metavar="N", help="True clusters of fewer calcifications do not count.")
    ] = 5,
    all_groups: Annotated[
        bool, typer.Option("--all-groups", help="Take groups that are not flagged, too.")
    ] = False,
    rates_per_image: Annotated[
        str | None, typer.Option(metavar="R,R,...", help="False positives per image to report at.")
    ] = None,
    rates_per_cm2: Annotated[
        str | None,
        typer.Option("--rates-per-cm2", metavar="R,R,...", help="False positives per cm² to report at."),
    ] = None,
    limit_per_image: Annotated[
        float | None, typer.Option(metavar="R", help="Where the partial area ends, per image.")
    ] = None,
    limit_per_cm2: Annotated[
        float | None,
        typer.Option("--limit-per-cm2", metavar="R", help="Where the partial area ends, per cm²."),
    ] = None,
    samples: Annotated[int, typer.Option(metavar="N", help="Bootstrap samples of patients.")] = 1000,
    seed: Seed = 0,
    no_plots: NoPlots = False,
    matches: Annotated[
        bool, typer.Option("--matches", help="Also write every mark and every lesion with its verdict.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no table.")] = False,
) -> None:
    """Measure detections against truth: FROC, sensitivity by size, JAFROC, with intervals over patients.

    Exit code 0: all well; 1: the results cannot be written; 2: wrong usage or unusable tables.
    """
    from rich.console import Console

    from mcdetect.cli.console import log_to, one_line, output_console
    from mcdetect.cli.figures import print_evaluation
    from mcdetect.validation.evaluation import TableError
    from mcdetect.validation.evaluation.folders import evaluate_files
    from mcdetect.validation.evaluation.plots import MissingPlotsError, require_matplotlib
    from mcdetect.validation.evaluation.rjafroc import RJAFROC
    from mcdetect.validation.evaluation.xlsx import MissingExcelError

    log_to(Console(stderr=True), verbose=0, quiet=True)
    with wrong_usage(TableError, ValueError, MissingPlotsError):
        if out is not None and not no_plots:
            require_matplotlib()
        found = evaluate_files(
            detections,
            truth,
            images,
            members=members,
            versus=versus,
            versus_members=versus_members,
            columns=_mapping(columns, "--columns"),
            truth_columns=_mapping(truth_columns, "--truth-columns"),
            target=target.value,
            rule=rule,
            rates_per_image=_numbers(rates_per_image, "--rates-per-image"),
            rates_per_cm2=_numbers(rates_per_cm2, "--rates-per-cm2"),
            limit_per_image=limit_per_image,
            limit_per_cm2=limit_per_cm2,
            min_snr=min_snr,
            min_members=min_members,
            flagged_only=not all_groups,
            spacing_mm=pixel_spacing,
            name_match=names.value,
            samples=samples,
            seed=seed,
        )
    if not quiet:
        pools = ("all", "normal") if false_positives is Pool.both else (false_positives.value,)
        print_evaluation(output_console(), found, pools)
    if out is None:
        return
    with written():
        files = found.save(out, plots=not no_plots, matches=matches)
    if not quiet:
        if out / RJAFROC not in files:
            left_out = f"{RJAFROC} is left out: {MissingExcelError()}"
            output_console().print(left_out, markup=False, soft_wrap=True)
        output_console().print(f"results in {one_line(str(out))}", markup=False, soft_wrap=True)
