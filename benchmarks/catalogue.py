"""Every benchmark by name: its module, what it measures, and how its figures are shown."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.common.views import Across, Column, View

__all__ = ["BENCHMARKS", "Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """One entry of the catalogue.

    Attributes
    ----------
    module : str
        With a function `main` that takes the arguments of the command line.
    title : str
        Of its section on the page of results.
    about : str
        What a reader must know to understand the figures.
    views : tuple of View
        Its tables.
    pictures : tuple of str
        Names of the pictures that a recorded run leaves in ``results/``.
    """

    module: str
    title: str
    about: str
    views: tuple[View, ...]
    pictures: tuple[str, ...] = ()


def _rates(heading: str, figure: str, *rates: float, **where: str) -> tuple[Column, ...]:
    return tuple(Column(heading.format(rate), figure, {**where, "at": rate}) for rate in rates)


_ALL_AND_SINGLES = (
    *_rates("all at {:g}", "sensitivity", 0.1, 0.4, part="all"),
    *_rates("singles at {:g}", "sensitivity", 0.1, 0.4, part="singles"),
)
_WORDS = ("distribution", "morphology", "benign kind")

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

BENCHMARKS: dict[str, Benchmark] = {
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
    "large_image": Benchmark(
        "benchmarks.measurement.large_image",
        "Time and memory",
        "4096 x 3328 pixels, 16 bit; from array to result, kernels compiled.",
        (
            View(
                "",
                (
                    Column("breast, cm²", "breast area"),
                    Column("candidates", "candidates"),
                    Column("runs", "runs"),
                    Column("detect, median, s", "seconds"),
                    Column("detect, fastest, s", "seconds, fastest"),
                    Across("seconds of a stage", "stage", form=".3f", heading="  {}, s"),
                    Column("memory added, MiB", "memory added"),
                    Column("copying the image, ms", "copying the image"),
                ),
                turned=True,
            ),
        ),
    ),
    "speed": Benchmark(
        "benchmarks.measurement.speed",
        "No slower than its filters",
        "4096 x 3328 pixels; ratios are medians of repetitions in both orders within one run, after the same "
        "maxima were found. OpenCV: the chain of eight Gaussians, seven differences, normalised maximum and "
        "peaks, float32, separable, on the part that holds the breast; blob_dog: the same scales and part, "
        "about as many blobs. The batch: 2560 x 3328 pixels, uncompressed DICOM to tables, two workers. "
        "The cold start is that of `detect` in Python, in a fresh process without compiled kernels. "
        "`today`: where these figures stood first.",
        (
            View(
                "",
                (
                    Column("today", "today", form="g"),
                    Column("now", "now", form=".3g"),
                    Column("must", "must", form="g"),
                    Column("aim", "aim", form="g"),
                    Column("reached", "reached"),
                    Column("the ratio in processor time", "ratio of processor time", form=".3g"),
                ),
                down=("what",),
            ),
            View(
                "Times in the same run",
                (Column("ms", "ms"), Column("processor time, ms", "processor ms")),
                down=("contestant",),
            ),
            View(
                "Batches",
                (
                    Column("images per second", "images per second", form=".2f"),
                    Column("processor seconds per image", "processor seconds per image"),
                    Column("memory of a process, MiB", "memory of a worker"),
                ),
                down=("jobs",),
            ),
            View(
                "Circumstances",
                (
                    Column("candidates of ours that are maxima of the chain", "ours that the chain finds"),
                    Column("maxima of the chain that ours finds", "maxima of the chain that ours finds"),
                    Column("share of the frame searched", "share of the frame searched"),
                    Column("repetitions", "repetitions"),
                    Column("candidates", "candidates"),
                    Column("blobs of blob_dog", "blobs"),
                    Column("memory that Python asked for, bytes per pixel", "traced bytes per pixel"),
                    Column("cold start of the command line, CPU s", "cold start, CPU", {"by": "command"}),
                    Column("warm start in Python, CPU s", "warm start, CPU", {"by": "python"}),
                    Column("warm start of the command line, CPU s", "warm start, CPU", {"by": "command"}),
                    Column("cold start in Python, CPU s", "cold start, CPU", {"by": "python"}),
                ),
                turned=True,
            ),
        ),
    ),
    "scaling": Benchmark(
        "benchmarks.measurement.scaling",
        "How the cost grows",
        "Processor time over sizes of two decades and more, and the exponent of what grows, after what every "
        "size pays alike. Pixels are in millions. A cost of n log n shows as 1.1 to 1.2.",
        (
            View(
                "",
                (
                    Column("exponent", "exponent", form=".2f"),
                    Column("may be", "may be"),
                    Column("what every size pays, s", "start", form=".3f"),
                    Column("at the largest, s", "seconds at the largest"),
                ),
                down=("what",),
            ),
            View("Seconds", (Column("seconds", "seconds", form=".4f"),), down=("what", "size")),
        ),
        ("scaling.png",),
    ),
    "runs": Benchmark(
        "benchmarks.endurance.runs",
        "Runs over many images",
        "A stand-in takes the place of the search: what is measured is all that is done beside it. Memory is "
        "the peak of the parent process; its processor time per image is the slope between the two runs.",
        (
            View(
                "",
                (
                    Column("images", "images"),
                    Column("memory of the parent, MB", "memory of the parent", form=".0f"),
                    Column("seconds in all", "seconds in all", form=".1f"),
                ),
                down=("run",),
            ),
            View(
                "",
                (
                    Column("memory added by the larger run, MB", "memory added", form=".0f"),
                    Column("processor time of the parent per image, ms", "time per image", form=".2f"),
                    Column(
                        "processor time of the parent per image that is known, ms", "time per known image"
                    ),
                    Column("rows exported as CSV and Parquet", "rows exported"),
                    Column("export, s of processor time", "seconds of export", form=".1f"),
                    Column("memory of the export, MB", "memory of the export", form=".0f"),
                    Column("paths listed", "paths listed"),
                    Column("from the command to the first image, s of processor time", "seconds to start"),
                    Column(
                        "speed-up of two workers on two cores, by processor time",
                        "speed-up of two workers",
                        form=".2f",
                    ),
                ),
                turned=True,
            ),
            View(
                "Images of a fixed amount of work",
                (
                    Column("workers, ms of processor time per image", "processor time of workers per image"),
                    Column("parent, ms", "processor time of the parent per image", form=".2f"),
                    Column("images per s, by the clock", "rate", form=".1f"),
                ),
                down=("run",),
            ),
        ),
    ),
    "soak": Benchmark(
        "benchmarks.endurance.soak",
        "Runs that are killed",
        "Generated files, searched by a stand-in. Each strike ends a run in its way at a random moment; then "
        "the same command goes on. In the end all tables and pictures are compared with those of a run that "
        "nobody disturbed.",
        (
            View("", (Column("strikes", "strikes"),), down=("kind",)),
            View(
                "",
                (
                    Column("files", "files"),
                    Column("of these broken", "broken"),
                    Column("files of results", "files of results"),
                    Column("equal, byte for byte", "equal, byte for byte"),
                    Column("images lost", "images lost"),
                    Column("images doubled", "images doubled"),
                    Column("searches", "searches"),
                    Column("of images searched before", "searches of what was searched before"),
                ),
                turned=True,
            ),
            View("", (Column("strikes", "strikes"),), down=("of", "kind")),
            View(
                "",
                (
                    Column("files", "files"),
                    Column("of these broken", "broken"),
                    Column("files of results", "files of results"),
                    Column("equal, byte for byte", "equal, byte for byte"),
                    Column("lost", "images lost"),
                    Column("doubled", "images doubled"),
                    Column("comparisons", "searches"),
                    Column("of what was compared before", "searches of what was searched before"),
                ),
                down=("of",),
                turned=True,
            ),
        ),
    ),
    "fuzz": Benchmark(
        "benchmarks.reading.fuzz",
        "Damaged inputs",
        "Small inputs of every transfer syntax and picture kind, damaged by number, so that each can be made "
        "again: bits, lengths and blocks changed, cut, spliced, odd headers. None may end the reader, take "
        "10 s of processor time, or raise another error than those of the package.",
        (
            View(
                "",
                (Column("kinds", "kinds"), Column("inputs", "inputs"), Across("became", "what")),
                turned=True,
            ),
        ),
    ),
    "cluster": Benchmark(
        "benchmarks.measurement.cluster",
        "A million images on a cluster",
        "A drawn DICOM file of 4096 x 3328 pixels from reading to tables and picture, one thread: processor "
        "time. Then its outcome, sent again and again by workers that do not search: what one scheduler and "
        "one writer, in one process, keep up with. The price is an example.",
        (
            View(
                "",
                (
                    Column("processor seconds per image", "processor seconds per image"),
                    Column("core hours per million images", "core hours per million", form=".0f"),
                    Column("cost per million images", "cost per million", form=".0f"),
                    Column("  at a price per core hour of", "price of a core hour"),
                ),
                turned=True,
            ),
            View(
                "What Dask adds",
                (
                    Column("images sent", "images sent"),
                    Column("images per second at most", "images per second at most", form=".0f"),
                    Column("scheduler and writer, ms per image", "own milliseconds per image", form=".1f"),
                    Column("workers that they keep busy", "workers that one writer keeps busy", form=".0f"),
                ),
                down=("kind",),
            ),
        ),
    ),
    "stage_cost": Benchmark(
        "benchmarks.measurement.stage_cost",
        "How stages grow with their work",
        "Processor time for n and for 2 n, fastest of five, and their ratio: about 2 when the cost is "
        "linear, 4 when "
        "it is quadratic.",
        (
            View(
                "",
                (
                    Column("seconds for n", "seconds for n", form=".3f"),
                    Column("seconds for 2 n", "seconds for 2 n", form=".3f"),
                    Column("ratio", "ratio", form=".1f"),
                ),
                down=("work", "n"),
            ),
        ),
    ),
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
"""By the name that ``python -m benchmarks NAME`` takes, in the order of the page."""
