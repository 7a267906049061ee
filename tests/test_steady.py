"""No test depends on the clock: deadlines, times and short waits are for benchmarks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parent
CLOCKS = {
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "process_time",
    "process_time_ns",
    "thread_time",
    "thread_time_ns",
    "time_ns",
    "timeit",
}
PATIENCE_S = 300.0
"""What a test may wait for at least before it gives up: a hang, not a busy machine."""


def faults(source: str) -> list[str]:
    """Return what in a test file depends on how fast the machine is."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            found += [f"line {node.lineno}: imports {name}" for name in sorted(names & {"time", "timeit"})]
        elif isinstance(node, ast.Attribute | ast.Name):
            name = node.attr if isinstance(node, ast.Attribute) else node.id
            if name in CLOCKS:
                found.append(f"line {node.lineno}: reads a clock ({name})")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node is not _doc(tree):
            found += [
                f"line {node.lineno}: reads a clock ({n})" for n in sorted(CLOCKS) if f".{n}(" in node.value
            ]
        elif isinstance(node, ast.keyword) and node.arg is not None:
            found += _keyword(node)
    return found


def _doc(tree: ast.Module) -> ast.expr | None:
    first = tree.body[0] if tree.body else None
    return first.value if isinstance(first, ast.Expr) else None


def _keyword(node: ast.keyword) -> list[str]:
    value = node.value.value if isinstance(node.value, ast.Constant) else None
    where = f"line {node.value.lineno}"
    if node.arg == "deadline":
        return [f"{where}: a deadline of its own"]
    if node.arg == "timeout" and isinstance(value, int | float) and value < PATIENCE_S:
        return [f"{where}: gives up after {value} s"]
    if node.arg == "suppress_health_check" and "too_slow" not in ast.dump(node.value):
        return [f"{where}: slow data is a fault again"]
    return []


@pytest.mark.parametrize("path", sorted(TESTS.glob("**/*.py")), ids=lambda path: path.stem)
def test_no_test_depends_on_the_clock(path: Path) -> None:
    if path.name not in ("conftest.py", Path(__file__).name):
        assert faults(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from time import perf_counter",
        "def test():\n    start = clock.process_time()",
        "code = 'x = t.perf_counter()'",
        "@settings(deadline=None)\ndef test(): ...",
        "@settings(deadline=200, max_examples=9)\ndef test(): ...",
        "future.result(timeout=5)",
        "@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])\ndef test(): ...",
    ],
)
def test_what_depends_on_the_clock_is_found(source: str) -> None:
    assert len(faults(source)) == 1


def test_patience_is_allowed() -> None:
    assert faults("subprocess.run(call, timeout=600)\nsettings(max_examples=3)") == []


def test_the_profile_has_no_deadline_and_is_in_use() -> None:
    for profile in (settings.default, settings.get_profile("steady"), settings.get_profile("explore")):
        assert profile is not None
        assert profile.deadline is None
        assert HealthCheck.too_slow in profile.suppress_health_check
    assert settings.get_profile("steady").derandomize
    assert not settings.get_profile("explore").derandomize
