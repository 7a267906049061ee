"""Write the tables of docs/outputs.md, docs/config.md and docs/features.md from the code that defines them.

Run it after a change of `mcdetect/schema`, `mcdetect/config.py` or
`mcdetect/clusters/features/stability.json`; a test compares the pages.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mcdetect.clusters.features.dictionary import Feature, Level, feature_dictionary, stability_setup
from mcdetect.config import Config
from mcdetect.output.tables import SCHEMAS
from mcdetect.schema import (
    DICOM_COLUMNS,
    INSPECTION,
    MEASURES,
    MODEL_COLUMNS,
    SCHEMA_VERSION,
    SHAPE_MEASURES,
    Column,
)
from mcdetect.schema.spread import BIN_OCTAVES, BIN_SHARE, STATISTICS, has_log_bins

FOLDER = Path(__file__).resolve().parent


def column_table(columns: tuple[Column, ...]) -> str:
    """Return the columns of one table as Markdown."""
    lines = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.dtype} | {c.unit} | {_cell(c.meaning)} |" for c in columns]
    return "\n".join(lines)


def option_table(section: object) -> str:
    """Return the options of one section of the configuration as Markdown."""
    lines = ["| option | default | range | unit | meaning |", "|---|---|---|---|---|"]
    for item in dataclasses.fields(section):  # type: ignore[arg-type]
        meta = item.metadata
        span = f"{meta['low']:g} to {meta['high']:g}"
        lines.append(f"| `{item.name}` | {item.default} | {span} | {meta['unit']} | {_cell(meta['help'])} |")
    return "\n".join(lines)


def feature_table(level: Level) -> str:
    """Return the features of one table as Markdown, without those of the members' variation."""
    variation = {f"{measure}_{name}" for measure in SHAPE_MEASURES for name in STATISTICS}
    changes = "noise / shift / resampling"
    lines = [
        f"| feature | formula | unit | range | missing when | from | on phantoms: {changes} "
        f"| on real images: {changes}{'' if level == 'calcification' else ' / views'} | source "
        "| in other packages |",
        "|---" * 10 + "|",
    ]
    for f in feature_dictionary(level):
        if f.name in variation:
            continue
        cells = (
            *(f.formula, f.unit, f.span, f.missing or "never", "image" if f.from_image else "tables"),
            *(_triple(f.stability), _real(f, level), _link(f.source), f.twin),
        )
        lines.append(f"| `{f.name}` | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def statistics_table() -> str:
    """Return the statistics of a measure of the members as Markdown."""
    lines = ["| statistic | formula | missing when | source | in other packages |", "|---|---|---|---|---|"]
    words = {
        "m": "value",
        "worst": "highest or lowest (below)",
        "extreme": "Maximum or Minimum",
        "bins": "a fixed width (below)",
    }
    for name, what in STATISTICS.items():
        cells = (what.formula.format(**words), what.missing, _link(what.source), what.twin.format(**words))
        lines.append(f"| `{name}` | {' | '.join(map(_cell, cells))} |")
    return "\n".join(lines)


def measures_table() -> str:
    """Return which value of each measure is the worst, and the bins of its entropy, as Markdown."""
    lines = ["| measure | worst | bins of the entropy |", "|---|---|---|"]
    for measure in MEASURES:
        if measure.spread:
            log = has_log_bins(measure.column.unit)
            bins = f"{BIN_OCTAVES:g} in log2" if log else f"{BIN_SHARE:g} from 0, the last with 1"
            lines.append(f"| `{measure.name}` | {measure.worst} | {bins} |")
    return "\n".join(lines)


def unstable_list(level: Level) -> str:
    """Return the unstable features of a table as text."""
    return ", ".join(f"`{f.name}`" for f in feature_dictionary(level) if not f.stable) or "none"


def variation_table(*, real: bool) -> str:
    """Return the stability of the members' variation as Markdown, a row for each measure."""
    known = {f.name: f for f in feature_dictionary("cluster")}
    lines = [
        f"| measure | {' | '.join(f'`{name}`' for name in STATISTICS)} |",
        "|---" * (1 + len(STATISTICS)) + "|",
    ]
    for measure in SHAPE_MEASURES:
        row = [known[f"{measure}_{name}"] for name in STATISTICS]
        cells = [_real(f, "cluster") if real else _triple(f.stability) for f in row]
        lines.append(f"| `{measure}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def setup_text() -> str:
    """Return how the stability was measured."""
    setup = stability_setup()
    again = setup["real"]["found_again"]
    spots, groups = again["calcification"], again["cluster"]
    figures = "; ".join(
        f"{change} {spots[change][0]} of {spots[change][1]} calcifications and "
        f"{groups[change][0]} of {groups[change][1]} flagged groups"
        for change in ("noise", "shift", "resampling")
    )
    return (
        f"Measured by `{setup['made_by']}` on {setup['phantoms']} drawn mammograms with {setup['clusters']} "
        f"groups of {setup['calcifications']} calcifications in all, pixels of {setup['spacing_mm']:g} mm, "
        f"resampled to {setup['resampled_to_mm']:g} mm. On real images were found again: {figures}; "
        f"{groups['views'][0]} pairs of groups in two views."
    )


def blocks() -> dict[str, str]:
    """Return every generated block by the name it has in the pages."""
    found = {f"table {name}": column_table(columns) for name, columns in SCHEMAS.items()}
    found["table model columns"] = column_table(MODEL_COLUMNS)
    found["table dicom columns"] = column_table(DICOM_COLUMNS)
    found["table inspection"] = column_table(INSPECTION)
    config = Config()
    for section in dataclasses.fields(config):
        found[f"options {section.name}"] = option_table(getattr(config, section.name))
    for level in ("calcification", "cluster"):
        found[f"features {level}"] = feature_table(level)
    found["features statistics"] = statistics_table()
    found["features measures"] = measures_table()
    found["features variation"] = variation_table(real=False)
    found["features real variation"] = variation_table(real=True)
    for level in ("calcification", "cluster"):
        found[f"features unstable {level}"] = unstable_list(level)
    found["stability setup"] = setup_text()
    found["schema version"] = f"Schema version: **{SCHEMA_VERSION}**"
    return found


def fill(page: str) -> str:
    """Return a page with its generated blocks brought up to date."""
    known = blocks()

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- begin {name} -->\n{known[name]}\n<!-- end {name} -->"

    return re.sub(
        r"<!-- begin (?P<name>[\w ]+) -->\n.*?<!-- end (?P=name) -->", replace, page, flags=re.DOTALL
    )


def _triple(correlations: tuple[str, ...]) -> str:
    return " / ".join(icc or "–" for icc in correlations)


def _real(feature: Feature, level: Level) -> str:
    shown = feature.real_stability[: 3 if level == "calcification" else 4]
    return _triple(shown) + ("" if feature.stable else " ✗")


def _link(source: str) -> str:
    for prefix, address in (("doi:", "https://doi.org/"), ("arXiv:", "https://arxiv.org/abs/")):
        if source.startswith(prefix):
            return f"[{source}]({address}{source.removeprefix(prefix)})"
    return source


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Bring every page up to date."""
    for page in sorted(FOLDER.glob("*.md")):
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
