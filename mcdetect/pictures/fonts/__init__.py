"""The font of the pictures: DejaVu Sans 2.37, unmodified, under the licence beside it."""
