"""The house: which module may import which, what is imported late, and how long files are."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mcdetect"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 450

GROUND = {"errors", "signatures", "mcdetect"}
DATA = {"mammogram", "config", "schema", "result", "kernels", "examination"}
READING = {"dicom", "raster", "reader", "inspection"}
STAGES = {
    "breast",
    "noise",
    "spots",
    "appearance",
    "likelihood",
    "context",
    "calcifications",
    "fragments",
    "groups",
    "features",
    "descriptors",
    "scoring",
}
HEAVY = {"cv2", "numba", "pandas", "pyarrow", "pydicom", "scipy", "skimage", "imagecodecs", "numpy"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """Return the top-level part of mcdetect a module belongs to."""
    return module.split(".")[1] if "." in module else "mcdetect"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, late: bool) -> frozenset[str]:
    """Return the modules that a file imports when it is loaded, or (`late`) at any time."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path.name}: relative import"
            if node.module == "mcdetect":
                names = [alias.name for alias in node.names]
                found.update(
                    f"mcdetect.{n}"
                    if (PACKAGE / n).is_dir() or (PACKAGE / f"{n}.py").is_file()
                    else "mcdetect"
                    for n in names
                )
            else:
                found.add(node.module)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree_of(path))
    return frozenset(found)


def ours(path: Path) -> set[str]:
    """Return the other parts of mcdetect that a file imports at any time."""
    own = part_of(name_of(path))
    parts = {part_of(module) for module in imports(path, late=True) if module.split(".")[0] == "mcdetect"}
    return parts - {own, "mcdetect"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_dicom_modules_know_pydicom(path: Path) -> None:
    name = name_of(path)
    allowed = part_of(name) == "dicom" or name.startswith("mcdetect.phantom.dicom")
    assert allowed or not any(m.split(".")[0] == "pydicom" for m in imports(path, late=True))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    part, used = part_of(name_of(path)), ours(path)
    above = {"cli", "batch", "benchmarking"}
    if part == "kernels":
        assert used == set()
    elif part in GROUND:
        assert used <= GROUND
    elif part in DATA:
        assert used <= GROUND | DATA | ({"breast", "output"} if part == "result" else set())
    elif part in STAGES:
        assert not used & (
            STAGES - {"breast"} | READING | above | {"pipeline", "output", "phantom", "reader"}
        )
    elif part == "output":
        assert not used & (STAGES | READING | above | {"pipeline", "phantom"})
    elif part == "evaluation":
        assert used <= GROUND
    elif part == "datasets":
        assert used <= GROUND | READING | {"mammogram", "examination", "views"}
    elif part == "training":
        assert used <= GROUND | DATA | {"datasets", "evaluation", "output"}
    elif part == "studies":
        assert used <= GROUND | DATA | {"views"}
    elif part == "batch":
        assert not used & (STAGES | {"benchmarking", "cli", "phantom", "dicom"})
    elif part == "benchmarking":
        assert used <= GROUND | DATA | {"batch", "datasets", "evaluation", "output", "pipeline"}
    elif part == "comparison":
        assert used <= GROUND | DATA | {"breast", "features", "output", "pipeline", "reader"}
    elif part == "cli":
        assert not used & (STAGES | {"pipeline", "dicom", "kernels", "phantom", "reader"})
    elif part != "__main__":
        assert not used & above


def test_no_two_parts_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        parts = {part_of(m) for m in imports(path, late=False) if m.split(".")[0] == "mcdetect"}
        graph.setdefault(part_of(name_of(path)), set()).update(parts)
    done: set[str] = set()

    def descend(part: str, trail: tuple[str, ...]) -> None:
        assert part not in trail, " -> ".join([*trail, part])
        if part in done:
            return
        for other in sorted(graph.get(part, set()) - {part, "mcdetect"}):
            descend(other, (*trail, part))
        done.add(part)

    for part in sorted(graph):
        descend(part, ())


@pytest.mark.parametrize("statement", ["import mcdetect", "import mcdetect.cli", "import mcdetect.batch"])
def test_heavy_libraries_wait_until_they_are_needed(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted(m for m in sys.modules if '.' not in m))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = HEAVY - ({"numpy", "pandas", "pyarrow"} if statement.endswith("batch") else set())
    assert not heavy & set(out.split())


def test_the_library_never_prints() -> None:
    for path in MODULES:
        calls = [node.func for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
        assert not [f for f in calls if isinstance(f, ast.Name) and f.id == "print"], path.name


def test_public_names_resolve() -> None:
    import mcdetect

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
    import mcdetect

    citation = (PACKAGE.parent / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {mcdetect.__version__}\n" in citation
