"""Loaded by the mutation campaign before it forks its workers: each would load all kernels once more."""

from __future__ import annotations

from mcdetect import detect
from tests.drawn_scene import draw

detect(draw().mammogram)
