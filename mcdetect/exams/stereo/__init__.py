"""Stereotactic pairs: how deep calcifications lie, from their shift between two exposures of known angles."""

from mcdetect.exams.stereo.geometry import StereoGeometry, stereo_geometry
from mcdetect.exams.stereo.measure import Stereo, measure_stereo
from mcdetect.exams.stereo.pairing import MarkPairs, pair_marks

__all__ = ["MarkPairs", "Stereo", "StereoGeometry", "measure_stereo", "pair_marks", "stereo_geometry"]
