"""What is found: calcifications and groups as arrays inside, as tables at the edge."""

from mcdetect.result.clusters import Clusters
from mcdetect.result.marks import Calcifications, Marks
from mcdetect.result.result import Result

__all__ = ["Calcifications", "Clusters", "Marks", "Result"]
