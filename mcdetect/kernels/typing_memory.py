"""What numba found to be the type of arithmetic on numbers, remembered while kernels are compiled.

numba tries every form of an operator in turn, and words what is wrong with each that does not fit, for every
operation of every kernel anew. Operators of numbers are few, and their types never change.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from numba.core import types

__all__ = ["remembered_types"]

_known: dict[tuple[int, tuple[Any, ...]], tuple[Any, Any]] = {}
"""By function and types of its arguments: the function, so that it lives as long, and the signature."""
_lock = threading.Lock()
_users = 0
_function: Any = types.Function
_plain: Callable[..., Any] = _function.get_call_type
_own = "get_call_type" in vars(_function)


def _remembering(self: Any, context: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
    if kws or not all(isinstance(arg, types.Number | types.Boolean) for arg in args):
        return _plain(self, context, args, kws)
    key = (id(self), tuple(args))
    found = _known.get(key)
    if found is None:
        signature = _plain(self, context, args, kws)
        if signature is None:
            return None
        found = _known[key] = (self, signature)
    return found[1]


@contextlib.contextmanager
def remembered_types() -> Iterator[None]:
    """Remember meanwhile; may be nested, and entered by several threads."""
    global _users
    with _lock:
        _users += 1
        _function.get_call_type = _remembering
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                if _own:
                    _function.get_call_type = _plain
                else:
                    del _function.get_call_type
