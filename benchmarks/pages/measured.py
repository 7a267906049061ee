"""The figures that README.md and docs/ quote, as text made from the recorded runs.

Words that a figure could make untrue are checked: when one no longer holds, the page is not made, and the
words are to be written anew.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping

from benchmarks.common.record import Figure, Run

__all__ = ["BLOCKS", "OutOfDate"]

PEERS = ("skimage blob_dog", "skimage blob_log", "trackpy locate", "sep extract", "OpenCV top-hat")
SHARPENED = ("sharpened 0.3 mm", "sharpened 0.6 mm", "sharpened 2 mm")


class OutOfDate(ValueError):
    """A recorded figure contradicts the words of a page."""


def _claim(holds: bool, words: str) -> None:
    if not holds:
        raise OutOfDate(f"no longer true: {words}; write benchmarks/pages/measured.py anew")


def _percent(share: float, digits: int = 1) -> str:
    text = f"{100 * share:.{digits}f}"
    return f"{'100' if float(text) == 100 else '0' if float(text) == 0 else text} %"


def _prose(text: str) -> str:
    """Return text in lines as README.md has them."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def _hits(figure: Figure) -> str:
    return f"{round(float(figure.value) * (figure.of or 0))}"


def _both(run: Run, kind: str) -> str:
    found = (run.value("sensitivity", kind=kind, part="all", at=rate) for rate in (0.1, 0.4))
    return " / ".join(map(_percent, found))


def _row(what: str, figure: str, run: Run, command: str = "") -> str:
    shown = command or f"`python -m benchmarks {run.benchmark}`"
    return f"| {what} | {figure} | {shown} | {run.date} |"


def measured_table(runs: Mapping[str, Run]) -> str:
    """Return the table of README.md."""
    fda, inserted, films = runs["fda_p0"], runs["insertion"], runs["mini_mias"]
    words, pairs, large = runs["descriptors"], runs["pairs"], runs["large_image"]
    clusters = f"{fda.value('clusters'):.0f}"
    circles = {rule: films.figure("circles found", rule=rule) for rule in ("centroid", "kallergi1999")}
    found = (
        f"{_hits(circles['centroid'])} of {circles['centroid'].of} ({_hits(circles['kallergi1999'])} by the "
        "rule kallergi1999, which asks for at least half of the circle drawn)"
    )
    groups = ", ".join(
        f"{_percent(inserted.value('groups found', kind=kind, at=0.2))} {shown}"
        for kind, shown in (("digital", "digital"), ("film", "film"), ("film 0.2 mm", "film of 0.2 mm"))
    )
    named = words.figure("distribution right")
    called = [pairs.value("called", truth=truth, verdict="new") for truth in ("added", "unchanged")]
    auc = words.value("AUC", measure="heterogeneity")
    threads = large.environment["threads"]
    lines = [
        "| What | Figure | Command | Recorded |",
        "|---|---|---|---|",
        _row(
            f"Simulated mammograms never used for fitting ({fda.value('images'):.0f} images, "
            f"{fda.value('calcifications'):,.0f} calcifications): calcifications found at 0.1 / 0.4 false "
            "positives per cm²",
            " / ".join(_percent(fda.value("calcifications found", at=rate)) for rate in (0.1, 0.4)),
            fda,
        ),
        _row(
            "The same, clusters flagged at the default operating point, and false groups per image",
            f"{_percent(fda.value('clusters flagged'))} of {clusters}; {fda.value('false groups'):.2f}",
            fda,
            "the same",
        ),
        _row(
            "Calcifications of SNR ≥ 5 inserted into real digital images that the model did not see, at "
            "0.1 / 0.4 false marks per cm²",
            _both(inserted, "digital"),
            inserted,
            "`python -m benchmarks insertion --models DIR`",
        ),
        _row(
            "The same, film of patients not used for fitting",
            f"{_both(inserted, 'film')} (0.0435 to 0.1 mm), {_both(inserted, 'film 0.2 mm')} (0.2 mm)",
            inserted,
            "the same",
        ),
        _row(
            "Groups of five or more of SNR ≥ 5 inserted there, found at 0.2 false groups per image",
            groups,
            inserted,
            "the same",
        ),
        _row(
            "Real calcified films of mini-MIAS (0.2 mm) flagged at their place, and flagged groups on normal "
            "films (both by the model that comes with the package, whose fit saw these normals)",
            f"{found}; {films.value('flagged groups on normal films'):.0f} on "
            f"{films.value('normal films'):.0f}",
            films,
        ),
        _row(
            "Distribution of groups (drawn round, linear, segmental, scattered) named right through the "
            "detector; heterogeneous against uniform groups, area under the ROC curve",
            f"{_percent(float(named.value), 0)} of {named.of}; {auc:.2f}",
            words,
        ),
        _row(
            f"Added groups called new / unchanged groups called new ({pairs.value('pairs'):.0f} drawn pairs, "
            f"deformed by up to {pairs.value('displacement'):.0f} mm)",
            " / ".join(_percent(share) for share in called),
            pairs,
        ),
        _row(
            f"4096 × 3328, 16 bit, breast of {large.value('breast area'):.0f} cm², {threads} "
            f"core{'s' if threads != 1 else ''}, kernels compiled: time, memory added",
            f"{large.value('seconds'):.2f} s, {large.value('memory added'):.0f} MiB",
            large,
        ),
    ]
    return "\n".join(lines)


def beside_peers(runs: Mapping[str, Run]) -> str:
    """Return what general spot detectors find on the same images."""
    peers = runs["peers"]

    def at(data: str, detector: str, rate: float = 0.4) -> float:
        return peers.value("sensitivity", data=data, detector=detector, at=rate)

    best = {
        data: max(PEERS, key=lambda name: at(data, name))
        for data in ("film", "digital", "film 0.2 mm", "fda")
    }
    rates = peers.labelled("sensitivity", "at")
    _claim(
        all(at("fda", "mcdetect", float(r)) > at("fda", name, float(r)) for r in rates for name in PEERS),
        "on the simulations mcdetect lies above all five at every rate",
    )
    _claim(best["fda"] == "skimage blob_dog", "blob_dog is next on the simulations")
    theirs = [_percent(at(data, best[data]), 0) for data in ("film", "digital", "film 0.2 mm")]
    ours = [f"{100 * at(data, 'mcdetect'):.0f}" for data in ("film", "digital", "film 0.2 mm")]
    span = f"from {min(map(float, rates)):g} to {max(map(float, rates)):g} per cm²"
    return _prose(f"""
        On the same real backgrounds the best of five general spot detectors (`skimage.feature.blob_dog` and
        `blob_log`, trackpy, SEP, an OpenCV top-hat) finds {theirs[0]} (film), {theirs[1]} (digital) and
        {theirs[2]} (film of 0.2 mm) at 0.4 false positives per cm², where mcdetect finds {ours[0]},
        {ours[1]} and {ours[2]} %; on the clean simulations mcdetect lies above all five {span}, `blob_dog`
        next ({100 * at("fda", "mcdetect"):.1f} and {_percent(at("fda", best["fda"]))} at 0.4) (`python -m
        benchmarks peers --models DIR`, {peers.date}).
    """)


def other_processing(runs: Mapping[str, Run]) -> str:
    """Return what displays, noise and blur cost."""
    run, pairs = runs["robustness"], runs["pairs"]
    names = [str(name) for name in run.labelled("sensitivity", "display")]

    def lost(kind: str, display: str, rate: float = 0.1) -> float:
        plain, changed = (
            run.value("sensitivity", display=name, kind=kind, at=rate) for name in ("as it is", display)
        )
        return 100 * (plain - changed)

    film = max(lost("film", name) for name in names if name not in ("blur 0.08 mm", "power 2"))
    named = (*SHARPENED, "multi-scale")
    digital = max(lost("digital", name) for name in names if name not in named)
    edges = sorted(lost("digital", name) for name in SHARPENED)
    blur, curve, many = lost("film", "blur 0.08 mm"), lost("film", "power 2"), lost("digital", "multi-scale")
    _claim(lost("film", "blur 0.08 mm", 0.4) <= 0, "at 0.4 per cm² blur costs film nothing")
    _claim(film < curve < blur, "blur costs film most, a steep display curve next")
    _claim(digital < min(many, edges[0]), "edge and multi-scale enhancement cost digital images most")
    return _prose(f"""
        What other processing costs, at 0.1 false marks per cm², with calcifications up to 4.5 times as long
        as wide among the inserted ones (`python -m benchmarks robustness --models DIR`, {run.date}): film
        {blur:.0f} points when blurred by 0.08 mm (dust then looks like calcifications; at 0.4 per cm²
        nothing), {curve:.0f} under a steep display curve, otherwise up to {film:.0f}. Digital images
        {edges[0]:.0f} to {edges[-1]:.0f} points under edge enhancement so strong that it clips to white and
        black, {many:.0f} under multi-scale enhancement, otherwise up to {digital:.0f}. In the
        {pairs.value("pairs"):.0f} drawn pairs of two dates {pairs.value("others called new"):.0f} groups of
        dust and grain are flagged and called new (`python -m benchmarks pairs`, {pairs.date}): film kept as
        lossy JPEG has more of them than other images.
    """)


def operating_point(runs: Mapping[str, Run]) -> str:
    """Return what to expect at the default operating point."""
    run, fit = runs["insertion"], runs["spot_model"]

    def expected(kind: str, word: str) -> str:
        marks, area = (
            run.value("false marks per image", kind=kind),
            run.value("false marks per cm²", kind=kind),
        )
        groups = run.value("false groups", kind=kind, content="plain")
        number = f"{marks:.0f}" if marks >= 1 else f"{marks:.2f}"
        share = f"{area:.2f}" if area >= 0.01 else f"{area:.3f}"
        return f"{number} {word} ({share}) and {f'{groups:.2f}' if groups else 'none'}"

    film = run.value("false marks per image", kind="film"), run.value("false marks per cm²", kind="film")
    groups = run.value("false groups", kind="film", content="plain")
    return _prose(f"""
        **Operating point.** Score 0.5 is where {fit.value("rate at the operating point"):g} false marks per
        cm² pass on all real backgrounds together that the model did not see. By kind, expect on an image
        without groups (`python -m benchmarks insertion --models DIR`, {run.date}): film {film[0]:.0f} false
        marks ({film[1]:.2f} per cm²; among them calcifications of the film's own that nobody has listed,
        dust and scratches) and {groups:.2f} flagged groups; film of 0.2 mm
        {expected("film 0.2 mm", "marks")}; digital {expected("digital", "marks")}; drawn phantoms
        {expected("phantom", "marks")}.
    """)


def measured(runs: Mapping[str, Run]) -> str:
    """Return the block of README.md."""
    parts = (measured_table, beside_peers, other_processing, operating_point)
    return "\n\n".join(part(runs) for part in parts)


def two_dates(runs: Mapping[str, Run]) -> str:
    """Return the block of docs/compare.md."""
    run = runs["pairs"]
    lines = ["| true groups | called | share |", "|---|---|---|"]
    for truth, verdict, words in (
        ("added", "new", "added"),
        ("unchanged", "new", "unchanged"),
        ("unchanged", "grown", "unchanged"),
        ("grown", "grown", "grown by 8 members"),
        ("lost", "gone", "lost"),
    ):
        figure = run.figure("called", truth=truth, verdict=verdict)
        lines.append(f"| {words} ({figure.of}) | {verdict} | {_percent(float(figure.value), 0)} |")
    registered = run.figure("registered")
    _claim(float(registered.value) == 1.0, "all pairs registered")
    text = _prose(f"""
        All {registered.of} pairs registered (agreement {run.value("agreement, least"):.2f} or more).
        {run.value("others called new"):.0f} flagged groups that are no true group were called new, of dust
        and grain, above all on film phantoms kept as lossy JPEG: what the detector takes for a group is new
        if the other image does not show it. Recorded {run.date}.
    """)
    lines += ["", text]
    return "\n".join(lines)


def real_texture(runs: Mapping[str, Run]) -> str:
    """Return the block of docs/compare.md on real films."""
    run = runs["films"]
    rows = []
    for truth, verdict, words in (
        ("added", "new", "added called new"),
        ("unchanged", "stable", "unchanged called stable"),
        ("lost", "gone", "lost called gone"),
    ):
        by_verdict = {
            f.labels["verdict"]: float(f.value) for f in run.figures if f.labels.get("truth") == truth
        }
        rows.append(f"{words}: {by_verdict.get(verdict, 0):.0f} of {sum(by_verdict.values()):.0f}")
    return f"{'; '.join(rows)}. Recorded {run.date}."


def cost(runs: Mapping[str, Run]) -> str:
    """Return what a million images cost on rented cores."""
    run = runs["cluster"]
    hours, price = run.value("core hours per million"), run.value("price of a core hour")
    own, busy = (
        {kind: f"{run.value(name, kind=kind):,{form}}" for kind in ("with pictures", "without")}
        for name, form in (
            ("own milliseconds per image", ".1f"),
            ("workers that one writer keeps busy", ".0f"),
        )
    )
    return _prose(f"""
        An image of 4096 × 3328 pixels takes {run.value("processor seconds per image"):.1f} s of one core,
        from its file to its tables and picture: {hours:,.0f} core hours per million images, or
        {hours * price:,.0f} per million at an example price of {price:g} per core hour, without storage
        and traffic. Scheduler and owner together take {own["without"]} ms per image ({own["with pictures"]}
        with pictures), so one owner keeps some {busy["without"]} such cores busy ({busy["with pictures"]}
        with pictures); for more, divide the list (`python -m benchmarks cluster`, with `--price` for your
        own, {run.date}).
    """)


BLOCKS: dict[str, dict[str, Callable[[Mapping[str, Run]], str]]] = {
    "README.md": {"measured": measured},
    "docs/scale.md": {"cost": cost},
    "docs/compare.md": {"two dates": two_dates, "real texture": real_texture},
}
"""Page to its blocks of figures, by the name between the comments that mark them."""
