"""Draw the sample mammograms and write them with their truth.

Usage: python sample_data/make_sample_data.py [--out DIR]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from mcdetect.image.mammogram import Intent
from mcdetect.phantom import (
    Acquisition,
    Calcifications,
    Encoding,
    Group,
    GroupKind,
    PhantomMammogram,
    Scatter,
    SystemBlur,
    Tissue,
    draw_mammogram,
    write_dicom,
)

VISIBLE = Calcifications(diameter_mm=(0.2, 0.55), snr=(8.0, 20.0))
SUBTLE = Calcifications(diameter_mm=(0.18, 0.4), snr=(6.0, 14.0))


@dataclass(frozen=True)
class Sample:
    """One image of the sample data: how it is drawn and how it is stored."""

    name: str
    seed: int
    shape: tuple[int, int]
    pixel_spacing_mm: float
    view: str
    laterality: str
    encoding: Encoding
    tissue: Tissue
    photometric: str = "MONOCHROME2"
    intent: Intent = Intent.FOR_PRESENTATION
    acquisition: Acquisition = field(default_factory=Acquisition)
    groups: tuple[Group, ...] = ()
    scatter: Scatter = field(default_factory=Scatter)

    def draw(self) -> PhantomMammogram:
        """Draw the picture and its truth."""
        return draw_mammogram(
            self.shape,
            self.pixel_spacing_mm,
            seed=self.seed,
            view=self.view,
            laterality=self.laterality,
            intent=self.intent,
            groups=self.groups,
            scatter=self.scatter,
            tissue=self.tissue,
            acquisition=self.acquisition,
        )


SAMPLES = (
    Sample(
        name="clusters_L_CC.dcm",
        seed=46,
        shape=(2294, 1914),
        pixel_spacing_mm=0.0941,
        view="CC",
        laterality="L",
        encoding=Encoding.JPEG_LOSSLESS,
        tissue=Tissue(density=0.45),
        groups=(
            Group(n=16, extent_mm=9.0, kind=GroupKind.ROUND, calcifications=VISIBLE),
            Group(n=10, extent_mm=11.0, kind=GroupKind.LINEAR, calcifications=SUBTLE),
        ),
        scatter=Scatter(n=5, max_in_disc=2, calcifications=VISIBLE),
    ),
    Sample(
        name="scattered_R_CC.dcm",
        seed=12,
        shape=(2048, 1664),
        pixel_spacing_mm=0.1,
        view="CC",
        laterality="R",
        encoding=Encoding.JPEG_LS,
        tissue=Tissue(density=0.3),
        scatter=Scatter(n=18, max_in_disc=3, calcifications=VISIBLE),
    ),
    Sample(
        name="normal_R_MLO.dcm",
        seed=13,
        shape=(2400, 1800),
        pixel_spacing_mm=0.085,
        view="MLO",
        laterality="R",
        encoding=Encoding.JPEG_2000,
        tissue=Tissue(density=0.35, vessels=8),
    ),
    Sample(
        name="cluster_raw_L_MLO.dcm",
        seed=32,
        shape=(1920, 1536),
        pixel_spacing_mm=0.105,
        view="MLO",
        laterality="L",
        encoding=Encoding.DEFLATED,
        photometric="MONOCHROME1",
        intent=Intent.FOR_PROCESSING,
        tissue=Tissue(density=0.55),
        acquisition=Acquisition(blur=SystemBlur(0.06), thickness_mm=46.0),
        groups=(Group(n=12, extent_mm=12.0, kind=GroupKind.SEGMENTAL, calcifications=VISIBLE),),
        scatter=Scatter(n=4, max_in_disc=2, calcifications=VISIBLE),
    ),
)


def make(out: Path) -> None:
    """Write the images and truth_calcifications.csv and truth_clusters.csv."""
    out.mkdir(parents=True, exist_ok=True)
    calcifications: list[pd.DataFrame] = []
    clusters: list[pd.DataFrame] = []
    for sample in SAMPLES:
        phantom = sample.draw()
        path = out / sample.name
        write_dicom(phantom, path, encoding=sample.encoding, photometric=sample.photometric)
        truth = phantom.truth.rename(columns={"group_id": "cluster"}).drop(columns="clipped")
        calcifications.append(truth.assign(file=sample.name))
        clusters.append(
            phantom.clusters.rename(columns={"group_id": "cluster"}).assign(
                file=sample.name, pixel_spacing_mm=sample.pixel_spacing_mm
            )
        )
        megabytes = path.stat().st_size / 1e6
        print(
            f"{sample.name}: {len(truth)} calcifications, {len(phantom.clusters)} groups, {megabytes:.1f} MB"
        )
    _write(
        [table for table in calcifications if len(table)],
        [
            "file",
            "row_px",
            "col_px",
            "diameter_mm",
            "snr",
            "peak_contrast",
            "peak_thickness_mm",
            "cluster",
            "kind",
        ],
        out / "truth_calcifications.csv",
    )
    _write(
        [table for table in clusters if len(table)],
        [
            "file",
            "cluster",
            "kind",
            "n_calcifications",
            "row_px",
            "col_px",
            "min_row_px",
            "min_col_px",
            "max_row_px",
            "max_col_px",
            "pixel_spacing_mm",
        ],
        out / "truth_clusters.csv",
    )


def _write(tables: list[pd.DataFrame], columns: list[str], path: Path) -> None:
    pd.concat(tables, ignore_index=True)[columns].to_csv(
        path, index=False, float_format="%.4f", lineterminator="\n"
    )


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder to write to")
    make(parser.parse_args().out)


if __name__ == "__main__":
    main()
