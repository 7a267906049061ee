"""Files to mammograms: DICOM and plain pictures."""
