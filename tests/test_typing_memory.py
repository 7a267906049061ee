"""Types that are remembered while kernels are compiled: the same as numba finds, and gone afterwards."""

from __future__ import annotations

import operator
from itertools import product

import numba
import numpy as np
import pytest
from numba.core import types
from numba.core.registry import cpu_target

from mcdetect.kernels.jit import kernel
from mcdetect.kernels.typing_memory import remembered_types

PLAIN = types.Function.get_call_type
NUMBERS = (types.int64, types.int32, types.uint64, types.float32, types.float64, types.boolean)


@pytest.mark.parametrize("function", [operator.add, operator.truediv, operator.lt, operator.pow, max, abs])
def test_types_are_those_that_numba_finds(function: object) -> None:
    context = cpu_target.typing_context
    context.refresh()
    known = context.resolve_value_type(function)
    count = 1 if function is abs else 2
    for arguments in product((*NUMBERS, types.literal(3)), repeat=count):
        found = PLAIN(known, context, arguments, {})
        with remembered_types():
            first, again = (known.get_call_type(context, arguments, {}) for _ in range(2))
        assert first == again == found


def test_nothing_is_left_behind() -> None:
    with remembered_types():
        assert types.Function.get_call_type is not PLAIN
        with pytest.raises(ZeroDivisionError), remembered_types():
            raise ZeroDivisionError
        assert types.Function.get_call_type is not PLAIN
    assert types.Function.get_call_type is PLAIN
    assert numba.njit(lambda a, b: a + b)(2, 0.5) == 2.5


def test_what_is_no_number_is_not_remembered() -> None:
    context = cpu_target.typing_context
    context.refresh()
    add = context.resolve_value_type(operator.add)
    pair = types.UniTuple(types.int64, 2)
    with remembered_types():
        assert add.get_call_type(context, (pair, pair), {}) == PLAIN(add, context, (pair, pair), {})


def test_a_kernel_is_compiled_once_whatever_numbers_stand_in_its_calls() -> None:
    @kernel
    def part(values, first, last):  # type: ignore[no-untyped-def]
        total = 0.0
        for i in range(first, last):
            total += values[i]
        return total

    @kernel
    def whole(values, middle):  # type: ignore[no-untyped-def]
        return part(values, 0, middle) - part(values, middle, 4) + part(values, middle, middle)

    for made in (part, whole):
        made._cache.disable()
    assert whole(np.arange(4.0), 2) == -4.0
    assert len(part.signatures) == 1
