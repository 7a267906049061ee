"""Every feature that the documents call computable from the tables, computed from them by the text alone.

A small implementation of its own, after docs/features.md: it takes nothing from mcdetect, and reads nothing
but the tables of one image (images, calcifications, clusters).
"""

from __future__ import annotations

import math
from itertools import combinations

import cv2
import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import Delaunay, QhullError
from scipy.spatial.distance import cdist

NAN = math.nan
STATISTICS = ("mean", "sd", "cv", "iqr", "range", "entropy", "worst", "second_worst")
SHARES = ("circularity", "compactness", "eccentricity", "solidity", "roughness")
LOWEST = ("circularity", "solidity", "edge_sharpness_per_mm")
MEASURES = (
    *("area_mm2", "diameter_mm", "perimeter_mm", "major_axis_mm", "minor_axis_mm", "aspect", "circularity"),
    *("compactness", "eccentricity", "solidity", "roughness", "moment_irregularity", "contrast"),
    *("integrated_contrast_mm2", "edge_sharpness_per_mm", "rim_ratio", "snr"),
)


def step(value, low, high):
    """0.1 at low, 0.5 half way, 0.9 at high, and logistic."""
    slope = math.log(81.0) / (high - low)
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-slope * (np.asarray(value, float) - (low + high) / 2.0)))


def falling(value, low, high):
    return 1.0 - step(value, low, high)


def known(values):
    """What is not known counts 0."""
    return np.nan_to_num(values, nan=0.0)


def places(table, image):
    return table[["row_px", "col_px"]].to_numpy(float) * (image["row_spacing_mm"], image["col_spacing_mm"])


def nipple(image):
    return np.array([image["nipple_row_px"], image["nipple_col_px"]], float) * (
        image["row_spacing_mm"],
        image["col_spacing_mm"],
    )


def nearest(points):
    """Distance of each point to the nearest other."""
    apart = cdist(points, points)
    np.fill_diagonal(apart, np.inf)
    return apart.min(axis=1) if len(points) > 1 else np.full(len(points), NAN)


# ------------------------------------------------------------------ calcifications


def calcifications(found: pd.DataFrame, image: pd.Series) -> dict[str, np.ndarray]:
    """Return the features of calcifications by column."""
    area, around = found["area_mm2"].to_numpy(), found["perimeter_mm"].to_numpy()
    major, minor = found["major_axis_mm"].to_numpy(), found["minor_axis_mm"].to_numpy()
    outlined = np.isfinite(area)
    circularity = np.where(outlined, np.minimum(4.0 * np.pi * area / around**2, 1.0), NAN)
    with np.errstate(divide="ignore"):
        aspect = np.where(minor > 0, major / minor, NAN)
    return {
        "diameter_mm": np.where(
            outlined, np.sqrt(4.0 * area / np.pi), 2.0 * math.sqrt(2.0) * found["scale_mm"]
        ),
        "aspect": aspect,
        "circularity": circularity,
        "compactness": 1.0 - circularity,
        "eccentricity": np.sqrt(1.0 - minor**2 / major**2),
        "nearest_mm": nearest(places(found, image)),
    }


# ------------------------------------------------------------------ the rule


def most_in_disc(points: np.ndarray, area_cm2: float) -> tuple[int, list[np.ndarray]]:
    """Return the most points that a closed disc holds, and the points of every disc that pairs define."""
    radius = math.sqrt(100.0 * area_cm2 / math.pi) * (1.0 + 1e-9)
    centres = [points]
    for a, b in combinations(points, 2):
        half = math.dist(a, b) / 2.0
        if 0.0 < half <= radius:
            away = math.sqrt(radius**2 - half**2) / (2.0 * half)
            across = np.array([b[1] - a[1], a[0] - b[0]]) * away
            centres.append(np.stack([(a + b) / 2.0 + across, (a + b) / 2.0 - across]))
    inside = cdist(np.concatenate(centres), points) <= radius * (1.0 + 1e-9)
    return int(inside.sum(axis=1).max()), list(inside)


def joined(sets: list[set[int]]) -> list[set[int]]:
    """Unite sets that share a member."""
    out: list[set[int]] = []
    for new in sets:
        touching = [old for old in out if old & new]
        out = [old for old in out if not old & new] + [set().union(new, *touching)]
    return out


def groups(points: np.ndarray, *, link_mm: float = 5.0, area_cm2: float = 1.0, count: int = 5):
    """Return the groups that the rule makes of points, as sets of their numbers."""
    linked = cdist(points, points) <= link_mm * (1.0 + 1e-9)
    _, part = connected_components(linked)
    parts = [set(np.flatnonzero(part == k).tolist()) for k in np.unique(part)]
    full = [own for own in parts if most_in_disc(points[sorted(own)], area_cm2)[0] >= count]
    rest = [own for own in parts if own not in full]
    numbers = np.array(sorted(set().union(*rest)), int)
    if numbers.size:
        discs = most_in_disc(points[numbers], area_cm2)[1]
        rest = joined([*rest, *(set(numbers[inside].tolist()) for inside in discs if inside.sum() >= count)])
    return [own for own in [*full, *rest] if len(own) > 1]


# ------------------------------------------------------------------ groups: place


def hull_of(points: np.ndarray) -> np.ndarray:
    """Corners of the convex hull in order: gift wrapping."""
    points = np.unique(points, axis=0)
    if len(points) < 3:
        return points
    here, corners = 0, []
    while not corners or here != corners[0]:
        corners.append(here)
        best = (here + 1) % len(points)
        for k in range(len(points)):
            a, b = points[best] - points[here], points[k] - points[here]
            turn = a[0] * b[1] - a[1] * b[0]
            if turn < 0 or (turn == 0 and b @ b > a @ a):
                best = k
        here = best
        if len(corners) > len(points):
            raise AssertionError("the hull does not close")
    return points[corners]


def shoelace(corners: np.ndarray) -> float:
    after = np.roll(corners, -1, axis=0)
    return abs(float((corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1]).sum())) / 2.0


def perimeter(corners: np.ndarray) -> float:
    return float(np.hypot(*(np.roll(corners, -1, axis=0) - corners).T).sum())


def grown(corners: np.ndarray) -> float:
    """Area of a hull grown by half a millimetre."""
    return shoelace(corners) + 0.5 * perimeter(corners) + math.pi * 0.25


def elongation(corners: np.ndarray) -> float:
    sides = []
    for edge in np.roll(corners, -1, axis=0) - corners:
        along = edge / math.hypot(*edge)
        a, b = np.ptp(corners @ along), np.ptp(corners @ (-along[1], along[0]))
        sides.append((max(a, b), min(a, b)))
    least = min(a * b for a, b in sides)
    long, short = max((s for s in sides if s[0] * s[1] <= least * (1.0 + 1e-9)), key=lambda s: s[0])
    return long / short if short > 1e-9 * long else NAN


def tree(distance: np.ndarray) -> np.ndarray:
    """Edges of a minimum spanning tree, which may be 0 long."""
    lengths = minimum_spanning_tree(distance + 1.0).data - 1.0
    return np.maximum(lengths, 0.0)


def concave(points: np.ndarray, reach: float) -> float:
    points = np.unique(points, axis=0)
    try:
        corners = points[Delaunay(points).simplices] if len(points) > 2 else np.zeros((0, 3, 2))
    except QhullError:
        return 0.0
    total = 0.0
    for a, b, c in corners:
        area = shoelace(np.stack([a, b, c]))
        sides = math.dist(a, b) * math.dist(b, c) * math.dist(c, a)
        total += area if sides <= 4.0 * area * reach * (1.0 + 1e-9) else 0.0
    return total


def principal(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Angle of the principal axis in degrees, and coordinates along and across it."""
    centred = points - points.mean(axis=0)
    spread, axes = np.linalg.eigh(centred.T @ centred / len(points))
    directed = spread[1] - spread[0] > 1e-9 * (spread[0] + spread[1]) and spread[1] > 0.0
    axis = axes[:, 1]
    degrees = math.degrees(math.atan2(-axis[0], axis[1])) % 180.0
    degrees -= 180.0 if degrees > 90.0 else 0.0
    return degrees if directed else NAN, centred @ axis, centred @ axes[:, 0]


def parabola(along: np.ndarray, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances across to the parabola of least squares, and its slope."""
    basis = np.stack([np.ones(len(along)), along, along**2], axis=1)
    fit = np.linalg.lstsq(basis, across, rcond=None)[0]
    return across - basis @ fit, fit[1] + 2.0 * fit[2] * along


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Angle between two directions, 0 to 180."""
    return abs(math.degrees(math.atan2(first[0] * second[1] - first[1] * second[0], first @ second)))


def place_features(points: np.ndarray, members: pd.DataFrame, group: pd.Series, image: pd.Series) -> dict:
    corners, n = hull_of(points), len(points)
    around = perimeter(corners)
    distance = cdist(points, points)
    edges = tree(distance)
    degrees, along, across = principal(points)
    line = math.sqrt(float((across**2).mean()))
    curve = NAN
    if n >= 4:
        away, slope = parabola(along, across)
        curve = min(line, math.sqrt(float((away**2 / (1.0 + slope**2)).mean())))
    centre, tip = points.mean(axis=0), nipple(image)
    to_tip = tip - centre
    turned = NAN
    if np.isfinite(degrees) and np.isfinite(tip).all():
        axis = np.array([-math.sin(math.radians(degrees)), math.cos(math.radians(degrees))])
        turned = min(angle(axis, to_tip), 180.0 - angle(axis, to_tip))
    near = nearest(points)
    depth = NAN
    if group["skin_distance_mm"] < 200.0:
        depth = group["skin_distance_mm"] / (group["skin_distance_mm"] + group["chest_distance_mm"])
    return {
        "n_calcifications": n,
        "max_in_window": most_in_disc(points, 1.0)[0],
        "hull_area_mm2": shoelace(corners),
        "density_per_cm2": 100.0 * n / grown(corners),
        "hull_elongation": elongation(corners) if len(corners) > 1 else NAN,
        "extent_mm": distance.max(),
        "nn_distance_mm_mean": near.mean(),
        "nn_distance_mm_sd": near.std(ddof=1),
        "nn_distance_mm_cv": near.std(ddof=1) / near.mean() if near.mean() else NAN,
        "nn_distance_mm_iqr": np.subtract(*np.percentile(near, [75, 25])),
        "nn_distance_mm_min": near.min(),
        "nn_distance_mm_max": near.max(),
        "in_pectoral": members["in_pectoral"].mean() > 0.5,
        "hull_perimeter_mm": around,
        "hull_circularity": 4.0 * math.pi * shoelace(corners) / around**2 if around else NAN,
        "concave_area_mm2": concave(points, edges.max()),
        "axis_deg": degrees,
        "axis_to_nipple_deg": turned,
        "line_residual_mm": line if n >= 3 else NAN,
        "curve_residual_mm": curve,
        "mst_total_mm": edges.sum(),
        "mst_mean_mm": edges.mean(),
        "mst_sd_mm": edges.std(ddof=1) if n >= 3 else NAN,
        "mst_max_mm": edges.max(),
        "nipple_distance_mm": math.hypot(*to_tip),
        "depth_fraction": depth,
        "vascular_area_mm2": members["area_mm2"].sum() if group["vascular_length_mm"] else 0.0,
        **topology(distance, members["diameter_mm"].to_numpy()),
    }


def topology(distance: np.ndarray, diameter: np.ndarray) -> dict:
    n = len(distance)
    gap = np.maximum(distance - diameter[:, None] / 2.0 - diameter[None, :] / 2.0, 0.0)
    np.fill_diagonal(gap, np.inf)
    curves = {name: [] for name in ("parts", "giant", "degree", "clustering")}
    for k in range(1, 31):
        touch = gap <= 0.2 * (k + 1e-9)
        count, label = connected_components(touch)
        local = []
        for own in touch:
            others = np.flatnonzero(own)
            pairs = len(others) * (len(others) - 1) / 2
            local.append(np.triu(touch[np.ix_(others, others)]).sum() / pairs if pairs else 0.0)
        curves["parts"].append(count)
        curves["giant"].append(np.bincount(label).max() / n)
        curves["degree"].append(touch.sum() / n)
        curves["clustering"].append(np.mean(local))
    found = {}
    for suffix, k in (("500um", 5), ("1000um", 10), ("2000um", 20)):
        found |= {f"topo_{name}_{suffix}": values[k - 1] for name, values in curves.items()}
    found |= {f"topo_{name}_mean": np.mean(curves[name]) for name in ("giant", "degree", "clustering")}
    parts = np.array(curves["parts"])
    np.fill_diagonal(gap, 0.0)
    share = tree(gap) / 2.0
    share = share[share > 0] / share.sum() if share.sum() else share
    return found | {
        "topo_betti0_mean": parts.mean() / n,
        "topo_betti0_half_mm": 0.1 * (np.argmax(parts <= n / 2) + 1) if (parts <= n / 2).any() else NAN,
        "topo_joined_mm": 0.1 * (np.argmax(parts == 1) + 1) if (parts == 1).any() else NAN,
        "topo_betti0_entropy": -(share * np.log2(share)).sum() if share.sum() else NAN,
    }


# ------------------------------------------------------------------ groups: variation and words


def variation(members: pd.DataFrame) -> dict:
    found = {}
    for name in MEASURES:
        values = np.sort(members[name].dropna().to_numpy())
        n = values.size
        row = dict.fromkeys(STATISTICS, NAN)
        if n:
            if name in SHARES:
                bins = np.where(values == 1.0, 19, np.floor(values / 0.05))
            else:
                bins = np.floor(np.log2(np.maximum(values, 1e-300)) / 0.25)
            share = np.unique(bins, return_counts=True)[1] / n
            worst = values if name in LOWEST else values[::-1]
            quarters = np.percentile(values, [25, 75])
            row |= {"mean": values.mean(), "iqr": quarters[1] - quarters[0], "range": np.ptp(values)}
            row |= {"entropy": -(share * np.log2(share)).sum(), "worst": worst[0]}
            if n > 1:
                sd = values.std(ddof=1)
                row |= {
                    "sd": sd,
                    "second_worst": worst[1],
                    "cv": sd / values.mean() if values.mean() else NAN,
                }
        found |= {f"{name}_{statistic}": value for statistic, value in row.items()}
    outlined = members.dropna(subset=["aspect", "circularity", "diameter_mm"])
    round_ = (outlined["aspect"] < 1.5) & (outlined["circularity"] >= 0.8)
    return found | {
        "rod_fraction": (outlined["aspect"] >= 2.0).mean(),
        "round_fraction": round_.mean(),
        "punctate_fraction": (round_ & (outlined["diameter_mm"] < 0.5)).mean(),
    }


def spread(values: pd.Series) -> float:
    logs = np.log(values[values > 0].to_numpy())
    if logs.size < 3:
        return NAN
    order = np.argsort(np.abs(logs - np.median(logs)), kind="stable")
    return float(logs[order[: logs.size - logs.size // 6]].std(ddof=1))


def morphology(members: pd.DataFrame, pixel_mm: float) -> dict:
    m = members
    spreads = [
        spread(m["diameter_mm"]),
        spread(m["major_axis_mm"] / m["minor_axis_mm"]),
        spread(m["contrast"]),
    ]
    there = [(w, s) for w, s in zip((2, 2, 1), spreads, strict=True) if np.isfinite(s)]
    varied = NAN
    if there:
        varied = float(step(sum(w * s for w, s in there) / sum(w for w, _ in there), 0.09, 0.2))
    grade = m["vascular"].to_numpy() * float(step(m["vascular"].mean(), 0.25, 0.45))
    own = 1.0 - grade
    aspect, size = (m["major_axis_mm"] / m["minor_axis_mm"]).to_numpy(), m["diameter_mm"].to_numpy()
    long = known(step(aspect, 1.6, 2.4))
    wide = known(step(m["minor_axis_mm"], 0.42, 0.58))
    large = known(step(size, 0.8, 1.2))
    fine = known(falling(size, 0.42, 0.58))
    odd = np.maximum(known(falling(m["circularity"], 0.90, 0.97)), known(step(aspect, 1.3, 1.8)))
    irregular = 1.0 - (1.0 - odd) * (1.0 - 0.8 * (0.0 if np.isnan(varied) else varied))
    hazy = fine * np.maximum(
        known(falling(m["snr"], 4.0, 7.0)), known(falling(m["edge_sharpness_per_mm"], 1.0, 3.0))
    )
    measured = m[["diameter_mm", "major_axis_mm", "minor_axis_mm"]].notna().all(axis=1).to_numpy()
    carried_fine = measured * float(falling(pixel_mm, 0.105, 0.145))
    carried_coarse = measured * float(falling(pixel_mm, 0.21, 0.30))
    shown = own * (1.0 - long) * (1.0 - large) * (1.0 - hazy)
    words = {
        "punctate": shown * (1.0 - irregular) * (fine * carried_fine + (1.0 - fine) * carried_coarse),
        "coarse": own * (1.0 - long) * large * carried_coarse,
        "rod": own * long * wide * carried_coarse,
        "vascular": grade,
        "amorphous": own * (1.0 - long) * (1.0 - large) * hazy * carried_fine,
        "coarse_heterogeneous": shown * irregular * (1.0 - fine) * carried_coarse,
        "fine_pleomorphic": shown * irregular * fine * carried_fine,
        "fine_linear": own * long * (1.0 - wide) * carried_fine,
    }
    found = {f"morphology_{name}": values.mean() for name, values in words.items()}
    found["morphology_unknown"] = 1.0 - sum(found.values())
    lucent = known(step(m["rim_ratio"], 1.02, 1.2))
    skin = known(falling(m["skin_distance_mm"], 3.0, 5.0)) * known(falling(size, 1.0, 2.0))
    skin = (skin * (0.8 + 0.2 * lucent)).mean()
    rim = (lucent * known(step(size, 0.6, 1.0))).mean()
    coarse = min(found["morphology_coarse"], 1.0 - rim)
    shares = {
        "vascular": grade.mean(),
        "skin": skin,
        "rod": found["morphology_rod"],
        "coarse": coarse,
        "rim": rim,
    }
    found |= {f"benign_{name}": float(step(value, 0.25, 0.65)) for name, value in shares.items()}
    of_any = grade.mean() + skin + found["morphology_rod"] + max(coarse, rim)
    return found | {
        "heterogeneity": varied,
        "size_spread": spreads[0],
        "aspect_spread": spreads[1],
        "contrast_spread": spreads[2],
        "benign_share": min(1.0, of_any),
    }


def distribution(pattern: np.ndarray, image: pd.Series) -> dict:
    """Return what the distribution of a pattern is told from, (n, 2) in mm."""
    n, extent = len(pattern), float(cdist(pattern, pattern).max())
    aspect, gap = 2.0, 0.0 if n == 1 else 1.0
    if n >= 4 and extent > 0.0:
        _, along, across = principal(pattern)
        away, _ = parabola(along, across)
        variance = ((away**2).sum() + 2.0 * (extent / 8.0) ** 2) / (n - 1)
        aspect, gap = extent / (4.0 * math.sqrt(variance)), np.diff(np.sort(along)).max() / extent
    ratio, aim = wedge(pattern, nipple(image))
    area = 100.0 * image["breast_area_cm2"]
    return {
        "distribution_n": n,
        "distribution_extent_mm": extent,
        "distribution_gap_share": gap,
        "distribution_aspect": aspect,
        "distribution_wedge_ratio": ratio,
        "distribution_wedge_aim_deg": aim,
        "distribution_breast_share": grown(hull_of(pattern)) / area if area else NAN,
    }


def memberships(told: pd.Series) -> dict:
    """Return the memberships of a distribution from the columns that it is told from."""
    told = {name.removeprefix("distribution_"): value for name, value in told.items()}
    extent, share, ratio = told["extent_mm"], told["breast_share"], told["wedge_ratio"]
    wide = float(step(extent, 60.0, 100.0) if np.isnan(share) else step(share, 0.3, 0.6))
    linear = float(step(math.log(told["aspect"]), math.log(2.0), math.log(2.9)))
    linear *= float(falling(told["gap_share"], 0.35, 0.6))
    segmental = 0.0
    if np.isfinite(ratio):
        odds = min(told["n"], 40) / 3.0 * math.log(ratio / 1.2)
        odds += min(max(4.0 * math.log(extent / 18.0), -4.0), 0.5) - 0.2
        if np.isfinite(told["wedge_aim_deg"]):
            odds += max(
                math.log(60.0 / 12.0 * math.sqrt(2.0 / math.pi)) - 0.5 * (told["wedge_aim_deg"] / 12.0) ** 2,
                -1.2,
            )
        segmental = (1.0 - linear) * (1.0 - wide) / (1.0 + math.exp(-odds))
    rest, tight = 1.0 - linear - segmental, float(falling(extent, 16.0, 24.0))
    found = {
        "diffuse": rest * (1.0 - tight) * wide,
        "grouped": rest * tight,
        "linear": linear,
        "segmental": segmental,
    }
    found["regional"] = 1.0 - sum(found.values())
    return {f"distribution_{name}": value for name, value in found.items()}


def ellipse_area(points: np.ndarray) -> float:
    """Area of the smallest ellipse: weights moved towards the farthest point until none is farther."""
    lifted = np.column_stack([points, np.ones(len(points))])
    weight = np.full(len(points), 1.0 / len(points))
    for _ in range(20000):
        far = np.einsum("ij,jk,ik->i", lifted, np.linalg.inv(lifted.T @ (weight[:, None] * lifted)), lifted)
        k = int(far.argmax())
        if far[k] < 3.0 * (1.0 + 1e-4):
            break
        move = (far[k] - 3.0) / (3.0 * (far[k] - 1.0))
        weight *= 1.0 - move
        weight[k] += move
    centred = points - weight @ points
    return 2.0 * math.pi * math.sqrt(max(0.0, np.linalg.det(centred.T @ (weight[:, None] * centred))))


def wedge(pattern: np.ndarray, tip: np.ndarray) -> tuple[float, float]:
    """Ratio of smallest ellipse to smallest triangle, and by how much the triangle misses the nipple."""
    centre = pattern.mean(axis=0)
    kept = pattern - centre
    for _ in range(min(len(pattern) // 15, 3)):
        corners = [int(np.flatnonzero((kept == c).all(axis=1))[0]) for c in hull_of(kept)]
        kept = np.delete(
            kept, min(corners, key=lambda k: shoelace(hull_of(np.delete(kept, k, axis=0)))), axis=0
        )
    corners = hull_of(kept)
    if len(corners) < 3 or shoelace(corners) < 1e-6:
        return NAN, NAN
    area, triangle = cv2.minEnclosingTriangle(corners.astype(np.float32).reshape(-1, 1, 2))
    tips = triangle.reshape(3, 2).astype(float)
    aim = (
        min(angle(corner - tips.mean(axis=0), tip - centre) for corner in tips)
        if np.isfinite(tip).all()
        else NAN
    )
    return ellipse_area(corners) / area, aim


def patterns(points: np.ndarray, found: pd.DataFrame, clusters: pd.DataFrame) -> list[np.ndarray]:
    """Return which calcifications the distribution of each group is told from."""
    label, grade = found["cluster_id"].to_numpy(), found["vascular"].to_numpy()
    of = [label == number for number in clusters["cluster_id"]]
    artery = [grade[own].mean() >= 0.5 for own in of]
    finding = (clusters["max_in_window"] >= 5).to_numpy()
    joins = [not a and (f or own.sum() >= 3) for a, f, own in zip(artery, finding, of, strict=True)]
    whole = together(points, of, joins, 8.0)
    in_finding = np.isin(label, clusters["cluster_id"][finding])
    loose = ~in_finding & (grade < 0.5)
    free = np.flatnonzero(grade < 0.5)
    crowd = np.full(len(points), -1)
    if free.size:
        crowd[free] = connected_components(cdist(points[free], points[free]) <= 10.0)[1]
    out = []
    for k in range(len(of)):
        own = np.logical_or.reduce([of[j] for j in whole[k]])
        if not artery[k]:
            if own.sum() >= 3:
                reach = min(2.0 * float(np.quantile(nearest(points[own]), 0.9)), 8.0)
                for _ in range(3):
                    own = own | (loose & (cdist(points, points[own]).min(axis=1) <= reach))
            crowds = crowd[own & (crowd >= 0)]
            if crowds.size:
                wider = own | (crowd == np.bincount(crowds).argmax())
                usual = [
                    float(np.median(nearest(points[part]))) if part.sum() > 1 else 0.0
                    for part in (own, wider & ~own)
                ]
                if wider.sum() >= 2 * own.sum() and usual[0] > 0.5 * usual[1]:
                    own = wider
        out.append(own)
    return out


def together(points: np.ndarray, of: list[np.ndarray], joins: list[bool], gap_mm: float) -> list[set[int]]:
    """Return with which groups each group is joined: those at most a gap apart, from group to group."""
    sets = [{k} for k in range(len(of))]
    for a, b in combinations(np.flatnonzero(joins).tolist(), 2):
        if cdist(points[of[a]], points[of[b]]).min() <= gap_mm:
            sets.append({a, b})
    parts = joined(sets)
    return [next(part for part in parts if k in part) for k in range(len(of))]


def clusters(found: pd.DataFrame, table: pd.DataFrame, image: pd.Series) -> pd.DataFrame:
    """Return the features of groups, by column, in the order of the table."""
    points, rows = places(found, image), []
    pixel_mm = max(image["row_spacing_mm"], image["col_spacing_mm"])
    label, grade = found["cluster_id"].to_numpy(), found["vascular"].to_numpy()
    of = [label == number for number in table["cluster_id"]]
    finding = (table["max_in_window"] >= 5).to_numpy()
    foci = together(
        points, of, [f and grade[own].mean() < 0.5 for f, own in zip(finding, of, strict=True)], 20.0
    )
    for k, pattern in enumerate(patterns(points, found, table)):
        members, group = found[of[k]], table.iloc[k]
        region = np.logical_or.reduce([of[j] for j in foci[k]])
        row = place_features(points[of[k]], members, group, image) | variation(members)
        row |= morphology(members, pixel_mm) | distribution(points[pattern], image)
        row |= memberships(group)
        row |= {
            "suspicious_in_window": group["max_in_window"] * (1.0 - row["benign_share"]),
            "casting_type": float(step(row["morphology_fine_linear"], 0.2, 0.5))
            * (row["distribution_linear"] + row["distribution_segmental"])
            * (1.0 - row["morphology_vascular"]),
            "n_foci": len(foci[k]),
            "region_extent_mm": cdist(points[region], points[region]).max(),
            "region_area_mm2": grown(hull_of(points[region])),
            "region_nipple_distance_mm": np.hypot(*(points[region] - nipple(image)).T).min(),
            "region_skin_distance_mm": found["skin_distance_mm"][region].min(),
        }
        rows.append(row)
    return pd.DataFrame(rows)
