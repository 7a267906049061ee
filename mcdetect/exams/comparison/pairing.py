"""Which image of an earlier date a present one is compared with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from mcdetect.readers.look import Look

__all__ = ["Dated", "Pair", "Pairing", "find_pairs"]


@dataclass(frozen=True)
class Dated:
    """An image of one of two folders.

    Parameters
    ----------
    file : str
        Its name, relative to its folder.
    look : Look
        What its header says.
    """

    file: str
    look: Look


@dataclass(frozen=True)
class Pair:
    """Two images of one breast in one view, or one image that has no partner.

    Parameters
    ----------
    prior, current : int or None
        Positions in the two lists; None where there is no partner.
    patient : int
        Number of the patient, from 1; 0 when unknown.
    days : int or None
        Between the two; None when a date is unknown.
    reason : str
        Why there is no partner; empty for a pair.
    """

    prior: int | None
    current: int | None
    patient: int
    days: int | None = None
    reason: str = ""


class Pairing(tuple[Pair, ...]):
    """All pairs in the order of the current images, then the prior images that no pair has."""

    __slots__ = ()

    @property
    def whole(self) -> list[Pair]:
        """Those with two images."""
        return [pair for pair in self if pair.prior is not None and pair.current is not None]


def find_pairs(prior: Sequence[Dated], current: Sequence[Dated]) -> Pairing:
    """Find the prior image of each current one.

    Parameters
    ----------
    prior, current : sequence of Dated
        The images of the two folders.

    Returns
    -------
    Pairing

    Notes
    -----
    Where the headers name the patient, an image is compared with the latest earlier image of that patient,
    breast and view; of several of that day with one of the same grey scale. Where they do not, with the image
    that has the same name in the other folder, or with the only one of its breast and view in the folder of
    the same name. Images of two patients are never compared, nor an image with a copy of itself. Stacks of
    slices and spot and magnification views are not compared.
    """
    finder = _Finder(prior)
    numbers = _patient_numbers([*current, *prior])
    alone = _counts(current)
    found: list[Pair] = []
    used: set[int] = set()
    for position, image in enumerate(current):
        partner, reason = finder.partner(image, alone)
        days = None
        if partner is not None:
            used.add(partner)
            days = _days(prior[partner].look, image.look)
        found.append(Pair(partner, position, numbers.get(image.look.patient, 0), days, reason))
    for position, image in enumerate(prior):
        if position not in used:
            reason = _unfit(image.look) or "no image of the current folder is compared with it"
            found.append(Pair(position, None, numbers.get(image.look.patient, 0), None, reason))
    return Pairing(found)


def _patient_numbers(images: Iterable[Dated]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for image in images:
        if image.look.patient:
            numbers.setdefault(image.look.patient, len(numbers) + 1)
    return numbers


def _days(prior: Look, current: Look) -> int | None:
    return current.day - prior.day if prior.day and current.day else None


def _unfit(look: Look) -> str:
    """Return why an image is not compared, whatever the others are."""
    if look.slices:
        return "it holds slices of tomosynthesis, which are not compared"
    if look.part:
        return "it shows a part of the breast (spot or magnification view, specimen), which is not compared"
    return ""


_Key = tuple[str, str, str]


def _place(image: Dated) -> _Key:
    return str(PurePosixPath(image.file).parent), image.look.laterality, image.look.view


def _counts(images: Iterable[Dated]) -> dict[_Key, int]:
    counts: dict[_Key, int] = defaultdict(int)
    for image in images:
        if not _unfit(image.look):
            counts[_place(image)] += 1
    return counts


class _Finder:
    """The prior images, by what they are looked for."""

    def __init__(self, prior: Sequence[Dated]) -> None:
        self.prior = prior
        self.of_patient: dict[_Key, list[int]] = defaultdict(list)
        self.of_name: dict[str, int] = {}
        self.of_place: dict[_Key, list[int]] = defaultdict(list)
        self.patients: set[str] = set()
        for position, image in enumerate(prior):
            look = image.look
            if look.patient:
                self.patients.add(look.patient)
            if _unfit(look):
                continue
            self.of_name[image.file] = position
            self.of_place[_place(image)].append(position)
            if look.patient:
                self.of_patient[look.patient, look.laterality, look.view].append(position)

    def partner(self, image: Dated, alone: dict[_Key, int]) -> tuple[int | None, str]:
        """Return the position of the prior image, or None and the reason."""
        look = image.look
        if reason := _unfit(look):
            return None, reason
        if look.patient and look.patient in self.patients:
            if not (look.laterality and look.view):
                return self._by_name(image, "its header does not name breast and view")
            return self._latest(image)
        found, reason = self._by_name(image, "")
        if found is not None:
            return found, ""
        place = _place(image)
        here = [k for k in self.of_place.get(place, ()) if self._may_be(self.prior[k].look, look)]
        if all(place) and place[0] != "." and len(here) == 1 and alone[place] == 1:
            return here[0], ""
        if look.patient:
            return None, "no prior image is of its patient"
        return (
            None,
            "its header names no patient, and no prior image has its name or its place",
        )

    def _by_name(self, image: Dated, reason: str) -> tuple[int | None, str]:
        found = self.of_name.get(image.file)
        if found is not None and self._may_be(self.prior[found].look, image.look):
            return found, ""
        return None, reason

    def _latest(self, image: Dated) -> tuple[int | None, str]:
        look = image.look
        known = self.of_patient.get((look.patient, look.laterality, look.view), ())
        others = [k for k in known if not _same_instance(self.prior[k].look, look)]
        earlier = [k for k in others if not _later(self.prior[k].look, look)]
        if earlier:
            return max(earlier, key=lambda k: self._rank(k, look)), ""
        if others:
            return None, "the prior images of its breast and view are of a later date"
        if known:
            return None, "the prior image of its breast and view is a copy of it"
        return None, f"its patient has no prior image of the view {look.laterality} {look.view}"

    def _rank(self, position: int, look: Look) -> tuple[bool, int, bool, int]:
        """Return what is best largest: an earlier day, the latest, the same grey scale, the first."""
        prior = self.prior[position].look
        return prior.day < look.day, prior.day, prior.intent == look.intent, -position

    @staticmethod
    def _may_be(prior: Look, current: Look) -> bool:
        """Tell whether nothing says that they are of two patients, breasts or views, or one image."""
        for name in ("patient", "laterality", "view"):
            one, two = getattr(prior, name), getattr(current, name)
            if one and two and one != two:
                return False
        return not (_same_instance(prior, current) or _later(prior, current))


def _same_instance(prior: Look, current: Look) -> bool:
    return bool(prior.instance) and prior.instance == current.instance


def _later(prior: Look, current: Look) -> bool:
    return bool(prior.day and current.day) and prior.day > current.day
