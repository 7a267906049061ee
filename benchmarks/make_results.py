"""Write RESULTS.md from what the benchmarks printed last (results/*.txt, written by their --record).

python benchmarks/make_results.py
"""

from __future__ import annotations

from pathlib import Path

from record import RESULTS

SECTIONS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "Simulated mammograms, never used for fitting",
        "fda_p0",
        "25 images of one breast phantom (Monte Carlo x-ray simulation, 0.085 mm, 8 bit) with 8,668 "
        "calcifications in 324 clusters. The matching rules are in the script.",
        (),
    ),
    (
        "Insertion study: real backgrounds that the model did not see",
        "insertion",
        "Irregular calcifications of 0.1 to 0.7 mm and SNR 3 to 60 (as `mcdetect.phantom.insertion` "
        "defines it) in groups of 5 to 20 and singly. Each background is scored by a model that did not "
        "see it: for film one that saw only films of the other patient, for the digital exam one that saw"
        " only the other view. Intervals: 95 %, bootstrap over backgrounds. The last rows are the default"
        " operating point: what to expect on images without groups of five. The backgrounds hold "
        "calcifications of their own; those recognised by eye count neither way "
        "(`native_calcifications.csv`), others surely remain among the false marks.",
        ("insertion_froc.png",),
    ),
    (
        "What other processing costs",
        "robustness",
        "The same insertions under each display, noise and blur, scored by models that did not see the "
        "background, each candidate by its looks alone (`own_score`). A third of the groups and singles are "
        "up to 4.5 times as long as wide. The `default` columns hold for the default operating point.",
        (),
    ),
    (
        "Held-out figures of the fit",
        "fit_spot_model",
        "The fit's own insertions (0.1 to 1 mm, a third up to 4.5 times as long as wide, groups as dense "
        "as 0.35 mm; half of the images through random displays, noise and blur), scored by models that did "
        "not see the background. False marks are counted on the images with insertions.",
        (),
    ),
    (
        "Beside general spot detectors",
        "peers",
        "The same images, search mask and matching for all; each peer's marks are ranked by its own "
        "response. False positives per cm² on all images; `gain` is the 95 % interval of mcdetect less "
        "the peer in the same bootstrap samples.",
        ("peers_fda.png", "peers_film.png", "peers_film_0.2_mm.png", "peers_digital.png"),
    ),
    (
        "What each stage is worth",
        "ablation",
        "One stage at a time switched off, and the fit repeated without it; below, the whole detector. "
        "Measured just before the noise of a grey level was changed for the last time.",
        (),
    ),
    (
        "Time and memory",
        "large_image",
        "4096 x 3328 pixels, 16 bit; from array to result, kernels compiled.",
        (),
    ),
    (
        "Size and area of calcifications",
        "measure_accuracy",
        "Drawn calcifications of known size through the whole detector: bias and spread by diameter and SNR.",
        (),
    ),
    (
        "Descriptors and suspicion index",
        "descriptors",
        "Groups drawn as each kind, through the whole detector.",
        (),
    ),
    ("Two dates", "compare_pairs", "Drawn pairs of the same breast, deformed by up to 10 mm.", ()),
)


def main() -> None:
    """Run."""
    parts = [
        "# Results\n\nEvery figure was printed by the command above it, run in this folder's parent with "
        "`../shared/data` in place; `python benchmarks/make_results.py` put them together. Times drift "
        "between machines; ratios within one run hold. `DIR` of the folds: `python "
        "benchmarks/fit_spot_model.py --folds DIR`."
    ]
    for title, name, about, pictures in SECTIONS:
        file = RESULTS / f"{name}.txt"
        if not file.exists():
            continue
        parts.append(f"## {title}\n\n{about}\n\n```text\n{file.read_text(encoding='utf-8').rstrip()}\n```")
        parts += [f"![{title}](results/{p})" for p in pictures if (RESULTS / p).exists()]
    target = Path(__file__).with_name("RESULTS.md")
    target.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"wrote {target.name}: {len(parts) - 1} parts")


if __name__ == "__main__":
    main()
