"""Benchmarks of measures, words, two dates and two exposures."""

from __future__ import annotations

from benchmarks.common.views import Across, Column, View
from benchmarks.pages.benchmark import Benchmark

__all__ = ["MEASUREMENT"]


_WORDS = ("distribution", "morphology", "benign kind")


MEASUREMENT: dict[str, Benchmark] = {
    "size_accuracy": Benchmark(
        "benchmarks.measurement.size_accuracy",
        "Size and area of calcifications",
        "Drawn calcifications of known size through the whole detector: bias of the mean diameter, and "
        "coefficient of variation (CV) of the area, of one grain repeated (equal) and of grains that "
        "all differ.",
        (
            View(
                "",
                (
                    Column("measured", "measured", {"grains": "equal"}, ".0%"),
                    Column("bias, equal", "bias", {"grains": "equal"}, "+.0%"),
                    Column("area CV, equal", "area CV", {"grains": "equal"}, ".0%"),
                    Column("bias, all", "bias", {"grains": "varied"}, "+.0%"),
                    Column("area CV, all", "area CV", {"grains": "varied"}, ".0%"),
                ),
                down=("pixel mm", "blur mm", "diameter mm", "SNR"),
            ),
        ),
    ),
    "magnified": Benchmark(
        "benchmarks.measurement.magnified",
        "Magnification views",
        "Drawn breasts with three groups that measure alike, each group magnified once more with the breast "
        "placed anew: what is found at the default operating point, and to which group of the full view "
        "each magnified group is given.",
        (
            View(
                "",
                (
                    Column("members found", "members found", form=".1%"),
                    Column("false marks per cm²", "false marks per cm2", form=".2f"),
                    Column("groups", "magnified groups", form=".0f"),
                    Column("given to their own", "groups given to their own", form=".0%"),
                    Column("given to another", "groups given to another", form=".0%"),
                ),
                down=("view",),
            ),
        ),
    ),
    "stereo": Benchmark(
        "benchmarks.measurement.stereo",
        "Depth from stereotactic pairs",
        "Projected phantoms, two groups each, 15 or 30 degrees apart, with the geometry exactly known; the "
        "tissue does not shift.",
        (
            View(
                "",
                (
                    Column("measured", "measured", form=".0%"),
                    Column("RMS error, mm", "error, root mean square", form=".2f"),
                    Column("largest, mm", "largest error", form=".2f"),
                    Column("within 1 mm", "within 1 mm", form=".0%"),
                ),
                down=("what",),
            ),
        ),
    ),
    "ellipses": Benchmark(
        "benchmarks.measurement.ellipses",
        "Axes and direction of small bodies",
        "Flat ellipses and crescents of known axes, drawn by code that shares nothing with the phantom, "
        "through the whole detector. Axes and circularity over the true ones, medians; direction: median "
        "error in degrees; twice as long: share of aspect 2 or more. SNR: root of the sum of the squared "
        "signal over the SD of the noise.",
        (
            View(
                "",
                (
                    Column("found", "found", {}, ".0%"),
                    Column("outlined", "outlined", {}, ".0%"),
                    Column("major", "major, median", {}, ".2f"),
                    Column("minor", "minor, median", {}, ".2f"),
                    Column("aspect", "aspect, median", {}, ".2f"),
                    Column("direction", "direction", {}, ".1f"),
                    Column("twice as long", "twice as long", {}, ".0%"),
                    Column("circularity", "circularity, median", {}, ".2f"),
                ),
                down=("body", "pixel mm", "SNR", "background"),
            ),
            View(
                "Quartiles",
                tuple(
                    Column(f"{name}, {quartile}", f"{name}, {quartile}", {}, ".2f")
                    for name in ("major", "minor", "aspect", "circularity")
                    for quartile in ("25 %", "75 %")
                ),
                down=("body", "pixel mm", "SNR", "background"),
            ),
        ),
    ),
    "descriptors": Benchmark(
        "benchmarks.measurement.descriptors",
        "Descriptors and suspicion index",
        "Groups drawn as each kind, through the whole detector.",
        (
            View(
                "",
                (
                    Column("backgrounds", "backgrounds"),
                    Column("flagged groups", "flagged groups"),
                    Column("seconds per image", "seconds per image", form=".1f"),
                    Column("distribution right", "distribution right"),
                    Across("scattered images", "named", heading="scattered, called {}"),
                    Across("casting type", "drawn", heading="casting type, drawn {}"),
                    Across("AUC", "measure", heading="heterogeneous against uniform, AUC of {}"),
                ),
                turned=True,
            ),
            *(
                View(
                    f"Drawn and named: {word}", (Across("groups", "named", {"word": word}),), down=("drawn",)
                )
                for word in _WORDS
            ),
            View(
                "Suspicion index by drawn kind",
                (Column("groups", "groups of a kind"), Across("suspicion", "quartile")),
                down=("drawn",),
            ),
        ),
    ),
    "stability": Benchmark(
        "benchmarks.measurement.stability",
        "Stability of features",
        "Intra-class correlation of every feature between a first picture and one with other noise, shifted "
        "by a pixel (real images: half a pixel), and resampled, and of real groups between two views; each "
        "feature's stand in docs/features.md.",
        (
            View("Median ICC", (Across("median ICC", "change"),), down=("level",)),
            View("Found, of the true ones", (Across("found", "change"),), down=("level",)),
            View("Median ICC, real images", (Across("median ICC, real", "change"),), down=("level",)),
            View("Found again, real images", (Across("found again, real", "change"),), down=("level",)),
            View(
                "The suspicion index of real groups", (Across("ICC of the index, real", "change"),), down=()
            ),
        ),
    ),
    "pairs": Benchmark(
        "benchmarks.comparison.pairs",
        "Two dates",
        "Drawn pairs of the same breast, deformed by up to 10 mm.",
        (
            View(
                "",
                (
                    Column("pairs", "pairs"),
                    Column("displacement up to, mm", "displacement", form=".1f"),
                    Column("registered", "registered"),
                    Column("agreement, median", "agreement", form=".2f"),
                    Column("agreement, least", "agreement, least", form=".2f"),
                    Column("uncertainty, mm", "uncertainty"),
                    *(
                        Column(f"{truth} called {verdict}", "called", {"truth": truth, "verdict": verdict})
                        for truth, verdict in (
                            ("added", "new"),
                            ("unchanged", "new"),
                            ("unchanged", "gone"),
                            ("unchanged", "grown"),
                            ("unchanged", "uncertain"),
                            ("grown", "grown"),
                            ("grown", "new"),
                            ("lost", "gone"),
                        )
                    ),
                    Column("other flagged groups called new", "others called new"),
                    Column("register and match, s a pair", "seconds per pair"),
                ),
                turned=True,
            ),
        ),
    ),
    "films": Benchmark(
        "benchmarks.comparison.films",
        "Two dates of real texture",
        "Real films deformed by up to 10 mm, with groups inserted before and after.",
        (
            View("Groups by what became of them", (Across("called", "verdict"),), down=("truth",)),
            View(
                "Registration",
                (
                    Column("agreement", "agreement", form=".2f"),
                    Column("stated, mm", "uncertainty"),
                    Column("true error, median, mm", "true error, median"),
                    Column("true error, 90 %, mm", "true error, 90 %"),
                ),
                down=("film", "turn"),
            ),
        ),
    ),
    "repeatability": Benchmark(
        "benchmarks.comparison.repeatability",
        "Repeatability of unchanged groups",
        "Spread of the changes between two pictures of groups that did not change.",
        (
            View(
                "",
                (
                    Column("pairs", "pairs"),
                    Column("groups", "groups"),
                    Column("calcifications", "calcifications"),
                    Across("spread", "measure", form=".4f"),
                    Column("SD of z of the number", "SD of z", form=".2f"),
                    Column("z above 2.5", "z above 2.5", form=".1%"),
                ),
                turned=True,
            ),
        ),
    ),
}
