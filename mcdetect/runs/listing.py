"""Lists of files from elsewhere, and the part of them that one machine works on."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from mcdetect.readers.remote import RemoteFile
from mcdetect.runs.discovery import Discovery, Input, find_inputs

__all__ = ["choose_shard", "find_listed", "parse_shard", "read_list"]


def read_list(stream: BinaryIO) -> list[str]:
    """Return the paths of a list: one a line, or with a zero byte after each (``find -print0``)."""
    data = stream.read()
    parts = data.split(b"\0") if b"\0" in data else [line.rstrip(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(part) for part in parts if part]


def find_listed(paths: Sequence[str | Path]) -> Discovery:
    """List the files of a batch that are given as a list.

    They are found as `mcdetect.runs.find_inputs` does, but each is called by its path relative to the folder
    that holds all of them: names of files in lists repeat (``a/IM1``, ``b/IM1``). Lists with addresses are
    named as `find_inputs` names them.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders, in any mix.
    """
    found = find_inputs(paths)
    if not found.inputs or any(isinstance(item.place, RemoteFile) for item in found.inputs):
        return found
    places = [os.path.abspath(item.place) for item in found.inputs]  # noqa: PTH100
    folders = dict.fromkeys(place.rpartition(os.sep)[0] or os.sep for place in places)
    common = os.path.commonpath(list(folders))
    start = len(common.rstrip(os.sep)) + 1
    names = [place[start:].replace(os.sep, "/") for place in places]
    inputs = tuple(
        Input(item.place, _printable(name), item.member)
        for item, name in zip(found.inputs, names, strict=True)
    )
    if len({item.file for item in inputs}) < len(inputs):  # names that only bytes tell apart
        return found
    return dataclasses.replace(found, inputs=inputs)


def _printable(name: str) -> str:
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parse_shard(text: str) -> tuple[int, int]:
    """Return part and number of parts of a text such as ``3/16``.

    Raises
    ------
    ValueError
        It is no such text.
    """
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ValueError(f"{text!r}: write PART/PARTS, such as 3/16, with 1 as the first part")
    return int(part), int(parts)


def choose_shard(files: Sequence[str], shard: tuple[int, int] | None) -> list[int]:
    """Return the positions of the files that belong to a shard, or of all.

    A file's shard follows from its name, so it stays there when others come or go.

    Parameters
    ----------
    files : sequence of str
        Names in the tables.
    shard : (int, int) or None
        Part, from 1, and number of parts.
    """
    if shard is None:
        return list(range(len(files)))
    part, parts = shard
    if not 1 <= part <= parts:
        raise ValueError(f"shard = {part}/{parts}: the part must be 1 to {parts}")
    return [k for k, file in enumerate(files) if _place(file) % parts == part - 1]


def _place(file: str) -> int:
    digest = hashlib.sha256(file.encode("utf-8", "backslashreplace")).digest()
    return int.from_bytes(digest[:8], "big")
