"""A pydicom data set in memory as the bytes of a file."""

from __future__ import annotations

import copy
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from mcdetect.errors import UnreadableFileError
from mcdetect.readers.dicom.tags import PYDICOM_ERRORS

__all__ = ["Dataset", "dataset_bytes"]


def dataset_bytes(dataset: Dataset) -> bytes:
    """Return a data set as a DICOM file; it is not changed.

    Parameters
    ----------
    dataset : Dataset
        With or without file meta information. Without a transfer syntax its pixels are taken to be
        uncompressed.

    Raises
    ------
    UnreadableFileError
        If it cannot be written, as when its pixels are compressed and no transfer syntax says how.
    """
    plain = copy.copy(dataset)
    meta = FileMetaDataset()
    meta.update(getattr(dataset, "file_meta", None) or {})
    plain.file_meta = meta
    if not meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        if little is False:
            meta.TransferSyntaxUID = ExplicitVRBigEndian
        else:
            meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    buffer = BytesIO()
    try:
        pydicom.dcmwrite(buffer, plain, enforce_file_format=False)
    except PYDICOM_ERRORS as error:
        raise UnreadableFileError(
            f"the data set cannot be read as a DICOM file ({type(error).__name__})",
            "give it with its file_meta and Transfer Syntax UID, or give the file",
        ) from error
    return buffer.getvalue()
