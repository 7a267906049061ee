"""The one decorator of every compiled function, and the digest of all that they are made of."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any, Literal

import numba
from numba.core import types

from mcdetect.kernels.cache import KernelCache
from mcdetect.kernels.sources import sources_digest
from mcdetect.kernels.typing_memory import remembered_types

__all__ = ["FAST", "kernel", "sources_digest"]

# Technical: memory while compiling.
_SELDOM = 100_000  # objects made between two searches for cycles
_ROOM = 70_000  # words of Python's stack: a little over half a megabyte, so that pieces are of one megabyte

FAST: dict[str, bool | set[str]] = {
    "": False,
    "sums": {"reassoc", "contract", "nsz"},
    "all": True,
}
"""Variants of arithmetic: to the letter; sums in any order; also without regard to NaN and infinity.

What is compiled with a fast variant may round differently in each place that it is copied to.
"""


def kernel(
    function: Callable[..., Any] | None = None, *, fast: Literal["", "sums", "all"] = "", inline: bool = False
) -> Any:
    """Compile a function when it is first called; it then runs without Python's lock.

    Parameters
    ----------
    function : callable
        It may use NumPy arrays, numbers and other kernels. Divisions by zero give infinity or NaN.
    fast : {"", "sums", "all"}
        Arithmetic, see `FAST`.
    inline : bool
        Put a copy of it into every kernel that calls it, which then has its arithmetic. What is called
        from few places compiles quicker so.

    Returns
    -------
    callable
        The machine code is kept on disk (`mcdetect.kernels.cache`) under `sources_digest`, so that a
        change of any kernel, also of one that is only called by another, never gives numbers of old code.

    Notes
    -----
    No kernel is parallel: such kernels take several times longer to compile and depend on the threading
    layer, one of which ends the process when two threads call it. `mcdetect.kernels.threads` shares the
    work of a kernel among threads.
    """

    def compiled(target: Callable[..., Any]) -> Any:
        njit: Any = numba.njit  # its type lacks the last
        dispatcher: Any = njit(
            nogil=True,
            error_model="numpy",
            fastmath=FAST[fast],
            inline="always" if inline else "never",
            no_cfunc_wrapper=True,
        )(target)
        if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
            dispatcher._cache = KernelCache(target)
            dispatcher._compiler.compile = _with_few_collections(dispatcher._compiler.compile)
            dispatcher.get_call_template = _without_literals(dispatcher.get_call_template)
        return dispatcher

    return compiled if function is None else compiled(function)


def _without_literals(template: Callable[..., Any]) -> Callable[..., Any]:
    """Take numbers that are written out in a call for what they are: each would be compiled for itself."""
    plainly: Any = types.unliteral

    def template_of(arguments: Any, named: Any) -> Any:
        plain = {name: plainly(kind) for name, kind in named.items()}
        return template(tuple(plainly(kind) for kind in arguments), plain)

    return template_of


def _with_few_collections(compiling: Callable[..., Any]) -> Callable[..., Any]:
    """Let Python look for unreachable cycles seldom meanwhile, which saves a sixth of the time.

    Compilation makes millions of objects that stay reachable. The types of arithmetic on numbers are
    remembered meanwhile, too. numba compiles one kernel at a time, but one within another.
    """

    def compiling_so(*arguments: Any) -> Any:
        thresholds = gc.get_threshold()
        if 0 < thresholds[0] < _SELDOM:
            gc.set_threshold(_SELDOM, *thresholds[1:])
        try:
            with remembered_types():
                return _with_room(compiling, arguments)
        finally:
            gc.set_threshold(*thresholds)

    return compiling_so


def _with_room(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Call a function with half a megabyte of Python's stack ahead of it."""
    return function(*arguments)


# Python takes memory for its stack in pieces of 16 KB, and gives a piece back as soon as it is empty. Where
# the calls that are made most often come to lie at the end of a piece, each of them asks the system for
# memory: by chance, a third of the time of a first image. A function that says it needs more than one piece
# gets one that is large enough for all that it calls.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=_ROOM)
