"""What an evaluation found, and its files."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import mcdetect
from mcdetect.output.csv import as_text
from mcdetect.validation.evaluation.options import Options
from mcdetect.validation.evaluation.rjafroc import RJAFROC, case_table, write_rjafroc
from mcdetect.validation.evaluation.tally import Tally
from mcdetect.validation.evaluation.xlsx import MissingExcelError

__all__ = ["Evaluation"]

logger = logging.getLogger(__name__)

FORMAT = "1.0"


@dataclass(frozen=True)
class Evaluation:
    """The figures of one detector, or of two on the same images.

    Attributes
    ----------
    options : Options
    names : tuple of str
        Of the detectors.
    summary : DataFrame
        One row per figure: detector, measure, by, bin, lesions, pool, unit, at, value, low, high,
        threshold, reached (false where the curve ends before `at`).
    froc : DataFrame
        Curves: detector, pool, unit, false_positives, threshold, sensitivity, low, high.
    differences : DataFrame or None
        First less second detector: measure, by, bin, lesions, pool, unit, at, value, other, difference, low,
        high, p_value.
    denominators : DataFrame
        What false positives are divided by: pool, images, area_cm2, patients.
    lesions : DataFrame
        The truth, with the rating by the first detector (minus infinity when missed).
    marks : DataFrame
        The first detector's marks with their status: true mark, false mark or not counted.
    images : DataFrame
        image, normal, patient (a number).
    tallies : tuple of Tally
        Ratings of every detector.
    notes : tuple of str
        What had to be assumed.
    """

    options: Options
    names: tuple[str, ...]
    summary: pd.DataFrame
    froc: pd.DataFrame
    differences: pd.DataFrame | None
    denominators: pd.DataFrame
    lesions: pd.DataFrame
    marks: pd.DataFrame
    images: pd.DataFrame
    tallies: tuple[Tally, ...]
    notes: tuple[str, ...]

    def value(
        self,
        measure: str = "sensitivity",
        *,
        at: float | None = None,
        unit: str = "cm2",
        pool: str = "all",
        detector: str | None = None,
        bin: str = "",
    ) -> float:
        """Return one figure.

        Parameters
        ----------
        measure : str
            As in `summary`.
        at : float, optional
            Rate or limit; needed where several were asked for.
        unit : {"cm2", "image"}
        pool : {"all", "normal"}
        detector : str, optional
            The first one unless named.
        bin : str
            Part of the lesions.
        """
        table = self.summary
        chosen = table[
            (table["detector"] == (detector or self.names[0]))
            & (table["measure"] == measure)
            & (table["bin"] == bin)
        ]
        if not measure.startswith("jafroc"):
            chosen = chosen[(chosen["unit"] == unit) & (chosen["pool"] == pool)]
        if at is not None:
            chosen = chosen[(chosen["at"] - at).abs() < 1e-9]
        if len(chosen) != 1:
            raise ValueError(f"{len(chosen)} figures fit; the summary lists what there is")
        return float(chosen["value"].iloc[0])

    def describe(self) -> list[tuple[str, str]]:
        """Return what was evaluated and how, as pairs of name and value."""
        options, counted = self.options, int(self.lesions["counted"].sum()) if len(self.lesions) else 0
        rows = [
            ("target", options.target),
            ("matching", f"{options.rule_name}: {options.rule_meaning}"),
            ("truth", f"{counted} {options.target} count, {len(self.lesions) - counted} do not"),
        ]
        if options.min_snr is not None:
            rows.append(("truth at least", f"SNR {options.min_snr:g}"))
        if options.target == "clusters":
            rows.append(("truth at least", f"{options.min_members} members, where members are known"))
        status = Counter(self.marks["status"].tolist() if len(self.marks) else [])
        rows.append(
            (
                "marks",
                f"{status['true mark']} true, {status['false mark']} false, "
                f"{status['not counted']} not counted",
            )
        )
        for row in self.denominators.to_dict("records"):
            area = f", {row['area_cm2']:,.1f} cm² of breast" if row["area_cm2"] > 0 else ""
            rows.append(
                (
                    f"false positives, {row['pool']} images",
                    f"divided by {row['images']} images{area} ({row['patients']} patients)",
                )
            )
        if options.samples:
            text = f"{100 * options.confidence:g} % by {options.samples} bootstrap samples of patients"
            rows.append(("intervals", f"{text}, seed {options.seed}"))
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return everything but curves, marks and lesions, ready for JSON."""
        return {
            "format": FORMAT,
            "mcdetect": mcdetect.__version__,
            "detectors": list(self.names),
            "options": {
                **dataclasses.asdict(self.options),
                "rule": self.options.rule_name,
                "rule_meaning": self.options.rule_meaning,
            },
            "about": [{"name": name, "value": value} for name, value in self.describe()],
            "denominators": _records(self.denominators),
            "summary": _records(self.summary),
            "differences": None if self.differences is None else _records(self.differences),
            "notes": list(self.notes),
        }

    def save(self, folder: str | Path, *, plots: bool = True, matches: bool = False) -> list[Path]:
        """Write results.json, froc.csv, summary.csv, rjafroc.xlsx and the plots.

        Without XlsxWriter the workbook for RJafroc is left out, with a warning in the log.

        Parameters
        ----------
        folder : path-like
            Made if needed; files of an earlier evaluation are replaced.
        plots : bool
            Draw the curves (needs matplotlib).
        matches : bool
            Also write every mark and every lesion with its verdict.

        Returns
        -------
        list of Path
            What was written.
        """
        if plots:
            from mcdetect.validation.evaluation.plots import require_matplotlib

            require_matplotlib()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        (folder / "results.json").write_text(text + "\n", encoding="utf-8")
        written = [folder / "results.json"]
        tables = {"summary.csv": self.summary, "froc.csv": self.froc}
        if self.differences is not None:
            tables["differences.csv"] = self.differences
        if matches:
            tables |= {"marks.csv": self.marks, "lesions.csv": self.lesions}
        tables["rjafroc_cases.csv"] = case_table(self.tallies[0])
        for name, table in tables.items():
            digits = "%.9g" if name in ("marks.csv", "lesions.csv") else "%.6g"  # positions in more
            as_text(table).to_csv(folder / name, index=False, float_format=digits, lineterminator="\n")
            written.append(folder / name)
        workbook = folder / RJAFROC
        try:
            write_rjafroc(workbook, self.tallies)
            written.append(workbook)
        except MissingExcelError as error:
            workbook.unlink(missing_ok=True)
            logger.warning("%s is left out: %s", RJAFROC, error)
        if plots:
            from mcdetect.validation.evaluation.plots import save_plots

            written += save_plots(self, folder)
        return written


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _plain(v) for k, v in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
