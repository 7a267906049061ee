"""Benchmarks of what is found, and of the fits it comes from."""

from __future__ import annotations

from benchmarks.common.views import Across, Column, View
from benchmarks.pages.benchmark import Benchmark

__all__ = ["DETECTION"]


def _rates(heading: str, figure: str, *rates: float, **where: str) -> tuple[Column, ...]:
    return tuple(Column(heading.format(rate), figure, {**where, "at": rate}) for rate in rates)


_ALL_AND_SINGLES = (
    *_rates("all at {:g}", "sensitivity", 0.1, 0.4, part="all"),
    *_rates("singles at {:g}", "sensitivity", 0.1, 0.4, part="singles"),
)


_FIT_VIEWS = (
    View("", _ALL_AND_SINGLES, down=("kind",)),
    View(
        "",
        (
            Column("log-odds at the operating point", "log-odds at the operating point"),
            Column("false marks per cm² there, real images", "rate at the operating point", form="g"),
            Column("model, KiB", "model size", form=".0f"),
            Column("seconds in all", "seconds", form=".0f"),
        ),
        turned=True,
    ),
)


DETECTION: dict[str, Benchmark] = {
    "fda_p0": Benchmark(
        "benchmarks.detection.fda_p0",
        "Simulated mammograms, never used for fitting",
        "25 images of one breast phantom (Monte Carlo x-ray simulation, 0.085 mm, 8 bit). Calcifications by "
        "the rule hdogreg; an unmatched mark inside a cluster's box padded by 8 pixels counts neither way. A "
        "cluster is found when the centre of a flagged group lies in its padded box.",
        (
            View(
                "",
                (
                    Column("images", "images"),
                    Column("calcifications", "calcifications"),
                    Column("clusters", "clusters"),
                    Column("searched, cm²", "searched"),
                    *_rates(
                        "calcifications found at {:g} false positives per cm²",
                        "calcifications found",
                        *(0.05, 0.1, 0.2, 0.4, 1.0, 2.0),
                    ),
                    Column("calcifications found at score 0.5", "calcifications found at score 0.5"),
                    Column("false positives per cm² at score 0.5", "false marks at score 0.5"),
                    *_rates(
                        "clusters found at {:g} false groups per image",
                        "clusters found",
                        *(0.05, 0.1, 0.2, 0.5, 1.0),
                    ),
                    Column("clusters flagged at score 0.5", "clusters flagged"),
                    Column("false groups per image at score 0.5", "false groups", form=".2f"),
                    Column("median seconds per image of 1500 x 3000", "seconds per image"),
                ),
                turned=True,
            ),
        ),
    ),
    "real": Benchmark(
        "benchmarks.detection.real",
        "Real mammograms of known outcome",
        "191 real mammograms of 78 women: screening without cancer, and diagnostic images with BI-RADS. "
        "Models and index did not see the woman. A calcification is found by a candidate within 0.5 mm of "
        "the readers' point (or "
        "within their outline and 0.2 mm). Labels were given by eye to what version 0.1.0 flagged, not by a "
        "radiologist. Intervals: 95 %, over women.",
        (
            View(
                "",
                (
                    Column("images", "images"),
                    Column("flagged groups per image", "flagged groups"),
                    Column("with an index of 50 or more", "index of 50 or more"),
                    Column("with a flagged group", "with a flagged group"),
                ),
                down=("kind",),
            ),
            View(
                "Suspicious calcifications (10 images) against BI-RADS 1 and 2, by the highest of each image",
                (Column("area under the ROC curve", "area under the ROC curve"),),
                down=("of_what",),
            ),
            View(
                "Single calcifications marked by readers",
                (
                    Column("calcifications", "calcifications"),
                    *_rates(
                        "found at {:g} false marks per cm²", "calcifications found", 0.05, 0.1, 0.2, 0.4, 1.0
                    ),
                    Column("among the candidates", "among the candidates"),
                    Column("median seconds per image", "seconds per image"),
                ),
                turned=True,
            ),
            View(
                "Groups labelled by eye",
                (
                    Column("labelled", "labelled groups"),
                    Column("flagged", "labelled: flagged"),
                    Column("index of 50 or more", "labelled: index of 50 or more"),
                    Column("called right", "labelled: right"),
                    Across("labelled: called", by="called"),
                ),
                down=("label",),
            ),
            View(
                "Large bodies seen by eye",
                (
                    Column("bodies", "large bodies seen by eye"),
                    Column("not marked", "large bodies: not marked"),
                    Column("exactly one mark", "large bodies: exactly one mark"),
                    Column("called right", "large bodies: called right"),
                    Column("labelled groups called right", "labelled groups called right"),
                ),
                turned=True,
            ),
        ),
    ),
    "insertion": Benchmark(
        "benchmarks.detection.insertion",
        "Insertion study: real backgrounds that the model did not see",
        "Irregular calcifications of 0.1 to 0.7 mm and SNR 3 to 60 (as `mcdetect.phantom.insertion` defines "
        "it) in groups of 5 to 20 and singly. Each background is scored by a model that did not see it: for "
        "film one that saw only films of the other patient, for the digital exam one that saw only the other "
        "view. Sensitivity for SNR of at least 5 at false marks per cm² of plain images, groups at false "
        "ones per image without group. Intervals: 95 %, bootstrap over backgrounds. The last rows are the "
        "default operating point: what to expect on images without groups of five. The backgrounds hold "
        "calcifications of their own; those recognised by eye count neither way "
        "(`native_calcifications.csv`), others surely remain among the false marks.",
        (
            View(
                "",
                (
                    *_rates("all at {:g}", "sensitivity", 0.1, 0.4, part="all"),
                    *_rates("grouped at {:g}", "sensitivity", 0.1, 0.4, part="grouped"),
                    *_rates("singles at {:g}", "sensitivity", 0.1, 0.4, part="singles"),
                    Column("JAFROC", "JAFROC"),
                    *_rates("groups at {:g}", "groups found", 0.05, 0.2),
                    Column("groups flagged", "groups flagged"),
                    Column("groups JAFROC", "groups JAFROC"),
                    Column("false groups per plain image", "false groups", {"content": "plain"}),
                    Column("false marks per plain image", "false marks per image", form=".2f"),
                    Column("false marks per cm²", "false marks per cm²"),
                    Column("false groups per image with singles", "false groups", {"content": "singles"}),
                ),
                down=("kind",),
                turned=True,
            ),
            View(
                "",
                (Column("images", "images"), Column("median seconds per image", "seconds per image")),
                turned=True,
            ),
        ),
        ("insertion_froc.png",),
    ),
    "inserted_bodies": Benchmark(
        "benchmarks.detection.inserted_bodies",
        "Large bodies of exact outlines",
        "Rods, popcorn, rims, dystrophic plates, clips and tram tracks drawn into backgrounds. Nothing was "
        "fitted on such bodies. A mark is of a body within 0.5 mm of its hull, of a tram track within 1 mm "
        "of its plaques. Errors are those of a body's largest mark, over the true size, less 1. A kind is "
        "that of the marks, or of their groups. Intervals: 95 %, over bodies.",
        (
            View("", (Column("images", "images"),)),
            View(
                "Marks, kinds and groups",
                (
                    Column("bodies", "bodies"),
                    Column("not marked", "not marked", form=".2f"),
                    Column("exactly one mark", "exactly one mark", form=".2f"),
                    Column("further marks per body", "further marks", form=".2f"),
                    Column("beside it", "marks beside", form=".2f"),
                    Column("kind right", "kind right", form=".2f"),
                    Column("flagged groups per body", "flagged groups", form=".2f"),
                    Column("with an index of 50 or more", "index of 50 or more", form=".2f"),
                ),
                down=("form", "size"),
            ),
            View(
                "Sizes of those that are marked",
                (
                    Column("diameter, median error", "diameter error", form="+.2f"),
                    Column("diameter within 10 %", "diameter within 10 %", form=".2f"),
                    Column("long axis, median error", "long axis error", form="+.2f"),
                    Column("long axis within 10 %", "long axis within 10 %", form=".2f"),
                ),
                down=("form", "size"),
            ),
            View(
                "Tram tracks",
                (
                    Column("tracks", "tracks"),
                    Column("not marked", "tracks not marked"),
                    Column("with one finding", "tracks with one finding"),
                    Column("marks per track", "marks per track"),
                    Column("flagged groups per track", "flagged groups per track"),
                    Column("named vascular", "tracks named vascular"),
                    Column("with an index of 50 or more", "tracks with an index of 50 or more"),
                ),
                turned=True,
            ),
            View(
                "By background, without tram tracks",
                (
                    Column("bodies", "bodies by background"),
                    Column("not marked", "not marked by background"),
                    Column("exactly one mark", "exactly one mark by background"),
                    Column("flagged groups per body", "flagged groups by background"),
                ),
                down=("background",),
            ),
        ),
    ),
    "robustness": Benchmark(
        "benchmarks.detection.robustness",
        "What other processing costs",
        "The same insertions under each display, noise and blur, scored by models that did not see the "
        "background, each candidate by its looks alone (`own_score`). Sensitivity for SNR of at least 5 at "
        "0.1 and 0.4 false marks per cm². A third of the groups and singles are up to 4.5 times as long as "
        "wide. The `default` columns hold for the default operating point.",
        (
            View(
                "",
                (
                    *_rates("at {:g}", "sensitivity", 0.1, 0.4),
                    Column("default", "sensitivity at score 0.5"),
                    Column("false per cm², default", "false marks"),
                    Column("area, cm²", "area"),
                ),
                down=("display", "kind"),
            ),
        ),
    ),
    "spot_model": Benchmark(
        "benchmarks.fit.spot_model",
        "Held-out figures of the fit",
        "The fit's own insertions (0.1 to 1 mm, a third up to 4.5 times as long as wide, groups as dense "
        "as 0.35 mm; half of the images through random displays, noise and blur), scored by models that did "
        "not see the background. Sensitivity for SNR of at least 5; false marks per cm² are counted on the "
        "images with insertions.",
        _FIT_VIEWS,
    ),
    "slice_score": Benchmark(
        "benchmarks.fit.slice_score",
        "Held-out figures of the fit for tomosynthesis",
        "Drawn tomosynthesis of narrow and wide sweeps, 40 slices each; calcifications of SNR 5 and more, "
        "single ones and those of groups. Scored by weights that did not see the volume, without context.",
        (
            View(
                "",
                (
                    *_ALL_AND_SINGLES,
                    Column("volumes", "volumes"),
                    Column("searched, cm²", "searched"),
                ),
                turned=True,
            ),
        ),
    ),
    "spot_model_digital": Benchmark(
        "benchmarks.fit.spot_model_digital",
        "Held-out figures of the fit for digital images",
        "Real digital mammograms with the calcifications that readers marked in them, and with insertions as "
        "above; the digital exam and phantoms. Scored by models that did not see the woman, without context.",
        _FIT_VIEWS,
    ),
    "second_look": Benchmark(
        "benchmarks.fit.second_look",
        "Held-out figures of the second look at spots of digital images",
        "The same real mammograms, by the first look alone and by both. Scored by models that did not see "
        "the woman, with context.",
        (View("", _ALL_AND_SINGLES, down=("look", "kind")),),
    ),
    "peers": Benchmark(
        "benchmarks.detection.peers",
        "Beside general spot detectors",
        "The same images, search mask and matching for all; each peer's marks are ranked by its own "
        "response. Sensitivity at false positives per cm² of all images; `gain` is mcdetect less the peer, "
        "with the 95 % interval of the difference in the same bootstrap samples.",
        (
            View(
                "Images",
                (
                    Column("images", "images"),
                    Column("calcifications", "calcifications"),
                    Column("area, cm²", "area"),
                ),
                down=("data",),
            ),
            *(
                View(
                    data,
                    (
                        *_rates("{:g}", "sensitivity", 0.05, 0.1, 0.2, 0.4, 1.0, 2.0, 5.0, data=data),
                        Column("s/image", "seconds per image", {"data": data}),
                        Column("gain at 0.4", "gain", {"data": data, "at": 0.4}, "+.3f"),
                        Column("gain at 1", "gain", {"data": data, "at": 1.0}, "+.3f"),
                    ),
                    down=("detector",),
                )
                for data in ("fda", "film", "film 0.2 mm", "digital")
            ),
        ),
        ("peers_fda.png", "peers_film.png", "peers_film_0.2_mm.png", "peers_digital.png"),
    ),
    "ablation": Benchmark(
        "benchmarks.detection.ablation",
        "What each stage is worth",
        "One stage at a time switched off, and the fit repeated without it; below, the whole detector. "
        "Sensitivity at false marks per cm².",
        (
            View("Individual score", _ALL_AND_SINGLES, down=("variant", "kind")),
            View(
                "Whole detector",
                (
                    *_rates("found at {:g} per cm²", "calcifications found", 0.1, 0.4),
                    Column("groups flagged", "groups flagged"),
                    Column("false groups per image", "false groups"),
                    *_rates("groups at {:g} per image", "groups found", 0.05, 0.2),
                ),
                down=("variant", "kind"),
            ),
        ),
    ),
    "mini_mias": Benchmark(
        "benchmarks.detection.mini_mias",
        "Real calcified films",
        "Films of mini-MIAS, 0.2 mm and 8 bit, by the model that comes with the package, whose fit saw these "
        "normals. Circles were drawn by the authors of the data set.",
        (
            View(
                "",
                (
                    Across("circles found", "rule", heading="circles found, rule {}"),
                    Column("calcified films flagged", "films flagged"),
                    Column("normal films", "normal films"),
                    Column("flagged groups on normal films", "flagged groups on normal films"),
                ),
                turned=True,
            ),
        ),
    ),
    "tomosynthesis": Benchmark(
        "benchmarks.detection.tomosynthesis",
        "Tomosynthesis",
        "Drawn breasts of 40 slices, calcifications of SNR 5 to 20 in their sharpest slice, half of them in "
        "groups; narrow and wide sweeps. A mark within 0.5 mm in the plane finds a calcification, every "
        "further mark there is a false one. Time and memory: 60 slices of 2457 x 1890 as a file, against one "
        "drawn mammogram of that size.",
        (
            View("", _rates("at {:g}", "sensitivity", 0.1, 0.4), down=("part",)),
            View("", (Column("at 0.1", "sensitivity of a sweep"),), down=("sweep",)),
            View(
                "",
                (
                    Column("volumes", "volumes"),
                    Column("calcifications", "calcifications"),
                    Column("searched, cm²", "searched"),
                    Column("found at score 0.5", "sensitivity at score 0.5"),
                    Column("false marks per cm² there", "false marks at score 0.5"),
                    Column("slice exact", "slice exact"),
                    Column("slice right within one", "slice right within one"),
                    Column("marks per calcification found", "marks per calcification found", form=".3f"),
                    Column("groups flagged at their depth", "groups flagged"),
                    Column("false flagged groups per volume", "false flagged groups", form=".2f"),
                ),
                turned=True,
            ),
            View(
                "",
                (
                    Column("mammogram, s", "seconds of a mammogram", form=".2f"),
                    Column("stack, s", "seconds of a stack", form=".1f"),
                    Column("stack over mammogram", "stack over mammogram", form=".1f"),
                    Column("memory added, MiB", "memory added", form=".0f"),
                ),
                down=("syntax",),
            ),
        ),
    ),
}
