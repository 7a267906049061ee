"""Calcifications and groups found, and false ones, on images of known truth."""
