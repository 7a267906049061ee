"""What the detector is worth: runs that measure it, their recorded results, and the pages made from these.

`python -m benchmarks --list` names the runs.
"""
