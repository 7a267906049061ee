"""Images of two dates, folder against folder: pairs are found, compared by workers, and kept in the store."""

from mcdetect.runs.pairs.run import ComparedFolders, compare_folders

__all__ = ["ComparedFolders", "compare_folders"]
