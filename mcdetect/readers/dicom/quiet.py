"""Keeps pydicom's warnings, which may quote patient data, out of sight."""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet"]

logger = logging.getLogger(__name__)

_lock = threading.RLock()
_QUOTED = re.compile(r"(['\"]).*?\1|(?<=for VR )(\w\w):.*", re.DOTALL)


def redact(message: str) -> str:
    """Return a warning of pydicom on one line, without the values that it quotes."""
    return " ".join(_QUOTED.sub(lambda match: match[2] or "...", message).split())[:200]


@contextmanager
def quiet() -> Iterator[None]:
    """Catch pydicom's warnings and log records while a file is read.

    pydicom warns through `warnings` and through its own logger, and quotes the offending values
    in both. Here they are logged at DEBUG level with every quoted value removed. Python's warning
    filters are global to the process, so one thread at a time may be inside.
    """
    pydicom_logger = logging.getLogger("pydicom")
    with _lock:
        propagate = pydicom_logger.propagate
        pydicom_logger.propagate = False
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
            for message in sorted({redact(str(item.message)) for item in caught}):
                logger.debug("pydicom: %s", message)
        finally:
            pydicom_logger.propagate = propagate
