"""From matched points to verdicts: new, grown, stable, gone, or uncertain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mcdetect.clusters.features import hull_measures
from mcdetect.exams.comparison.matching import Match, needed
from mcdetect.exams.comparison.points import Points
from mcdetect.exams.comparison.registration import Registration
from mcdetect.exams.comparison.repeatability import Repeatability
from mcdetect.result import Result
from mcdetect.schema import CHANGES, MEMBERS, make_table

__all__ = ["GROWN", "GROWN_AREA", "describe_changes"]

_Ints = npt.NDArray[np.int64]

# Judged: on drawn pairs (python -m benchmarks pairs). Lower ones miss less growth and call more falsely.
GROWN = 2.5
"""Standard deviations from which on more members (or a larger diameter) are growth."""
GROWN_AREA = 3.0
"""Standard deviations from which on a larger hull is growth, when there are new members, too."""

# Judged: from when on a verdict is worth more than "uncertain", and when a note warns.
_CONTINUED = 0.5  # of a prior group's members within one current group: it goes on there
_POOR_MM = 3.0  # position error beyond which the images register too poorly for a verdict
_TELLING = 3  # members from which on the absence of a group means anything
_COARSE = 1.5  # ratio of pixel sizes from which on the other image may not show a group
_NOT_REGISTERED = "the two images do not register"
_MEASURES = (
    ("hull_area_mm2", "hull_area"),
    ("density_per_cm2", "density"),
    ("area_mm2_cv", "heterogeneity"),
)


@dataclass(frozen=True)
class _Entry:
    """One row of the table of changes, as indices into the points of the two images."""

    verdict: str
    note: str
    cluster: int
    prior_clusters: tuple[int, ...]
    prior: _Ints
    current: _Ints
    counted_prior: int
    counted_current: int
    spread: float


@dataclass(frozen=True)
class _Pair:
    prior: Result
    current: Result
    before: Points
    after: Points
    match: Match
    registration: Registration
    repeatability: Repeatability


def describe_changes(
    results: tuple[Result, Result],
    points: tuple[Points, Points],
    match: Match,
    registration: Registration,
    repeatability: Repeatability,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give every group and every calcification of the two images its verdict.

    Parameters
    ----------
    results, points : (prior, current)
    match : Match
    registration : Registration
    repeatability : Repeatability

    Returns
    -------
    changes, members : DataFrame
        With the columns `mcdetect.schema.CHANGES` and `MEMBERS`.
    """
    pair = _Pair(*results, *points, match, registration, repeatability)
    links = _links(pair)
    entries = [_current_entry(pair, group, links) for group in _groups(pair.current)]
    linked = {cluster for clusters in links.values() for cluster in clusters}
    entries += [_prior_entry(pair, group) for group in _groups(pair.prior) if group not in linked]
    return _changes_table(pair, entries), _members_table(pair, entries)


def _groups(result: Result) -> list[int]:
    return [int(k) for k in result.clusters["cluster_id"]]


def _links(pair: _Pair) -> dict[int, tuple[int, ...]]:
    """Return for each group of the current image the groups of the prior one that it continues."""
    links: dict[int, tuple[int, ...]] = {}
    for group in _groups(pair.current):
        own = np.flatnonzero(pair.after.cluster == group)
        partners = pair.match.prior_of[own]
        partners = partners[partners >= 0]
        there = len(partners) >= needed(len(own))
        clusters, counts = np.unique(pair.before.cluster[partners], return_counts=True)
        links[group] = tuple(
            int(k)
            for k, count in zip(clusters, counts, strict=True)
            if k > 0 and count >= 2 and (there or count >= _CONTINUED * int((pair.before.cluster == k).sum()))
        )
    return links


def _current_entry(pair: _Pair, group: int, links: dict[int, tuple[int, ...]]) -> _Entry:
    before, after, match = pair.before, pair.after, pair.match
    own = np.flatnonzero(after.cluster == group)
    partners = match.prior_of[own]
    met = partners >= 0
    none = np.empty(0, np.int64)
    if not pair.registration.registered:
        spread = pair.repeatability.number_sd(0.5 * len(own))
        return _Entry("uncertain", _NOT_REGISTERED, group, (), none, own, 0, len(own), spread)
    if np.count_nonzero(met) < needed(len(own)) and not links[group]:
        verdict, note = _absent(pair, after, own, "new", "prior")
        spread = pair.repeatability.number_sd(0.5 * len(own))
        return _Entry(verdict, note, group, (), partners[met], own, 0, len(own), spread)
    lost = _unmatched_of(pair, group, links)
    fainter = np.flatnonzero(
        (match.prior_of >= 0)
        & ~after.called
        & np.isin(before.cluster[match.prior_of], [k for k in links[group] if k])
        & (match.prior_of >= 0)
    )
    fainter = fainter[[_nearest_group(pair, int(k), links) == group for k in match.prior_of[fainter]]]
    prior = np.concatenate([partners[met], np.array(lost, np.int64), match.prior_of[fainter]])
    current = np.concatenate([own, fainter])
    # What the other image cannot show is no change.
    came = int(np.count_nonzero(~met & after.in_view[own]))
    went = int(np.count_nonzero(before.in_view[np.array(lost, np.int64)])) if lost else 0
    both = int(np.count_nonzero(met)) + len(fainter)
    change = came - went
    # Marks that only one image shows, everywhere: dust and noise that fall into the group by chance.
    chance = [
        _stray(pair, pair.after, match.prior_of, own),
        _stray(pair, pair.before, match.current_of, prior),
    ]
    spread = math.hypot(
        pair.repeatability.number_sd(both + 0.5 * (came + went)), math.sqrt(chance[0] + chance[1])
    )
    area = [_measures(pair, before, prior)["hull_area_mm2"], _measures(pair, after, current)["hull_area_mm2"]]
    wider = 0.0
    if min(area) > 0:
        wider = (area[1] - area[0]) / (0.5 * sum(area))
        wider /= pair.repeatability.relative_sd("hull_area", both)
    more = change - chance[0] + chance[1]
    grown = more > GROWN * spread or (wider > GROWN_AREA and more > max(1.5, spread))
    outside = int(np.count_nonzero(~met & ~after.in_view[own]))
    note = f"{outside} members lie outside the part of the prior image that was searched" if outside else ""
    verdict = "grown" if grown else "stable"
    return _Entry(verdict, note, group, links[group], prior, current, both + went, both + came, spread)


def _stray(pair: _Pair, points: Points, partner: _Ints, own: _Ints) -> float:
    """Return how many marks without partner the hull of a group would hold by chance."""
    lone = points.called & (partner < 0) & points.in_view
    lone[own] = False
    result = pair.current if points is pair.after else pair.prior
    spacing = result.mammogram.spacing
    searched = float(np.count_nonzero(result.breast.searched)) * spacing.row_mm * spacing.col_mm
    grown = 100.0 * len(own) / _hull(points, own)["density_per_cm2"]
    return float(np.count_nonzero(lone)) / max(searched, 1.0) * grown


def _unmatched_of(pair: _Pair, group: int, links: dict[int, tuple[int, ...]]) -> list[int]:
    """Return the members of the linked prior groups that have no partner and lie nearest to this group."""
    alone = np.flatnonzero(
        pair.before.called & (pair.match.current_of < 0) & np.isin(pair.before.cluster, links[group])
    )
    return [int(k) for k in alone if pair.before.cluster[k] and _nearest_group(pair, int(k), links) == group]


def _nearest_group(pair: _Pair, k: int, links: dict[int, tuple[int, ...]]) -> int:
    """Return the current group to which a member of a prior group is counted."""
    cluster = int(pair.before.cluster[k])
    groups = [group for group, clusters in links.items() if cluster in clusters]
    distance = [
        float(np.hypot(*(pair.after.here_mm[pair.after.cluster == group] - pair.before.here_mm[k]).T).min())
        for group in groups
    ]
    return groups[int(np.argmin(distance))]


def _absent(pair: _Pair, points: Points, own: _Ints, verdict: str, other: str) -> tuple[str, str]:
    """Return the verdict on a group that the other image does not show, if it could have shown it."""
    if np.count_nonzero(points.in_view[own]) < max(2, 0.5 * len(own)):
        return "uncertain", f"it lies outside the part of the {other} image that was searched"
    if float(np.median(points.error_mm[own])) > _POOR_MM:
        return "uncertain", "the two images register poorly here"
    few = GROWN * pair.repeatability.number_sd(0.5 * len(own))
    if len(own) < _TELLING or len(own) <= few:
        return "uncertain", "so few members may be missed by chance"
    there = pair.prior if other == "prior" else pair.current
    here = pair.current if other == "prior" else pair.prior
    coarser = there.mammogram.spacing.mean_mm > _COARSE * here.mammogram.spacing.mean_mm
    note = f"the {other} image has larger pixels and may not show it" if coarser else ""
    return verdict, note


def _prior_entry(pair: _Pair, group: int) -> _Entry:
    """Return the entry of a group of the prior image that no group of the current one continues."""
    before, match = pair.before, pair.match
    own = np.flatnonzero(before.cluster == group)
    partners = match.current_of[own]
    met = partners >= 0
    spread = pair.repeatability.number_sd(0.5 * len(own))
    if not pair.registration.registered:
        none = np.empty(0, np.int64)
        return _Entry("uncertain", _NOT_REGISTERED, 0, (group,), own, none, len(own), 0, spread)
    if np.count_nonzero(met) < needed(len(own)):
        verdict, note = _absent(pair, before, own, "gone", "current")
        return _Entry(verdict, note, 0, (group,), own, partners[met], len(own), 0, spread)
    went = int(np.count_nonzero(~met & before.in_view[own]))
    both = int(np.count_nonzero(met))
    note = "seen in the current image, where it forms no group of its own"
    spread = pair.repeatability.number_sd(both + 0.5 * went)
    return _Entry("stable", note, 0, (group,), own, partners[met], both + went, both, spread)


def _hull(points: Points, which: _Ints) -> dict[str, float]:
    place = points.own_mm[which]
    return hull_measures(place - place.mean(axis=0))


def _measures(pair: _Pair, points: Points, which: _Ints) -> dict[str, float]:
    found = {name: math.nan for name, _ in _MEASURES}
    if len(which):
        where = _hull(points, which)
        found |= {name: where[name] for name in ("hull_area_mm2", "density_per_cm2")}
        area = points.area_mm2[which]
        area = area[np.isfinite(area)]
        if area.size > 1 and area.mean() > 0:
            found["area_mm2_cv"] = float(area.std(ddof=1) / area.mean())
    return found


def _changes_table(pair: _Pair, entries: list[_Entry]) -> pd.DataFrame:
    rows = [_row(pair, number, entry) for number, entry in enumerate(entries, start=1)]
    return make_table(CHANGES, {c.name: [row[c.name] for row in rows] for c in CHANGES})


def _row(pair: _Pair, number: int, entry: _Entry) -> dict[str, Any]:
    before, after, repeat = pair.before, pair.after, pair.repeatability
    seen = entry.verdict not in ("new", "gone", "uncertain")
    prior = entry.prior if seen or not entry.cluster else np.empty(0, np.int64)
    current = entry.current if seen or entry.cluster else np.empty(0, np.int64)
    here = after.here_mm[current] if len(current) else before.here_mm[prior]
    there = before.own_mm[prior] if len(prior) else pair.registration.to_prior(after.here_mm[current])
    row: dict[str, Any] = {
        "prior_file": pair.prior.mammogram.source,
        "current_file": pair.current.mammogram.source,
        "change_id": number,
        "verdict": entry.verdict,
        "note": entry.note,
        "current_cluster_id": entry.cluster,
        "prior_cluster_ids": ";".join(str(k) for k in entry.prior_clusters),
        "current_flagged": _flagged(pair.current, (entry.cluster,)),
        "prior_flagged": _flagged(pair.prior, entry.prior_clusters),
        "n_matched": _n_matched(pair, entry),
        "faint_prior": int(np.count_nonzero(~before.called[prior])),
        "faint_current": int(np.count_nonzero(~after.called[current])),
        "position_error_mm": float(np.median(pair.registration.error_at(here))),
    }
    row |= _place(pair.current, here.mean(axis=0), "") | _place(pair.prior, there.mean(axis=0), "prior_")
    members = 0.5 * (entry.counted_prior + entry.counted_current)
    counts = [float(entry.counted_prior), float(entry.counted_current)]
    if entry.verdict == "uncertain":  # what the other image shows is not known
        members = max(counts)
        counts[0 if entry.cluster else 1] = math.nan
    row |= {
        "number_prior": counts[0],
        "number_current": counts[1],
        "number_change": counts[1] - counts[0],
        "number_change_sd": entry.spread,
    }
    one, two = _measures(pair, before, prior), _measures(pair, after, current)
    for name, measure in _MEASURES:
        row[f"{name}_prior"], row[f"{name}_current"] = one[name], two[name]
        row[f"{name}_change"] = two[name] - one[name]
        row[f"{name}_change_sd"] = repeat.relative_sd(measure, members) * 0.5 * (one[name] + two[name])
    return row


def _n_matched(pair: _Pair, entry: _Entry) -> int:
    if entry.cluster:
        return int(np.count_nonzero(pair.match.prior_of[entry.current] >= 0))
    return int(np.count_nonzero(pair.match.current_of[entry.prior] >= 0))


def _flagged(result: Result, clusters: tuple[int, ...]) -> bool:
    table = result.clusters
    return bool(table.loc[table["cluster_id"].isin(clusters), "flagged"].any())


def _place(result: Result, place_mm: npt.NDArray[np.float64], prefix: str) -> dict[str, float]:
    spacing = result.mammogram.spacing
    return {
        f"{prefix}row_px": float(place_mm[0]) / spacing.row_mm - 0.5,
        f"{prefix}col_px": float(place_mm[1]) / spacing.col_mm - 0.5,
    }


def _members_table(pair: _Pair, entries: list[_Entry]) -> pd.DataFrame:
    before, after, match = pair.before, pair.after, pair.match
    of_prior, of_current = np.zeros(len(before), np.int64), np.zeros(len(after), np.int64)
    for number, entry in enumerate(entries, start=1):
        if entry.cluster:
            of_current[entry.current] = number
        if not entry.cluster or entry.verdict in ("grown", "stable"):
            of_prior[entry.prior] = number
            of_current[entry.current] = number
    rows: list[dict[str, Any]] = []
    for k in np.flatnonzero(after.called | (match.prior_of >= 0)):
        partner = int(match.prior_of[k])
        if after.called[k] or (partner >= 0 and before.called[partner]):
            number = int(of_current[k]) or (int(of_prior[partner]) if partner >= 0 else 0)
            rows.append(_member(pair, partner, int(k), number))
    for k in np.flatnonzero(before.called & (match.current_of < 0)):
        rows.append(_member(pair, int(k), -1, int(of_prior[k])))
    return make_table(MEMBERS, {c.name: [row[c.name] for row in rows] for c in MEMBERS})


def _member(pair: _Pair, prior: int, current: int, number: int) -> dict[str, Any]:
    before, after = pair.before, pair.after
    row: dict[str, Any] = {
        "prior_file": pair.prior.mammogram.source,
        "current_file": pair.current.mammogram.source,
        "change_id": number,
    }
    sizes = [math.nan, math.nan]
    for at, name, points in ((prior, "prior", before), (current, "current", after)):
        called = at >= 0 and bool(points.called[at])
        row[f"seen_{name}"] = "no" if at < 0 else "called" if called else "faint"
        row[f"{name}_calcification_id"] = int(points.number[at]) if called else 0
        row[f"{name}_cluster_id"] = int(points.cluster[at]) if called else 0
        if called:
            sizes[name == "current"] = float(points.diameter_mm[at])
    if current >= 0:
        here = after.own_mm[current]
        there = before.own_mm[prior] if prior >= 0 else pair.registration.to_prior(here[None])[0]
    else:
        here, there = before.here_mm[prior], before.own_mm[prior]
    row |= _place(pair.current, here, "") | _place(pair.prior, there, "prior_")
    sd = pair.repeatability.diameter * 0.5 * sum(sizes)
    change = sizes[1] - sizes[0]
    row |= {
        "distance_mm": _distance(pair, prior, current),
        "diameter_mm_prior": sizes[0],
        "diameter_mm_current": sizes[1],
        "diameter_mm_change": change,
        "diameter_mm_change_sd": sd,
    }
    if not pair.registration.registered:
        row["verdict"] = "uncertain"
    elif prior >= 0 and current >= 0:
        row["verdict"] = "grown" if change > GROWN_AREA * sd else "stable"
    else:
        points, at = (after, current) if current >= 0 else (before, prior)
        sure = points.in_view[at] and points.error_mm[at] <= _POOR_MM
        row["verdict"] = ("new" if current >= 0 else "gone") if sure else "uncertain"
    return row


def _distance(pair: _Pair, prior: int, current: int) -> float:
    if prior < 0 or current < 0:
        return math.nan
    step = pair.before.here_mm[prior] - pair.after.here_mm[current]
    group, earlier = int(pair.after.cluster[current]), int(pair.before.cluster[prior])
    if group in pair.match.shift_mm:
        step = step - pair.match.shift_mm[group]
    elif earlier in pair.match.prior_shift_mm:
        step = step + pair.match.prior_shift_mm[earlier]
    return float(np.hypot(step[0], step[1]))
