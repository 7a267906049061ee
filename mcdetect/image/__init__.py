"""What a mammogram is in memory: pixels, spacing with its source, view."""
