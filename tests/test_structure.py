"""The house: which module may import which, what is imported late, and how long files are."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import mcdetect

PACKAGE = Path(__file__).resolve().parents[1] / "mcdetect"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450
PUBLIC = mcdetect._PUBLIC

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(line.split())
    for line in (
        "errors kernels",
        "config schema",
        "image models",
        "breast clusters pictures readers shapes spots",
        "result",
        "pipeline",
        "exams output phantom",
        "runs",
        "validation",
        "training",
        "cli",
        "__main__",
    )
)
"""Every part of the package, lowest layer first: a part imports from lower layers only."""
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
HEAVY = {"cv2", "numba", "pandas", "pyarrow", "pydicom", "scipy", "skimage", "imagecodecs", "numpy"}
HEAVY |= {"dask", "distributed", "fsspec", "s3fs"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the top-level part of mcdetect a module belongs to; "mcdetect" for the package itself."""
    return module.split(".")[1] if "." in module else "mcdetect"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module, *, late: bool) -> set[str]:
    """Return the modules that a file imports when it is loaded, or (`late`) ever, for types too."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if not late and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                found.add("." * node.level + (node.module or ""))
            elif node.module == "mcdetect":
                names = [alias.name for alias in node.names]
                found.update(
                    "mcdetect" if n.startswith("__") else PUBLIC.get(n, f"mcdetect.{n}") for n in names
                )
            elif node.module:
                found.add(node.module)
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            found.update(
                a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found


def violations(module: str, tree: ast.Module) -> list[str]:
    """Return what is wrong with the imports of one module of ours, a line each."""
    part = part_of(module)
    if part == "mcdetect":  # the package's own file: public names, imported when they are asked for
        return [f"{module} imports {m}" for m in imported(tree, late=False) if m.startswith("mcdetect")]
    if part not in LAYER:
        return [f"{part} has no layer"]
    wrong = []
    for other in sorted(imported(tree, late=True)):
        if other.startswith("."):
            wrong.append(f"{module}: relative import of {other}")
        if other.split(".")[0] != "mcdetect":
            continue
        used = part_of(other)
        if used in ("mcdetect", part):
            continue
        if used not in LAYER:
            wrong.append(f"{module} imports {used}, which has no layer")
        elif LAYER[used] >= LAYER[part]:
            wrong.append(f"{module} imports {used}, which is not below {part}")
    return wrong


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    if part_of(name_of(path)) == "kernels":
        return  # one kernel with its helpers stays together
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_dicom_modules_know_pydicom(path: Path) -> None:
    allowed = name_of(path).startswith(("mcdetect.readers.dicom", "mcdetect.phantom.dicom"))
    used = {module.split(".")[0] for module in imported(tree_of(path), late=True)}
    assert allowed or "pydicom" not in used


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_strictly_down(path: Path) -> None:
    assert violations(name_of(path), tree_of(path)) == []


def test_every_part_has_one_layer_and_is_there() -> None:
    there = {part_of(name_of(path)) for path in MODULES} - {"mcdetect"}
    assert there == set(LAYER)
    assert sum(map(len, LAYERS)) == len(LAYER)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mcdetect.spots.find", "from mcdetect.shapes.outlines import measure_shapes"),  # stage to stage
        ("mcdetect.clusters.rule", "import mcdetect.breast.find"),
        ("mcdetect.shapes.tophat", "def late():\n    from mcdetect.pipeline import detect"),  # up, late
        ("mcdetect.kernels.discs", "from mcdetect.config import Config"),  # kernels know nothing of ours
        ("mcdetect.kernels.discs", "from mcdetect import errors, kernels"),
        ("mcdetect.breast.find", "from mcdetect import detect"),  # by its public name
        ("mcdetect.output.tables", "from mcdetect.exams.studies.tables import study_tables"),  # one layer
        ("mcdetect.readers.read", "from importlib import import_module\nimport_module('mcdetect.runs')"),
        ("mcdetect.runs.run", "if TYPE_CHECKING:\n    from mcdetect.cli.console import Console"),  # for types
        ("mcdetect.pipeline", "from mcdetect.reader import read_mammogram"),  # a part that is gone
        ("mcdetect.extras.new", "import numpy"),  # a part that nobody listed
        ("mcdetect.spots.find", "from .noise import equalise"),
        ("mcdetect", "from mcdetect.pipeline import detect"),  # the package loads nothing at once
    ],
)
def test_planted_violations_are_found(module: str, source: str) -> None:
    assert violations(module, ast.parse(source))


def test_imports_that_are_right_pass() -> None:
    source = "import numpy\nfrom mcdetect import __version__\nfrom mcdetect.kernels.discs import most_in_disc"
    assert violations("mcdetect.clusters.rule", ast.parse(source)) == []


@pytest.mark.parametrize("statement", ["import mcdetect", "import mcdetect.cli", "import mcdetect.runs"])
def test_heavy_libraries_wait_until_they_are_needed(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted(m for m in sys.modules if '.' not in m))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = HEAVY - ({"numpy", "pandas", "pyarrow"} if statement.endswith("runs") else set())
    assert not heavy & set(out.split())


def test_the_library_never_prints() -> None:
    for path in MODULES:
        calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        assert not [f for f in calls if isinstance(f, ast.Name) and f.id == "print"], path.name


def test_public_names_resolve() -> None:
    for name in mcdetect.__all__:
        assert getattr(mcdetect, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        mcdetect.nonsense  # noqa: B018


def test_reference_pages_are_in_step_with_the_code() -> None:
    docs = PACKAGE.parent / "docs"
    spec = importlib.util.spec_from_file_location("make_reference", docs / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    pages = {page.name: page.read_text(encoding="utf-8") for page in docs.glob("*.md")}
    for name, text in pages.items():
        assert script.fill(text) == text, f"run docs/make_reference.py: {name} is out of step"
    for block in script.blocks():
        assert any(f"<!-- begin {block} -->" in text for text in pages.values()), block


def test_the_version_is_the_same_everywhere() -> None:
    citation = (PACKAGE.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {mcdetect.__version__}\n" in citation
