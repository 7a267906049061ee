"""Compiled kernels: arrays in, arrays out; they import nothing else of mcdetect."""
