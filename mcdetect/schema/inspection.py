"""Columns of the table of a look at files."""

from __future__ import annotations

from mcdetect.schema.column import FILE, Column

__all__ = ["INSPECTION"]

INSPECTION: tuple[Column, ...] = (
    FILE,
    Column("processed", "bool", "", "detect would process it"),
    Column("passed_over", "bool", "", "it is no mammogram that is searched, and would be no failure"),
    Column("reason", "str", "", "why not, and what to do; joined by ' | '"),
    Column("study", "int64", "", "number of the examination, 0 when the header names none; no pseudonym"),
    Column("laterality", "str", "", "L or R, empty when unknown"),
    Column("view", "str", "", "view, empty when unknown"),
    Column("intent", "str", "", "what the grey levels were made for"),
    Column("format", "str", "", "DICOM, or the kind of picture"),
    Column("modality", "str", "", "Modality"),
    Column("sop_class", "str", "", "kind of DICOM object"),
    Column("rows", "int64", "px", "rows, 0 when unknown"),
    Column("cols", "int64", "px", "columns, 0 when unknown"),
    Column("frames", "int64", "", "frames"),
    Column("bits", "str", "", "bits stored of bits allocated, and sign"),
    Column("photometric", "str", "", "Photometric Interpretation"),
    Column("transfer_syntax", "str", "", "how the pixels are stored"),
    Column("row_spacing_mm", "float64", "mm", "distance between rows as it would be used"),
    Column("col_spacing_mm", "float64", "mm", "distance between columns as it would be used"),
    Column("spacing_source", "str", "", "where it comes from, and the plane it holds in"),
    Column("manufacturer", "str", "", "maker"),
    Column("model", "str", "", "its model"),
    Column("kvp", "float64", "kV", "tube voltage"),
    Column("exposure_mas", "float64", "mAs", "exposure"),
    Column("thickness_mm", "float64", "mm", "thickness of the compressed breast"),
    Column("flags", "str", "", "remarks of the loader, joined by '; '"),
)
