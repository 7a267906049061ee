"""The package is called mcdetect-mammo on the index, and what users are told to install exists."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from mcdetect.errors import DISTRIBUTION, MissingLibraryError, install_hint
from mcdetect.training import MissingSklearnError
from mcdetect.validation.evaluation.plots import MissingPlotsError

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TEXTS = [
    path
    for folder in ("mcdetect", "docs", "tests", "benchmarks", "sample_data", ".ci")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and path.suffix in ("", ".py", ".md", ".toml")
] + sorted(path for path in ROOT.glob("*.*") if path.is_file())


def test_the_distribution_has_a_name_of_its_own() -> None:
    assert PROJECT["name"] == DISTRIBUTION == "mcdetect-mammo"
    assert PROJECT["scripts"] == {"mcdetect": "mcdetect.cli:main"}
    for name in ("README.md", "CITATION.cff", "CHANGELOG.md"):
        assert DISTRIBUTION in (ROOT / name).read_text(encoding="utf-8"), name


@pytest.mark.parametrize("extra", ["plot", "train"])
def test_the_hint_works_from_the_index_and_in_a_clone(extra: str) -> None:
    assert (
        install_hint(extra) == f'pip install "mcdetect-mammo[{extra}]" (in a clone: pip install ".[{extra}]")'
    )


def test_what_is_missing_is_named_with_its_remedy() -> None:
    assert str(MissingLibraryError("maps need paper", "plot", "fold")) == (
        f"maps need paper: {install_hint('plot')}, or fold"
    )
    assert install_hint("plot") in str(MissingPlotsError())
    assert install_hint("train") in str(MissingSklearnError())


def test_no_text_sends_users_to_the_other_project() -> None:
    wrong = re.compile(r"""(?:install\s+(?:-\S+\s+)*["']?|["'])mcdetect(?:\[\w+\]|["']?\s*[<>=~]=)""")
    assert wrong.search('pip install "mcdetect' + '[plot]"')
    assert wrong.search("pip install -U mcdetect" + "==1")
    for path in TEXTS:
        found = wrong.search(path.read_text(encoding="utf-8", errors="ignore"))
        assert found is None, f"{path.relative_to(ROOT)}: {found}"


def test_every_extra_that_is_told_exists() -> None:
    told = set()
    for path in sorted((ROOT / "mcdetect").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                place = {"install_hint": 0, "MissingLibraryError": 1}.get(name)
                if place is not None and isinstance(node.args[place], ast.Constant):
                    told.add(node.args[place].value)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        found = re.findall(r"(?:mcdetect-mammo|\.)\[([\w,]+)\]", path.read_text(encoding="utf-8"))
        told |= {extra for extras in found for extra in extras.split(",")}
    assert told >= {"plot", "test", "train"}
    assert told <= set(PROJECT["optional-dependencies"])


def test_addresses_are_those_of_the_package_itself() -> None:
    """No repository is public: an address of one would be an invention."""
    assert PROJECT["urls"] == {"Releases": f"https://pypi.org/project/{DISTRIBUTION}/"}
