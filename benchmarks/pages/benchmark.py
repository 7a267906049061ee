"""What a benchmark is: how it is called, and what is shown of it."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.common.views import View

__all__ = ["Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """One entry of the catalogue.

    Attributes
    ----------
    module : str
        With a function `main` that takes the arguments of the command line.
    title : str
        Of its section on the page of results.
    about : str
        What a reader must know to understand the figures.
    views : tuple of View
        Its tables.
    pictures : tuple of str
        Names of the pictures that a recorded run leaves in ``results/``.
    """

    module: str
    title: str
    about: str
    views: tuple[View, ...]
    pictures: tuple[str, ...] = ()
