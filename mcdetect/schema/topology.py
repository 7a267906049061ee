"""Columns of how the members of a group join as they are dilated."""

from __future__ import annotations

from mcdetect.schema.column import Column
from mcdetect.schema.references import CHEN

__all__ = ["TOPOLOGY"]


def _at_one_dilation() -> tuple[Column, ...]:
    columns: list[Column] = []
    for suffix, dilation in (("500um", "0.5 mm"), ("1000um", "1 mm"), ("2000um", "2 mm")):
        columns += [
            Column(
                f"topo_parts_{suffix}",
                "float64",
                "",
                f"connected parts of the members dilated by {dilation}",
                formula=f"connected parts when members touch whose discs (of diameter_mm, a point without "
                f"one) lie at most twice {dilation} apart",
                source=CHEN,
            ),
            Column(
                f"topo_giant_{suffix}",
                "float64",
                "0-1",
                f"share of members in the largest part at {dilation}",
                formula=f"share of the members in the largest part, dilated by {dilation}",
                high=1.0,
                source=CHEN,
            ),
            Column(
                f"topo_degree_{suffix}",
                "float64",
                "",
                f"members that a member touches, mean, at {dilation}",
                formula=f"mean number of members that a member touches, dilated by {dilation}",
                source=CHEN,
            ),
            Column(
                f"topo_clustering_{suffix}",
                "float64",
                "0-1",
                f"mean clustering coefficient at {dilation}",
                formula=f"mean local clustering coefficient (0 below two neighbours), dilated by {dilation}",
                high=1.0,
                source=CHEN,
            ),
        ]
    return tuple(columns)


TOPOLOGY: tuple[Column, ...] = (
    *_at_one_dilation(),
    Column(
        "topo_giant_mean",
        "float64",
        "0-1",
        "mean of topo_giant over dilations of 0.1 to 3 mm",
        formula="mean of topo_giant over dilations of 0.1, 0.2, ... 3 mm",
        high=1.0,
        source=CHEN,
    ),
    Column(
        "topo_degree_mean",
        "float64",
        "",
        "mean of topo_degree over dilations of 0.1 to 3 mm",
        formula="mean of topo_degree over these dilations",
        source=CHEN,
    ),
    Column(
        "topo_clustering_mean",
        "float64",
        "0-1",
        "mean of topo_clustering over 0.1 to 3 mm",
        formula="mean of topo_clustering over these dilations",
        high=1.0,
        source="doi:10.1038/30918",
    ),
    Column(
        "topo_betti0_mean",
        "float64",
        "0-1",
        "mean of parts per member over 0.1 to 3 mm",
        formula="mean of parts / n over these dilations: area under the Betti-0 curve",
        high=1.0,
        source=CHEN,
    ),
    Column(
        "topo_betti0_half_mm",
        "float64",
        "mm",
        "dilation that leaves half as many parts as members",
        formula="first of these dilations with at most n / 2 parts",
        low=0.1,
        high=3.0,
        source=CHEN,
        missing="not by 3 mm, or one member",
    ),
    Column(
        "topo_joined_mm",
        "float64",
        "mm",
        "dilation that joins all members",
        formula="first of these dilations with one part",
        low=0.1,
        high=3.0,
        source=CHEN,
        missing="not by 3 mm, or one member",
    ),
    Column(
        "topo_betti0_entropy",
        "float64",
        "bit",
        "persistent entropy of the dilations that join parts",
        formula="- sum p log2 p, p: share of each join's dilation (half the gap that it closes, not in "
        "steps) in the sum over the joins",
        source="arXiv:1803.08304",
        missing="one member, or all touch undilated",
    ),
)
