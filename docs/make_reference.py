"""Write the tables of docs/outputs.md and docs/config.md from the code that defines them.

Run it after a change of `mcdetect/schema.py` or `mcdetect/config.py`; a test compares the pages.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mcdetect.config import Config
from mcdetect.output.tables import SCHEMAS
from mcdetect.schema import MODEL_COLUMNS, SCHEMA_VERSION, Column

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


def blocks() -> dict[str, str]:
    """Return every generated block by the name it has in the pages."""
    found = {f"table {name}": column_table(columns) for name, columns in SCHEMAS.items()}
    found["table model columns"] = column_table(MODEL_COLUMNS)
    config = Config()
    for section in dataclasses.fields(config):
        found[f"options {section.name}"] = option_table(getattr(config, section.name))
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


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Bring every page up to date."""
    for page in sorted(FOLDER.glob("*.md")):
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
