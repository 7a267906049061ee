"""DICOM mammograms: header, pixels, geometry, grey scale, identity and eligibility."""
