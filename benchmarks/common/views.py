"""Tables of a run's figures, for the terminal and for pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.common.record import Figure, Label, Run

__all__ = ["Across", "Column", "View", "shown", "to_markdown", "to_text"]

FORMS = {
    "share": ".3f",
    "count": ",d",
    "mm": ".2f",
    "cm²": ",.0f",
    "per cm²": ".3f",
    "per image": ".3f",
    "s": ".2f",
    "ms": ".1f",
    "MiB": ",.0f",
    "index": ".1f",
    "": ".3f",
}
"""How numbers of each unit are written."""


@dataclass(frozen=True)
class Column:
    """Figures of one name.

    Attributes
    ----------
    heading : str
    figure : str
        Their name.
    where : mapping of str to str, int or float
        Labels they have, beside those that tell the rows apart.
    form : str
        Format of their numbers, empty for that of the unit.
    """

    heading: str
    figure: str
    where: Mapping[str, Label] = field(default_factory=dict)
    form: str = ""


@dataclass(frozen=True)
class Across:
    """One column for every value of a label; `by` is the label, others as in `Column`."""

    figure: str
    by: str
    where: Mapping[str, Label] = field(default_factory=dict)
    form: str = ""
    heading: str = "{}"


@dataclass(frozen=True)
class View:
    """A table of figures.

    Attributes
    ----------
    title : str
    columns : tuple of Column or Across
    down : tuple of str
        Labels that tell the rows apart; none for one row.
    turned : bool
        Show the columns as rows.
    """

    title: str
    columns: tuple[Column | Across, ...]
    down: tuple[str, ...] = ()
    turned: bool = False

    def expanded(self, run: Run) -> list[Column]:
        """Return the columns, one for every value of those that run across."""
        found: list[Column] = []
        for column in self.columns:
            if isinstance(column, Column):
                found.append(column)
                continue
            labels = {column.by, *column.where, *self.down}
            values = dict.fromkeys(
                f.labels[column.by]
                for f in run.figures
                if f.name == column.figure and set(f.labels) == labels and _has(f, column.where)
            )
            found += [
                Column(
                    column.heading.format(value),
                    column.figure,
                    {**column.where, column.by: value},
                    column.form,
                )
                for value in values
            ]
        return found

    def _cells(self, run: Run) -> Iterator[tuple[tuple[Label, ...], int, str]]:
        columns = self.expanded(run)
        for figure in run.figures:
            for number, column in enumerate(columns):
                labels = {*column.where, *self.down}
                if (
                    figure.name == column.figure
                    and set(figure.labels) == labels
                    and _has(figure, column.where)
                ):
                    yield tuple(figure.labels[name] for name in self.down), number, shown(figure, column.form)

    def fits(self, run: Run) -> bool:
        """Tell whether the run has any of the figures."""
        return next(self._cells(run), None) is not None

    def table(self, run: Run) -> list[list[str]]:
        """Return the cells, headings first; columns without any figure are left out."""
        columns = self.expanded(run)
        rows: dict[tuple[Label, ...], dict[int, str]] = {}
        for key, number, text in self._cells(run):
            rows.setdefault(key, {})[number] = text
        used = [k for k in range(len(columns)) if any(k in row for row in rows.values())]
        table = [[*self.down, *(columns[k].heading for k in used)]]
        table += [[*(_text(k) for k in key), *(row.get(k, "") for k in used)] for key, row in rows.items()]
        if not self.turned:
            return table
        turned = [list(line) for line in zip(*table, strict=True)]
        return turned if self.down else [["", "figure"], *turned]


def _has(figure: Figure, where: Mapping[str, Label]) -> bool:
    return all(figure.labels[name] == value for name, value in where.items())


def _text(label: Label) -> str:
    return f"{label:g}" if isinstance(label, float) else str(label)


def shown(figure: Figure, form: str = "") -> str:
    """Return a figure as tables write it: its number, its interval, or of how many it is."""
    if isinstance(figure.value, str):
        return figure.value
    form = form or FORMS.get(figure.unit, ".3f")
    if figure.of is not None:
        return f"{round(figure.value * figure.of)}/{figure.of} = {figure.value:.1%}"
    value = int(figure.value) if form.endswith("d") else figure.value
    text = f"{value:{form}}"
    if figure.low is not None and figure.high is not None:
        ends = f"{figure.low:{form}} to {figure.high:{form}}"
        return f"{text} ({ends})"
    return text


def to_text(view: View, run: Run) -> str:
    """Return a table for the terminal."""
    table = view.table(run)
    wide = [max(len(row[k]) for row in table) for k in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [
            row[0].ljust(wide[0]),
            *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True)),
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join([view.title, *lines] if view.title else lines)


def to_markdown(view: View, run: Run) -> str:
    """Return a table for a page."""
    head, *rows = view.table(run)
    left = 1 if view.turned else max(1, len(view.down))
    lines = [
        _line(head),
        "|" + "|".join(["---"] * left + ["---:"] * (len(head) - left)) + "|",
        *map(_line, rows),
    ]
    return "\n".join([f"**{view.title}**", "", *lines] if view.title else lines)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
