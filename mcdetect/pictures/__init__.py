"""Pictures for the eye: windows, marks and letters, and the overlay of one image."""
