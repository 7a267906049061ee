"""Benchmarks of what reads files."""
