"""Public data sets behind one interface: cases, their truth, and how to read them.

>>> from mcdetect.validation.datasets import open_dataset
>>> for case in open_dataset("mini-mias", "all-mias"):  # doctest: +SKIP
...     mammogram = case.read()
...     regions = case.regions(mammogram.shape)
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

from mcdetect.validation.datasets.base import Case, Dataset, DatasetInfo, Finding, Kind, Region, TruthStatus
from mcdetect.validation.datasets.export import truth_table
from mcdetect.validation.datasets.shapes import Box, Circle, Dot, MaskFile, Outline, Runs

__all__ = [
    "Box",
    "Case",
    "Circle",
    "Dataset",
    "DatasetInfo",
    "Dot",
    "Finding",
    "Kind",
    "MaskFile",
    "Outline",
    "Region",
    "Runs",
    "TruthStatus",
    "describe",
    "open_dataset",
    "option_names",
    "truth_table",
]

_ADAPTERS = {
    "cbis-ddsm": ("mcdetect.validation.datasets.cbis_ddsm", "CbisDdsm"),
    "inbreast": ("mcdetect.validation.datasets.inbreast", "Inbreast"),
    "vindr-mammo": ("mcdetect.validation.datasets.vindr", "VindrMammo"),
    "cmmd": ("mcdetect.validation.datasets.cmmd", "Cmmd"),
    "embed": ("mcdetect.validation.datasets.embed", "Embed"),
    "rsna": ("mcdetect.validation.datasets.rsna", "Rsna"),
    "bcs-dbt": ("mcdetect.validation.datasets.bcs_dbt", "BcsDbt"),
    "mini-mias": ("mcdetect.validation.datasets.mini_mias", "MiniMias"),
    "generic": ("mcdetect.validation.datasets.generic", "Generic"),
}


def describe() -> tuple[DatasetInfo, ...]:
    """Return what each set is, what it needs on disk, where it is published and its licence."""
    return tuple(_adapter(name).info for name in _ADAPTERS)


def option_names(name: str) -> tuple[str, ...]:
    """Return the options that a data set takes."""
    if name not in _ADAPTERS:
        raise ValueError(f"unknown data set {name!r}; known are {', '.join(_ADAPTERS)}")
    return tuple(signature(_adapter(name)).parameters)[1:]


def open_dataset(name: str, root: str | Path, **options: Any) -> Dataset:
    """Open a data set on disk.

    Parameters
    ----------
    name : {"cbis-ddsm", "inbreast", "vindr-mammo", "cmmd", "embed", "rsna", "bcs-dbt", "mini-mias",
        "generic"}
    root : path-like
        Folder that holds it.
    **options
        Those of the adapter: `spacing_table` and `split` for CBIS-DDSM, `split` for VinDr-Mammo, `tompei` for
        CMMD, `synthetic` for EMBED, `pixel_spacing_mm` and `spacing_table` for RSNA, `split`
        and `as_groups` for BCS-DBT, `truth`, `pixel_spacing_mm` and `kind` for a generic folder.

    Returns
    -------
    Dataset
        Iterate it for its cases.

    Raises
    ------
    ValueError
        If the name or an option is not known.
    UnreadableFileError
        If the folder is not there or lacks what the set needs.
    """
    known = option_names(name)
    adapter = _adapter(name)
    strange = sorted(set(options) - set(known))
    if strange:
        listed = f"known are {', '.join(known)}" if known else "it has none"
        raise ValueError(f"{name} has no option {strange[0]!r}; {listed}")
    return adapter(root, **options)


def _adapter(name: str) -> type[Dataset]:
    module, cls = _ADAPTERS[name]
    found: type[Dataset] = getattr(import_module(module), cls)
    return found
