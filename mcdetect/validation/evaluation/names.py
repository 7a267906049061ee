"""How the names of two tables differ that mean the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mcdetect.validation.evaluation.readers import image_key

__all__ = ["misnamed"]


def misnamed(truth: Sequence[str], others: Sequence[str]) -> str:
    """Return how names of the truth differ from those of the images, when they are the same otherwise.

    Parameters
    ----------
    truth, others : sequence of str
        Names that have no partner among the others, and the others.
    """
    ways: tuple[tuple[str, Callable[[str], str]], ...] = (
        ("by capital letters only", str.casefold),
        ("by blanks only", lambda name: "".join(name.split())),
        ("by folder only", lambda name: name.replace("\\", "/").rpartition("/")[2]),
        ("by suffix only", _without_suffix),
        ("by folder or suffix only", lambda name: image_key(name, "stem")),
        ("by folder, suffix or capital letters only", lambda name: image_key(name, "stem").casefold()),
    )
    for how, key in ways:
        known = {key(name) for name in others}
        if truth and all(key(name) in known for name in truth):
            return how
    return ""


def _without_suffix(name: str) -> str:
    folder, slash, last = name.replace("\\", "/").rpartition("/")
    return folder + slash + (last.rpartition(".")[0] or last)
