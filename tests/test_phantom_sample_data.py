"""The sample data: small enough, in different encodings, and its truth fits the files."""

from __future__ import annotations

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from scipy.ndimage import gaussian_filter
from test_phantom_dicom import stored_pixels
from test_phantom_groups import RADIUS_MM, most_in_disc_by_brute_force

SAMPLES = Path(__file__).parent.parent / "sample_data"
FILES = ["cluster_raw_L_MLO.dcm", "clusters_L_CC.dcm", "normal_R_MLO.dcm", "scattered_R_CC.dcm"]


@pytest.fixture(scope="module")
def calcifications():
    return pd.read_csv(SAMPLES / "truth_calcifications.csv")


@pytest.fixture(scope="module")
def clusters():
    return pd.read_csv(SAMPLES / "truth_clusters.csv")


def test_size_and_encodings():
    files = sorted(SAMPLES.glob("*.dcm"))
    assert [path.name for path in files] == FILES
    assert sum(path.stat().st_size for path in SAMPLES.iterdir() if path.is_file()) <= 12e6
    assert len({pydicom.dcmread(path).file_meta.TransferSyntaxUID for path in files}) == 4
    raw = pydicom.dcmread(SAMPLES / FILES[0], stop_before_pixels=True)
    assert raw.PresentationIntentType == "FOR PROCESSING"
    assert raw.PhotometricInterpretation == "MONOCHROME1"


@pytest.mark.parametrize("name", ["cluster_raw_L_MLO.dcm", "clusters_L_CC.dcm", "scattered_R_CC.dcm"])
def test_each_true_calcification_stands_out_in_its_file(name, calcifications):
    ds = pydicom.dcmread(SAMPLES / name, stop_before_pixels=True)
    pixels = stored_pixels(SAMPLES / name).astype(np.float32)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        pixels = -np.log(np.maximum(pixels - 50, 1))
    pitch = float(ds.ImagerPixelSpacing[0])
    truth = calcifications[calcifications["file"] == name]
    assert len(truth) >= 12
    measured = []
    for calc in truth.itertuples():
        # The filter of the definition, for a compact grain behind the system's blur.
        sigma = math.sqrt((calc.diameter_mm / math.sqrt(20)) ** 2 + 0.05**2 + pitch**2 / 12) / pitch
        i, j = round(calc.row_px), round(calc.col_px)
        patch = pixels[max(i - 60, 0) : i + 61, max(j - 60, 0) : j + 61]
        response = gaussian_filter(patch, sigma) - gaussian_filter(patch, 2 * sigma)
        i, j = min(i, 60), min(j, 60)
        near = response[max(i - 30, 0) : i + 31, max(j - 30, 0) : j + 31]
        spread = 1.4826 * np.median(np.abs(near - np.median(near)))
        measured.append(response[i - 1 : i + 2, j - 1 : j + 2].max() / spread)
    assert min(measured) > 3.5
    assert np.mean(measured / truth["snr"]) == pytest.approx(1.0, abs=0.25)
    assert np.corrcoef(measured, truth["snr"])[0, 1] > 0.7


def test_clusters_are_made_of_the_calcifications(calcifications, clusters):
    assert set(clusters["file"]) == {"cluster_raw_L_MLO.dcm", "clusters_L_CC.dcm"}
    assert sorted(clusters["kind"]) == ["linear", "round", "segmental"]
    for cluster in clusters.itertuples():
        same_file = calcifications[calcifications["file"] == cluster.file]
        members = same_file[same_file["cluster"] == cluster.cluster]
        assert len(members) == cluster.n_calcifications
        assert members["row_px"].min() == pytest.approx(cluster.min_row_px)
        assert members["col_px"].max() == pytest.approx(cluster.max_col_px)
        points = members[["row_px", "col_px"]].to_numpy() * cluster.pixel_spacing_mm
        assert most_in_disc_by_brute_force(points, RADIUS_MM, 0.2) >= 5


def test_singles_are_never_five_in_a_square_centimetre(calcifications):
    scattered = calcifications[calcifications["file"] == "scattered_R_CC.dcm"]
    assert len(scattered) >= 12
    assert (scattered["cluster"] == 0).all()
    points = scattered[["row_px", "col_px"]].to_numpy() * 0.1
    assert most_in_disc_by_brute_force(points, RADIUS_MM + 0.3) < 5
    assert "normal_R_MLO.dcm" not in set(calcifications["file"])


@pytest.mark.slow
def test_the_script_makes_these_files(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("make_sample_data", SAMPLES / "make_sample_data.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.make(tmp_path)
    capsys.readouterr()
    for name in ("truth_calcifications.csv", "truth_clusters.csv"):
        fresh, kept = pd.read_csv(tmp_path / name), pd.read_csv(SAMPLES / name)
        assert list(fresh.columns) == list(kept.columns)
        pd.testing.assert_frame_equal(fresh, kept, check_exact=False, rtol=1e-2)
    for name in FILES:
        fresh = stored_pixels(tmp_path / name).astype(int)
        kept = stored_pixels(SAMPLES / name).astype(int)
        # Other builds of the libraries may round differently, rarely and by little.
        assert (np.abs(fresh - kept) > 1).mean() < 1e-3
