"""The results page of a benchmark, and its record for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import mcdetect

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.validation.benchmark.run import BenchmarkReport
    from mcdetect.validation.evaluation import Evaluation

__all__ = ["record", "results_page"]

_MEASURES = {
    "sensitivity": "sensitivity at {at:g}",
    "partial_area": "mean sensitivity up to {at:g}",
    "end_sensitivity": "sensitivity, all marks, at {at:.3g}",
    "jafroc": "JAFROC figure of merit (against normal images)",
    "jafroc1": "JAFROC1 figure of merit (against all images)",
}
_PARTS = {"diameter_mm": "diameter, mm", "snr": "SNR", "dots": "size of mark", "grouping": "grouping"}
_STATUS = {
    "located": "all that the set annotates is located",
    "negative": "the set says that there is none of it",
    "unlocated": "there are some, nobody says where; not evaluated",
    "unknown": "the set does not say; not evaluated",
}
_MOST_FAILURES = 50  # Technical: failures listed on the page; the rest is in failures.csv
_PLOTS = {
    "calcifications": ("froc_per_cm2_all_images.png", "froc_per_image_all_images.png"),
    "clusters": ("froc_per_image_all_images.png",),
}


def record(report: BenchmarkReport, status: str) -> str:
    """Return what was run and found as JSON; no path is named."""
    info = report.dataset.info
    content = {
        "mcdetect": mcdetect.__version__,
        "status": status,
        "dataset": info.name,
        "options": {name: _named(value) for name, value in report.options.items()},
        "split": report.split,
        "limit": report.limit,
        "config": report.config.as_dict(),
        "config_sha256": report.config.digest,
        "jobs": report.jobs,
        "cases": {
            "by_status": dict(report.status),
            "asked": report.chosen,
            "reused": report.reused,
            "processed": report.processed,
            "failed": len(report.failed),
        },
        "notes": report.notes,
        "seconds": {} if report.seconds is None else _times(report.seconds),
        "evaluations": {name: found.to_dict() for name, found in report.evaluations.items()},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _named(value: Any) -> Any:
    """Return an option for the record: of a path, which the command line gives as text, its name."""
    if isinstance(value, str | PurePath):
        return PurePath(value).name or str(value)
    return value if isinstance(value, int | float | None) else str(value)


def _times(seconds: pd.DataFrame) -> dict[str, dict[str, float]]:
    return {
        str(stage): {
            "median": round(float(column.median()), 4),
            "percentile_95": round(float(column.quantile(0.95)), 4),
            "max": round(float(column.max()), 4),
        }
        for stage, column in seconds.items()
    }


def results_page(report: BenchmarkReport, results: Path) -> str:
    """Return the page as Markdown.

    Parameters
    ----------
    report : BenchmarkReport
    results : Path
        Folder of the evaluations, beside which the page will stand.
    """
    info, evaluated = report.dataset.info, 0 if report.seconds is None else len(report.seconds)
    asked = [f"`{name}` = {_cell(_named(value))}" for name, value in report.options.items()]
    asked += [f"split {_cell(report.split)}"] if report.split and "split" not in report.options else []
    asked += [f"the first {report.limit} cases at most"] if report.limit else []
    facts = [
        ("data set", f"{_cell(info.title)} (`{info.name}`)"),
        ("published at", _cell(info.home)),
        ("licence", _cell(info.licence)),
        ("reference", _cell(info.reference)),
        ("truth", _cell(info.truth)),
        ("pixel spacing", _cell(info.spacing)),
        ("options", ", ".join(asked) or "none"),
        ("mcdetect", mcdetect.__version__),
        ("configuration", f"SHA-256 `{report.config.digest}`"),
        ("cases evaluated", f"{evaluated} of {report.chosen} ({report.chosen - evaluated} failed)"),
    ]
    lines = [f"# mcdetect on {_cell(info.name)}", ""]
    lines += _table(("", ""), facts)
    lines += ["", "## Cases", ""]
    status = [(name, str(report.status.get(name, 0)), meaning) for name, meaning in _STATUS.items()]
    lines += _table(("status", "cases", "meaning"), status, "lrl")
    lines += [
        "",
        "An image without calcifications in the truth is normal here; it may hold other findings.",
        "",
    ]
    lines += [f"- {_cell(note)}" for note in report.notes]
    for name, found in report.evaluations.items():
        lines += ["", *_section(name, found, results)]
    lines += ["", *_time_section(report)]
    if report.failed:
        lines += ["", "## Failures", ""]
        rows = [(_cell(file), _cell(str(failure))) for file, failure in report.failed.items()]
        lines += _table(("case or entry", "cause; remedy"), rows[:_MOST_FAILURES])
        if len(rows) > _MOST_FAILURES:
            lines += ["", f"... and {len(rows) - _MOST_FAILURES} more in `failures.csv`."]
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, found: Evaluation, results: Path) -> list[str]:
    options = found.options
    lines = [f"## {options.target.capitalize()}, rule {options.rule_name}", ""]
    lines += _table(("", ""), [(_cell(label), _cell(value)) for label, value in found.describe()])
    if found.notes:
        lines += ["", *(f"- {_cell(note)}" for note in found.notes)]
    amounts = {str(row["pool"]): row for row in found.denominators.to_dict("records")}
    interval = f"{100 * options.confidence:g} % interval"
    for pool in ("all", "normal"):
        for unit in options.units:
            own = found.summary[(found.summary["pool"] == pool) & (found.summary["unit"] == unit)]
            if not len(own):
                continue
            row = amounts[pool]
            amount = f"{row['images']} images" if unit == "image" else f"{row['area_cm2']:,.1f} cm²"
            images = "all images" if pool == "all" else "normal images only"
            title = (
                f"false positives per {'image' if unit == 'image' else 'cm²'}, {images}, divided by {amount}"
            )
            lines += ["", *_table((title, "lesions", "value", interval), _figures(own), "lrrl")]
            parts = own[(own["by"] != "") & ((own["at"] - options.reference(unit)).abs() < 1e-12)]
            if pool == "all" and len(parts):
                title = f"sensitivity at {options.reference(unit):g} of these, by"
                lines += ["", *_table((title, "lesions", "value", interval), _parts(parts), "lrrl")]
    merit = found.summary[found.summary["measure"].str.startswith("jafroc")]
    if len(merit):
        lines += ["", *_table(("figure", "lesions", "value", interval), _figures(merit), "lrrl")]
    for file in _PLOTS[options.target]:
        if (results / name / file).is_file():
            lines += [
                "",
                f"![{options.target}, {options.rule_name}]({quote(f'{results.name}/{name}/{file}')})",
            ]
    lines += ["", f"All figures and curves: `{results.name}/{name}/`."]
    return lines


def _figures(table: pd.DataFrame) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for row in _records(table[table["by"] == ""]):
        if row["measure"] in _MEASURES:
            label = _MEASURES[row["measure"]].format(at=row["at"])
            label += "" if row["reached"] else " (past the end of the curve)"
            rows.append((label, *_values(row)))
    return rows


def _parts(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return [
        (_cell(f"{_PARTS.get(row['by'], row['by'])}: {row['bin']}"), *_values(row)) for row in _records(table)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _values(row: dict[str, Any]) -> tuple[str, str, str]:
    return str(row["lesions"]), _number(row["value"]), _range(row["low"], row["high"])


def _time_section(report: BenchmarkReport) -> list[str]:
    lines = ["## Time per image", ""]
    if report.seconds is None:
        return lines
    rows: list[tuple[str, ...]] = [
        (stage, *(f"{values[name]:.2f}" for name in ("median", "percentile_95", "max")))
        for stage, values in _times(report.seconds).items()
    ]
    lines += _table(("stage", "median, s", "95th percentile, s", "longest, s"), rows, "lrrr")
    text = f"{report.processed} cases were worked on in this run, with --jobs {report.jobs}"
    lines += [
        "",
        f"{text}; {report.reused} were there before. `total` is from pixels to result, without `read`.",
    ]
    return lines


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], align: str = "") -> list[str]:
    rule = ["---:" if mark == "r" else "---" for mark in align.ljust(len(head), "l")]
    return [f"| {' | '.join(cells)} |" for cells in [head, tuple(rule), *rows]]


def _cell(value: object) -> str:
    """Return a text that stays in its cell."""
    return " ".join(str(value).split()).replace("|", "\\|").replace("<", "&lt;")


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _range(low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else f"{low:.3f} to {high:.3f}"
