"""Benchmarks of time, memory, long runs and damaged inputs."""

from __future__ import annotations

from benchmarks.common.views import Across, Column, View
from benchmarks.pages.benchmark import Benchmark

__all__ = ["COST"]


COST: dict[str, Benchmark] = {
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
}
