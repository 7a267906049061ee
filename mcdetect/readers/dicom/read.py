"""Reads one DICOM mammogram, or says what stands in its way."""

from __future__ import annotations

from pathlib import Path

from pydicom import uid
from pydicom.dataset import Dataset

from mcdetect.errors import InputFileError, MissingSpacingError, NotEligibleError, UnreadableFileError
from mcdetect.image.mammogram import Intent, Mammogram, PixelSpacing
from mcdetect.image.views import PART_VIEWS
from mcdetect.readers.area import note_breasts, plausible_spacing
from mcdetect.readers.dicom.columns import header_columns
from mcdetect.readers.dicom.decode import StoredPixels, read_stored_pixels
from mcdetect.readers.dicom.eligibility import eligibility_problem, frame_count
from mcdetect.readers.dicom.geometry import find_spacing
from mcdetect.readers.dicom.greyscale import GreyScale, to_grey_scale
from mcdetect.readers.dicom.identity import Identity, identify, study_pseudonym
from mcdetect.readers.dicom.magnified import magnified_spacing
from mcdetect.readers.dicom.origin import find_origin
from mcdetect.readers.dicom.quiet import quiet
from mcdetect.readers.dicom.source import DicomSource, open_dicom
from mcdetect.readers.dicom.stack import Kind, kind_of_frames
from mcdetect.readers.dicom.tags import integer, text
from mcdetect.readers.dicom.tomosynthesis import note_stack, to_volume
from mcdetect.readers.examination import (
    Examination,
    Examiner,
    check_extent,
    describe_spacing,
)

__all__ = ["examine_dicom"]


def examine_dicom(
    path: Path,
    given: PixelSpacing | None = None,
    *,
    force: bool = False,
    frame: int | None = None,
    thorough: bool = False,
    magnification: float | None = None,
    specimens: bool = False,
    pixels: bool = True,
) -> Examination:
    """Read a DICOM file: a mammogram, or a stack of tomosynthesis slices.

    Parameters
    ----------
    path : Path
        The file.
    given : PixelSpacing, optional
        Used where the header has no usable spacing.
    force : bool
        Read images that would be passed over (other modalities, stacks, specimens).
    frame : int, optional
        Frame of a multi-frame image, from 0; without it, slices are read as a volume.
    thorough : bool
        Collect every problem instead of raising the first.
    magnification : float, optional
        Geometric magnification of magnification views whose header does not tell it.
    specimens : bool
        Read radiographs of specimens, too.
    pixels : bool
        False reads the header only; there is no mammogram then.

    Raises
    ------
    InputFileError
        The first problem, unless `thorough`; a file that cannot be parsed always raises.
    """
    examiner = Examiner(thorough)
    try:
        with quiet(), open_dicom(path) as source:
            return _examine(source, path, examiner, given, force, frame, magnification, specimens, pixels)
    except InputFileError:
        raise
    except Exception as error:  # a hostile file makes the parser raise anything
        raise UnreadableFileError(
            f"the DICOM file is damaged ({type(error).__name__})", "obtain the file again"
        ) from error


def _examine(
    source: DicomSource,
    path: Path,
    examiner: Examiner,
    given: PixelSpacing | None,
    force: bool,
    asked: int | None,
    magnification: float | None,
    specimens: bool,
    pixels: bool,
) -> Examination:
    header = source.header
    identity = identify(header)
    _note_header(examiner, source, identity)
    examiner.header, examiner.study = header_columns(header), study_pseudonym(header)
    examiner.flag(*identity.flags)
    if not source.stated:
        examiner.flag("transfer syntax missing: recognised from the data")

    refusal = eligibility_problem(header, identity, whole=asked is None, specimens=specimens)
    if refusal is not None:
        if force:
            examiner.flag(f"forced: {refusal.cause}")
        else:
            examiner.problem(refusal)

    if source.pixel_element is None and integer(header, "Rows") is None:
        examiner.problem(_without_pixels(header))
        return examiner.finish(None)
    stack, frame = None, asked or 0
    if asked is None and frame_count(header) > 1 and kind_of_frames(header) is Kind.SLICES:
        stack = note_stack(examiner, source)
        frame = stack.frames[len(stack.frames) // 2]
    part = not PART_VIEWS.isdisjoint(identity.flags)
    magnified = "magnification view" in identity.flags
    spacing = _spacing(examiner, header, given, frame, magnified, magnification)
    if not pixels:
        return examiner.finish(None)
    stored, grey = _pixels(examiner, source, identity, frame)
    if grey is None or stored is None:
        return examiner.finish(None)
    laterality = identity.laterality if part else _laterality(examiner, identity, grey)
    if spacing is None:
        return examiner.finish(None)
    try:
        check_extent(grey.pixels.shape[0], grey.pixels.shape[1], spacing)
        whole = None if part else grey.breast
        used, remark = plausible_spacing(whole, grey.pixels.size, spacing, given)
        examiner.flag(*[remark] if remark else [])
        if used is not spacing:
            spacing = used
            examiner.note("pixel spacing", describe_spacing(spacing))
            examiner.note("given pixel spacing", "used instead of the header's")
    except InputFileError as error:
        examiner.problem(error)
    if stack is not None:
        return examiner.finish(
            to_volume(source, path, stack, (stored, grey), spacing, identity, laterality, examiner)
        )
    return examiner.finish(
        Mammogram(
            pixels=grey.pixels,
            spacing=spacing,
            valid=grey.valid,
            zero_exposure_level=grey.zero_exposure_level,
            saturation_level=grey.saturation_level,
            intent=identity.intent,
            laterality=laterality,
            view=identity.view,
            display_window=grey.display_window,
            polarity_source=grey.polarity,
            source=path.name,
            study=examiner.study,
            header=dict(examiner.header),
            origin=find_origin(header, laterality, identity.view),
            flags=tuple(examiner.flags),
            details=dict(examiner.facts),
        )
    )


def _note_header(examiner: Examiner, source: DicomSource, identity: Identity) -> None:
    header = source.header
    sop_class = uid.UID(text(header, "SOPClassUID"))
    known = sop_class.name != sop_class
    syntax = source.transfer_syntax
    examiner.note("format", "DICOM")
    examiner.note("view", _with_source(identity.view, identity.view_source))
    examiner.note("laterality", _with_source(identity.laterality, identity.laterality_source))
    examiner.note("intent", identity.intent)
    examiner.note("modality", text(header, "Modality")[:16] or "missing")
    examiner.note("SOP class", sop_class.name if known else "unknown")
    examiner.note("manufacturer", text(header, "Manufacturer")[:64])
    examiner.note("model", text(header, "ManufacturerModelName")[:64])
    examiner.note("transfer syntax", syntax.name if syntax.name != syntax else "unknown or private")
    rows, cols = integer(header, "Rows"), integer(header, "Columns")
    if rows is not None and cols is not None:
        examiner.note("size", f"{rows} x {cols} pixels (rows x columns)")
    if (frames := frame_count(header)) > 1:
        examiner.note("frames", frames)
    stored, allocated = integer(header, "BitsStored"), integer(header, "BitsAllocated")
    if allocated is not None:
        signed = "signed" if integer(header, "PixelRepresentation") == 1 else "unsigned"
        examiner.note("bits", f"{stored or allocated} of {allocated}, {signed}")
    examiner.note("photometric interpretation", text(header, "PhotometricInterpretation")[:16])


def _with_source(value: str | None, source: str) -> str:
    return f"{value} ({source})" if value else "unknown"


def _spacing(
    examiner: Examiner,
    header: Dataset,
    given: PixelSpacing | None,
    frame: int,
    magnified: bool,
    magnification: float | None,
) -> PixelSpacing | None:
    try:
        spacing, flags = find_spacing(header, given, frame=frame)
        from_header = spacing is not given
        if magnified:
            spacing, more = magnified_spacing(
                header, spacing, given_factor=magnification, by_user=not from_header
            )
            flags += more
    except MissingSpacingError as error:
        examiner.note("pixel spacing", "unknown")
        examiner.problem(error)
        return None
    examiner.flag(*flags)
    examiner.note("pixel spacing", describe_spacing(spacing))
    if given is not None and from_header:
        examiner.note("given pixel spacing", "not used, since the header has one")
    return spacing


def _pixels(
    examiner: Examiner, source: DicomSource, identity: Identity, frame: int
) -> tuple[StoredPixels | None, GreyScale | None]:
    """Decode and convert; problems go to the examiner."""
    try:
        stored = read_stored_pixels(source, frame)
    except InputFileError as error:
        examiner.problem(error)
        return None, None
    examiner.flag(*stored.flags)
    try:
        grey = to_grey_scale(source.header, stored, identity.intent)
    except InputFileError as error:
        examiner.note("grey scale", "; ".join(stored.steps))
        examiner.problem(error)
        return stored, None
    examiner.flag(*grey.flags)
    examiner.note("grey scale", "; ".join(grey.steps) or "used as stored")
    examiner.note("polarity", grey.polarity)
    note_breasts(examiner, grey.breast)
    if grey.display_window is not None:
        examiner.note("display window", "{:g} to {:g}".format(*grey.display_window))
    if grey.saturation_level is not None:
        examiner.note("saturated from", f"{grey.saturation_level:g}")
    return stored, grey


def _without_pixels(header: Dataset) -> InputFileError:
    """Say of a file without image what it is: pixels that a maker hides in private elements are no damage."""
    makers = [element for element in header if element.tag.is_private_creator and element.tag.group > 0x7000]
    if makers:
        return NotEligibleError(
            f"its pixels are in private elements of {str(makers[0].value)[:32]} (tomosynthesis or such)",
            "export it as Breast Tomosynthesis Image Storage, or give the 2D mammograms",
        )
    return UnreadableFileError("it holds no image (no pixel data)", "give the image files only")


def _laterality(examiner: Examiner, identity: Identity, grey: GreyScale) -> str | None:
    """Check the side against the pixels, or take it from them where the header has none.

    Left breasts are shown with the chest wall on the left. Patient Orientation overrides the
    convention: rows that run to anterior start at the chest wall.
    """
    if grey.air_side in ("top", "bottom"):
        wall = "top" if grey.air_side == "bottom" else "bottom"
        examiner.note("chest wall", wall)
        examiner.flag(f"the chest wall is at the {wall}: the image is turned")
    if grey.air_side not in ("left", "right"):
        return identity.laterality
    wall = "L" if grey.air_side == "right" else "R"
    examiner.note("chest wall", "left" if wall == "L" else "right")
    if identity.laterality is None:
        if identity.intent is Intent.FILM or identity.row_direction:
            return None
        examiner.flag("laterality taken from the side of the chest wall")
        return wall
    if identity.row_direction:
        expected = "L" if identity.row_direction == "A" else "R"
        if wall != expected:
            examiner.flag("the chest wall is not where Patient Orientation says")
    elif wall != identity.laterality:
        examiner.flag(f"the chest wall is on the side usual for {wall}, not {identity.laterality}")
    return identity.laterality
