"""The third stage: the outline of each calcification, and its measures."""
