"""Stub."""
import numpy as np
def chest_wall_side(mask):
    return None
def find_pectoral(*a): return np.zeros_like(a[1])
