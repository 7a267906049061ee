"""The report of a model for people: one page of HTML that holds its pictures."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import pandas as pd

import mcdetect
from mcdetect.models.linear import Linear
from mcdetect.schema import CLUSTERS
from mcdetect.training.learning import Training
from mcdetect.training.measures import CONFIDENCE, Measure
from mcdetect.training.report import measures_of

__all__ = ["in_words", "line_of", "page"]

_MOST_FEATURES = 30  # Technical: listed on the page; the rest is in the table beside it
_BAR = 160  # Technical: px, of a weight of all
_SURE = 0.05  # Standard: share of shufflings below which a figure is called more than chance

_NAMES = {
    "auc": "AUC, {level}s",
    "auc_patient": "AUC, patients, at equal numbers of groups",
    "brier": "Brier score",
    "brier_skill": "Brier skill (over the prevalence)",
    "calibration_slope": "calibration slope (1 is true)",
    "calibration_intercept": "calibration intercept (0 is true)",
    "calibration_in_the_large": "mean prediction minus prevalence",
}
_WITH_P = ("auc", "auc_patient", "brier_skill")
_SOURCES = {
    "image": "image",
    "patient": "patient (covariates)",
    "comparison": "comparison with an earlier image",
}
_EXTRA = {
    "change_new": "the group is new since the earlier image",
    "change_grown": "the group has grown since the earlier image",
}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2329; max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #d7dde2 }
.lead { font-size: 1.1rem; background: #eef4f7; padding: .8rem 1rem; border-left: 4px solid #0b6e99 }
table { border-collapse: collapse; margin: .8rem 0 } th, td { padding: .25rem .7rem; text-align: left }
th { border-bottom: 2px solid #b8c2ca } td { border-bottom: 1px solid #e4e9ec } td.n { text-align: right }
img { max-width: 100% } .row { display: flex; flex-wrap: wrap; gap: 1rem }
figure { margin: 0; width: 11.5rem }
figure.plot { width: 27rem } figcaption { font-size: .85rem; color: #4a5560 }
.bar { display: inline-block; height: .75rem; background: #0b6e99 } .minus { background: #c4501b }
.quiet { color: #5b6670; font-size: .9rem }
"""


def in_words(training: Training) -> str:
    """Return what the model is worth on patients it has not seen, in one or two sentences."""
    area, level = training.measures["auc"], training.settings["level"]
    if not math.isfinite(area.value):
        return "How well the model ranks patients it has not seen cannot be told from these labels."
    text = (
        f"Of a {training.model.target} and another {level} of patients it has not seen, the model ranks the "
        f"{training.model.target} one higher {_percent(area.value)} of the time"
    )
    if math.isfinite(area.low):
        text += f" ({_percent(area.low)} to {_percent(area.high)})"
    if not math.isfinite(area.null):
        return f"{text}; 50 % is a coin."
    chance = f"{_percent(area.null_low)} to {_percent(area.null_high)}"
    text += f"; with labels shuffled between patients it is {chance}."
    if area.p <= _SURE:
        unsure = " With so few patients it may yet be anything in its interval." if area.low <= 0.5 else ""
        return f"{text} That is more than chance: {_reached(area.p)} of them reach it.{unsure}"
    return f"{text} Chance does as well in {_reached(area.p)} of these: nothing is shown to be learned."


def page(
    training: Training,
    shown: pd.DataFrame,
    plots: Sequence[Path] = (),
    pictures: Mapping[int, Path] | None = None,
) -> str:
    """Return the report as HTML; no patient and no file is named.

    Parameters
    ----------
    training : Training
    shown : DataFrame
        From `mcdetect.training.shown.examples_of`.
    plots : sequence of Path
        PNG files of the curves.
    pictures : mapping of int to Path, optional
        PNG files of groups, by row.
    """
    model, settings, examples = training.model, training.settings, training.examples
    n, patients = examples.label.size, int(examples.patient.max()) + 1
    positive = int(pd.Series(examples.label).groupby(examples.patient).max().sum())
    calibrated = (
        f"Calibrated: its probability is that of a {settings['level']} and holds where as many are positive "
        f"as here ({_percent(float(model.about['prevalence']))}, each patient weighing one)."
        if model.calibration is not None
        else "Not calibrated: its score ranks and is no probability."
    )
    parts = [
        f"<h1>Model of groups of calcifications: {escape(model.target)}</h1>",
        f'<p class="lead">{escape(in_words(training))}</p>',
        f"<p>{model.kind}, {escape(str(training.chosen.recipe))}; trained with mcdetect "
        f"{mcdetect.__version__} on {n} groups of {patients} patients, {positive} of whom are positive; "
        f"labels of {settings['level']}s. "
        f"{escape(calibrated)} For research use; not a medical device.</p>",
        "<h2>How well it does on patients it has not seen</h2>",
        *_figures(training),
        '<div class="row">',
        *(f'<figure class="plot">{_image(path, path.stem)}</figure>' for path in plots),
        "</div>",
        "<h2>What the model weighs</h2>",
        *_weights(training),
        "<h2>Groups that it got right and wrong</h2>",
        *_examples(training, shown, pictures or {}),
        "<h2>For the specialist: what was chosen, and how steady it is</h2>",
        *_choices(training),
        *_stability(training),
        "<h2>Remarks</h2>",
        "<ul>",
        *(f"<li>{escape(note)}</li>" for note in training.notes),
        "</ul>",
    ]
    title = f"<title>Model: {escape(model.target)}</title>"
    head = f'<!doctype html><html lang="en"><head><meta charset="utf-8">{title}'
    return f"{head}<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"


def _figures(training: Training) -> list[str]:
    settings = training.settings
    rows = [
        (
            escape(_NAMES[name].format(level=settings["level"])),
            _figure(value.value),
            _span(value.low, value.high),
            _figure(value.null),
            _span(value.null_low, value.null_high),
            _figure(value.p) if name in _WITH_P else "",
        )
        for name, value in measures_of(training).items()
    ]
    header = ("measure", "value", "interval", "by chance", "interval by chance", "share that reaches it")
    text = (
        f"{settings['folds']}-fold cross-validation by patient, {settings['repeats']} partitions; recipe, "
        "features and calibration are chosen anew inside every training part. Groups are compared within a "
        "fold, each patient weighs one, and patients are compared as if they had equally many groups. "
        f"Intervals: {100 * CONFIDENCE:g} %, over patients. By chance: the same with labels shuffled between "
        f"patients, {settings['permutations']} times."
    )
    return [*_table(header, rows, numbers=(1, 3, 5)), f'<p class="quiet">{escape(text)}</p>']


def _weights(training: Training) -> list[str]:
    shares = training.shares
    if shares.empty:
        return ["<p>Trees: see the share of splits in the table below.</p>"]
    words = {column.name: column.meaning for column in CLUSTERS} | _EXTRA
    scales = dict(zip(training.model.features, training.model.transforms, strict=True))
    rows = []
    for row in shares.head(_MOST_FEATURES).to_dict("records"):
        name = str(row["feature"])
        scale = "" if scales[name] == "none" else f", {scales[name].split()[0]}"
        known = training.examples.clusters[name].notna().mean()
        missing = "" if known == 1.0 else f" (missing for {_percent(1.0 - known)})"
        rows.append(
            (
                f"<code>{escape(name)}</code>{scale}",
                escape(words.get(name, "")) + missing,
                _SOURCES[row["source"]],
                f"{row['coefficient']:+.2f}",
                f"{_bar(row['share'])} {_percent(row['share'])}",
            )
        )
    by_source = shares.groupby("source")["share"].sum()
    said = ", ".join(f"{_SOURCES[str(name)]} {_percent(float(value))}" for name, value in by_source.items())
    return [
        *_table(("feature", "meaning", "source", "weight", "share of the score"), rows, numbers=(3,)),
        f'<p class="quiet">Weight: log-odds per standard deviation. Shares by source: {escape(said)}.</p>',
    ]


def _examples(training: Training, shown: pd.DataFrame, pictures: Mapping[int, Path]) -> list[str]:
    out = []
    for verdict in ("right", "wrong"):
        out += [f"<h3>{verdict.capitalize()}</h3>", '<div class="row">']
        for row, label, above in shown.loc[shown["verdict"] == verdict, ["row", "label", "above"]].itertuples(
            index=False
        ):
            cluster = training.examples.clusters.iloc[int(row)]
            facts = [f"{training.model.target if label == 1 else 'not ' + training.model.target}"]
            facts.append(f"ranked above {_percent(above)} of the other patients' groups")
            if "n_calcifications" in cluster:
                facts.append(f"{int(cluster['n_calcifications'])} calcifications")
            if "suspicion" in cluster:
                facts.append(f"suspicion index {float(cluster['suspicion']):.0f}")
            picture = _image(pictures[int(row)], "group") if int(row) in pictures else ""
            caption = f"{'; '.join(facts)} (line {int(row) + 2} of predictions.csv)"
            out.append(f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>")
        out.append("</div>")
    if not pictures:
        out.append('<p class="quiet">Pictures need the images: <code>--images</code>.</p>')
    return out


def _choices(training: Training) -> list[str]:
    folds = Counter(each.recipe for each in training.out_of_fold.chosen)
    rows = [
        (
            escape(str(recipe)) + (" (final)" if recipe == training.chosen.recipe else ""),
            f"{loss:.4f}",
            str(folds.get(recipe, 0)),
        )
        for recipe, loss in training.chosen.losses.items()
    ]
    return _table(("recipe", "log-loss inside", "folds that chose it"), rows, numbers=(1, 2))


def _stability(training: Training) -> list[str]:
    weight = "coefficient" if isinstance(training.model.rule, Linear) else "share of splits"
    rows = [
        (
            f"<code>{escape(str(row['feature']))}</code>",
            *(_percent(row[name]) for name in ("selected", "positive", "negative", "selected_folds")),
            f"{row['weight']:.3f}" if row["in_model"] else "not in the model",
        )
        for row in training.stability.head(_MOST_FEATURES).to_dict("records")
    ]
    more = len(training.stability) - _MOST_FEATURES
    text = (
        f"Refitted on {training.settings['stability_samples']} bootstrap samples of patients: the "
        "share that uses a feature, and in which it raises or lowers the score."
    )
    return [
        *_table(("feature", "used", "raises", "lowers", "folds", weight), rows, numbers=(1, 2, 3, 4, 5)),
        f'<p class="quiet">{escape(text)}{f" {more} more in stability.csv." if more > 0 else ""}</p>',
    ]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> list[str]:
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    kinds = {True: '<td class="n">', False: "<td>"}
    body = [
        "<tr>"
        + "".join(f"{kinds[place in numbers]}{cell}</td>" for place, cell in enumerate(cells))
        + "</tr>"
        for cells in rows
    ]
    return ["<table>", f"<tr>{head}</tr>", *body, "</table>"]


def _image(path: Path, what: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f'<img alt="{escape(what)}" src="data:image/png;base64,{data}">'


def _bar(share: float) -> str:
    kind = "bar minus" if share < 0 else "bar"
    return f'<span class="{kind}" style="width:{min(abs(share), 1.0) * _BAR:.0f}px"></span>'


def _figure(value: float) -> str:
    return f"{round(value, 3) + 0.0:.3f}" if math.isfinite(value) else "none"


def _span(low: float, high: float) -> str:
    return f"{_figure(low)} to {_figure(high)}" if math.isfinite(low) and math.isfinite(high) else "none"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _reached(share: float) -> str:
    return _percent(share) if share >= 0.01 else "less than 1 %"  # Technical: what whole percents can say


def line_of(name: str, value: Measure) -> str:
    """Return a figure for the terminal: value, interval, and what chance gives."""
    text = f"{name.replace('_', ' ')}: {_figure(value.value)} ({_span(value.low, value.high)})"
    if math.isfinite(value.null):
        text += f"; shuffled labels {_figure(value.null)} ({_span(value.null_low, value.null_high)})"
        if name in _WITH_P:
            text += f", reached by {_reached(value.p)}"
    return text
