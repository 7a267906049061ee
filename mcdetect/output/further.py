"""Further kinds of result files, by the names under which users ask for them.

A new kind is a module in this folder with a subclass of `mcdetect.output.seam.Output`, and its line here.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcdetect.errors import McdetectError
from mcdetect.output.coco import Coco
from mcdetect.output.seam import Output

__all__ = ["FURTHER", "UnknownOutputError", "further_outputs"]

FURTHER: dict[str, type[Output]] = {output.name: output for output in (Coco,)}
"""Outputs that are made when asked for, by name."""


class UnknownOutputError(McdetectError, ValueError):
    """There is no output of the name given."""


def further_outputs(names: Sequence[str]) -> list[Output]:
    """Return the outputs of these names, each once.

    Raises
    ------
    UnknownOutputError
        There is no output of that name.
    """
    for name in names:
        if name not in FURTHER:
            known = ", ".join(FURTHER) or "none"
            raise UnknownOutputError(f"there is no output {name!r}; known are {known}")
    return [FURTHER[name]() for name in dict.fromkeys(names)]
