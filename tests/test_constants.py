"""Every number that a module keeps says what it is and where it comes from."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mcdetect"
MODULES = sorted(PACKAGE.rglob("*.py"))
CONSTANT = re.compile(r"_{0,2}[A-Z][A-Z0-9_]*")
ORIGIN = re.compile(r"(Physics|Standard|Fitted|Judged|Technical): \w")
MAKERS = {"array", "frozenset", "range", "set", "slice", "tuple"}
"""Calls that give numbers back as they took them; those of numpy and math count as arithmetic, too."""


def is_number(node: ast.AST) -> bool:
    """Whether an expression is a number, numbers together, or arithmetic of them."""
    match node:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float()):
            return True
        case ast.UnaryOp(operand=part):
            return is_number(part)
        case ast.BinOp(left=left, right=right):
            parts: list[ast.AST] = [left, right]
            return any(map(is_number, parts)) and all(is_number(part) or is_named(part) for part in parts)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts) if parts:
            return all(is_number(part.value if isinstance(part, ast.Starred) else part) for part in parts)
        case ast.Dict(keys=keys, values=values) if values:
            full = [value for value in values if not (isinstance(value, ast.Tuple) and not value.elts)]
            by_number = all(key is not None and is_number(key) for key in keys)
            return by_number or (bool(full) and all(map(is_number, full)))
        case ast.Call(func=ast.Name(id=name), args=parts):
            return name in MAKERS and bool(parts) and all(map(is_number, parts))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "math")), args=parts):
            return bool(parts) and is_number(parts[0])
    return False


def is_named(node: ast.AST) -> bool:
    """Whether an expression is a constant by name: `MAX_PIXELS`, `math.pi`, `LEVELS_MM.size`."""
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name)
    return isinstance(node, ast.Name) and CONSTANT.fullmatch(node.id) is not None


def names_of(statement: ast.stmt) -> list[str]:
    """Return the constants that a statement of a module sets to numbers."""
    match statement:
        case ast.Assign(targets=[target], value=value):
            pass
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pass
        case _:
            return []
    names = target.elts if isinstance(target, ast.Tuple) else [target]
    found = [name.id for name in names if isinstance(name, ast.Name) and CONSTANT.fullmatch(name.id)]
    return found if is_number(value) else []


def without_origin(source: str) -> list[str]:
    """Return the constants of a module that hold numbers and do not say where these come from.

    One says so when an origin begins its own comment or its docstring, or heads the block it stands in:
    the lines above it up to the first blank one.
    """
    comments: dict[int, str] = {}
    headings: set[int] = set()
    filled: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            comments[token.start[0]] = token.string.lstrip("# ")
            if token.start[1] == 0 and ORIGIN.match(comments[token.start[0]]):
                headings.add(token.start[0])
        if token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER):
            filled.update(range(token.start[0], token.end[0] + 1))
    body = ast.parse(source).body
    found = []
    for number, statement in enumerate(body):
        names = names_of(statement)
        if not names:
            continue
        line = statement.lineno
        while line in filled and line not in headings:
            line -= 1
        last = statement.end_lineno or statement.lineno
        said = [comments.get(k, "") for k in (statement.lineno, last)]
        match body[number + 1 : number + 2]:
            case [ast.Expr(value=ast.Constant(value=str() as text))]:
                said.append(text)
        if line not in headings and not any(map(ORIGIN.match, said)):
            found += names
    return found


def test_every_number_says_where_it_comes_from() -> None:
    silent = [
        f"{path.relative_to(PACKAGE.parent)}: {name}"
        for path in MODULES
        for name in without_origin(path.read_text(encoding="utf-8"))
    ]
    assert not silent, "no origin (Physics, Standard, Fitted, Judged, Technical) beside " + "; ".join(silent)


def test_the_package_is_read() -> None:
    parts = [part for path in MODULES for part in ast.parse(path.read_text(encoding="utf-8")).body]
    numbers = {name for part in parts for name in names_of(part)}
    assert len(numbers) > 250
    assert {
        "CROP_MM",
        "_LENGTH",
        "LEVELS_MM",
        "_RATIO_SD",
        "_STANDALONE",
        "_RATES",
        "_MAX_INFLATED",
    } <= numbers


@pytest.mark.parametrize(
    "source",
    [
        "REACH_MM = 3.0",
        "REACH_MM: float = 3.0",
        "_FIRST, _SECOND = 1, 2",
        "_LIMITS = {'a': (1.0, 2.0)}",
        "_MASK = 2**24 - 1",
        "_GRID = np.linspace(0.0, 1.0, 5)",
        "REACH_MM = 3.0  # how far it reaches",
        "REACH_MM = 3.0\n'''How far it reaches.'''",
        "# How far it reaches.\nREACH_MM = 3.0",
        "# Judged: a block.\nOTHER = 1\n\nREACH_MM = 3.0",
        "'''Text\n# Judged: no comment.\nREACH_MM = 3.0\n'''\nREACH_MM = 3.0",
        "# Judged:\nREACH_MM = 3.0",
    ],
)
def test_a_number_without_origin_is_found(source: str) -> None:
    assert without_origin(source)


@pytest.mark.parametrize(
    "source",
    [
        "REACH_MM = 3.0  # Judged: farther takes tissue",
        "REACH_MM = 3.0\n'''Physics: how far it reaches.'''",
        "_LIMITS = {\n    'a': 1.0,\n}  # Standard: BI-RADS",
        """
        # Judged: a block
        # of two lines.
        OTHER = 1
        '''What it is,

        and why.
        '''
        LIMITS = (
            1.0,
            2.0,
        )
        REACH_MM = 3.0
        """,
        "NAME = 'text'",
        "IS_ON = True",
        "small = 3.0",
        "def f():\n    REACH_MM = 3.0",
    ],
)
def test_a_number_with_origin_and_what_is_no_number_pass(source: str) -> None:
    assert not without_origin(textwrap.dedent(source))
