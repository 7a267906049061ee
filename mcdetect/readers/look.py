"""A look at a file without its pixels: whose it is, as a pseudonym, and which view of which breast."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mcdetect.errors import InputFileError, UnreadableFileError
from mcdetect.image.views import parse_view_name
from mcdetect.readers.packed import unpacked
from mcdetect.readers.signatures import HEAD_BYTES, archive_kind, looks_like_bare_dicom

__all__ = ["Look", "look_at"]


@dataclass(frozen=True)
class Look:
    """What is known of an image before it is read.

    Parameters
    ----------
    patient : str
        Pseudonym of the patient; empty when unknown. It is kept in memory only, and stands in no output.
    laterality, view : str
        Empty when unknown.
    day : int
        Day of the image, from the header, as a number; 0 when unknown. Kept in memory only.
    intent : str
        What its grey levels were made for.
    instance : str
        Pseudonym of the DICOM instance; empty when unknown.
    part : bool
        It shows a part of a breast: a spot or magnification view, a specimen.
    slices : bool
        It is a stack of slices.
    problem : InputFileError or None
        Why it would be passed over.
    """

    patient: str = field(default="", repr=False)
    laterality: str = ""
    view: str = ""
    day: int = field(default=0, repr=False)
    intent: str = ""
    instance: str = field(default="", repr=False)
    part: bool = False
    slices: bool = False
    problem: InputFileError | None = None


def look_at(path: Path, name: str, member: str | None = None) -> Look:
    """Look at a file; of a picture that is no DICOM, side and view are taken from its name.

    Parameters
    ----------
    path : Path
        The file, or an archive that holds it.
    name : str
        What it is called in the tables.
    member : str, optional
        Its name within a zip archive.

    Raises
    ------
    InputFileError
        If it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        if member is not None or archive_kind(head) is not None:
            with unpacked(path, member) as file, file.open("rb") as stream:
                return _look(file, name, stream.read(HEAD_BYTES))
        return _look(path, name, head)
    except InputFileError:
        raise
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UnreadableFileError(f"cannot be read ({reason})", "check the file") from error


def _look(path: Path, name: str, head: bytes) -> Look:
    if head[128:132] == b"DICM" or looks_like_bare_dicom(head):
        from mcdetect.readers.dicom.look import look_at_dicom

        return look_at_dicom(path)
    side, view = parse_view_name(name.rpartition("/")[2].rpartition(".")[0])
    return Look(laterality=side or "", view=view or "")
