"""Mammograms whose truth is known: drawn from scratch, or calcifications drawn into real backgrounds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mcdetect.phantom.calcifications import CalcificationStamp, SystemBlur, draw_calcification
from mcdetect.phantom.groups import (
    GroupKind,
    group_positions_mm,
    max_points_in_disc,
    scattered_positions_mm,
)
from mcdetect.phantom.insertion import (
    CalcificationSpec,
    bandpass,
    insert_calcifications,
    random_specs,
)
from mcdetect.phantom.members import MemberForm, draw_member, vessel_walls_mm

# Imported when first used: these need more of SciPy, and pydicom.
_LATER = {
    "Acquisition": "mcdetect.phantom.exposure",
    "BodyForm": "mcdetect.phantom.body_forms",
    "BodySpec": "mcdetect.phantom.bodies",
    "BodyStamp": "mcdetect.phantom.bodies",
    "Calcifications": "mcdetect.phantom.placement",
    "Deformation": "mcdetect.phantom.deformation",
    "Encoding": "mcdetect.phantom.dicom_writer",
    "FilmLook": "mcdetect.phantom.film",
    "Group": "mcdetect.phantom.placement",
    "InsertedBodies": "mcdetect.phantom.bodies",
    "PhantomMammogram": "mcdetect.phantom.frame",
    "PhantomPair": "mcdetect.phantom.pairs",
    "PhantomTomosynthesis": "mcdetect.phantom.tomosynthesis",
    "Scatter": "mcdetect.phantom.placement",
    "StereoGroup": "mcdetect.phantom.stereo",
    "StereoPhantom": "mcdetect.phantom.stereo",
    "Storage": "mcdetect.phantom.pairs",
    "Sweep": "mcdetect.phantom.tomosynthesis",
    "Tissue": "mcdetect.phantom.anatomy",
    "called_verdicts": "mcdetect.phantom.pairs",
    "deform_image": "mcdetect.phantom.deformation",
    "draw_body": "mcdetect.phantom.bodies",
    "draw_magnified": "mcdetect.phantom.magnified",
    "draw_mammogram": "mcdetect.phantom.frame",
    "draw_pair": "mcdetect.phantom.pairs",
    "draw_stereo": "mcdetect.phantom.stereo",
    "draw_tomosynthesis": "mcdetect.phantom.tomosynthesis",
    "insert_bodies": "mcdetect.phantom.bodies",
    "random_body": "mcdetect.phantom.bodies",
    "random_deformation": "mcdetect.phantom.deformation",
    "write_dicom": "mcdetect.phantom.dicom_writer",
    "write_projections": "mcdetect.phantom.dicom_tomosynthesis",
    "write_tomosynthesis": "mcdetect.phantom.dicom_tomosynthesis",
}

__all__ = [
    "Acquisition",
    "BodyForm",
    "BodySpec",
    "BodyStamp",
    "CalcificationSpec",
    "CalcificationStamp",
    "Calcifications",
    "Deformation",
    "Encoding",
    "FilmLook",
    "Group",
    "GroupKind",
    "InsertedBodies",
    "MemberForm",
    "PhantomMammogram",
    "PhantomPair",
    "PhantomTomosynthesis",
    "Scatter",
    "StereoGroup",
    "StereoPhantom",
    "Storage",
    "Sweep",
    "SystemBlur",
    "Tissue",
    "bandpass",
    "called_verdicts",
    "deform_image",
    "draw_body",
    "draw_calcification",
    "draw_magnified",
    "draw_mammogram",
    "draw_member",
    "draw_pair",
    "draw_stereo",
    "draw_tomosynthesis",
    "group_positions_mm",
    "insert_bodies",
    "insert_calcifications",
    "max_points_in_disc",
    "random_body",
    "random_deformation",
    "random_specs",
    "scattered_positions_mm",
    "vessel_walls_mm",
    "write_dicom",
    "write_projections",
    "write_tomosynthesis",
]

if TYPE_CHECKING:
    from mcdetect.phantom.anatomy import Tissue
    from mcdetect.phantom.bodies import (
        BodySpec,
        BodyStamp,
        InsertedBodies,
        draw_body,
        insert_bodies,
        random_body,
    )
    from mcdetect.phantom.body_forms import BodyForm
    from mcdetect.phantom.deformation import Deformation, deform_image, random_deformation
    from mcdetect.phantom.dicom_tomosynthesis import write_projections, write_tomosynthesis
    from mcdetect.phantom.dicom_writer import Encoding, write_dicom
    from mcdetect.phantom.exposure import Acquisition
    from mcdetect.phantom.film import FilmLook
    from mcdetect.phantom.frame import PhantomMammogram, draw_mammogram
    from mcdetect.phantom.magnified import draw_magnified
    from mcdetect.phantom.pairs import PhantomPair, Storage, called_verdicts, draw_pair
    from mcdetect.phantom.placement import Calcifications, Group, Scatter
    from mcdetect.phantom.stereo import StereoGroup, StereoPhantom, draw_stereo
    from mcdetect.phantom.tomosynthesis import PhantomTomosynthesis, Sweep, draw_tomosynthesis


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'mcdetect.phantom' has no attribute {name!r}")
    value = getattr(import_module(_LATER[name]), name)
    globals()[name] = value
    return value
