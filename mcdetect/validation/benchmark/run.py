"""A data set on disk to a folder of figures."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdetect.config import Config
from mcdetect.errors import InputFileError, McdetectWarning
from mcdetect.output.files import write_text
from mcdetect.output.folder import STORE_FILE
from mcdetect.output.lock import locked
from mcdetect.output.seam import Output
from mcdetect.output.tables import Candidates, Tables, csv_text
from mcdetect.runs.report import Observer
from mcdetect.runs.store import Entry, Store
from mcdetect.runs.worker import Failure
from mcdetect.schema import FAILURES, make_table
from mcdetect.validation.benchmark.detections import DETECTIONS, STORED, TRUTH, detect_cases, gather
from mcdetect.validation.benchmark.report import BenchmarkError, BenchmarkReport
from mcdetect.validation.datasets import Case, Dataset, Kind, TruthStatus, open_dataset, option_names

if TYPE_CHECKING:
    import pandas as pd

    from mcdetect.validation.evaluation import Evaluation, Options

__all__ = ["PAGE", "RECORD", "BenchmarkError", "BenchmarkReport", "run_benchmark"]

logger = logging.getLogger(__name__)

PAGE = "RESULTS.md"
RECORD = "benchmark.json"
RESULTS = "results"

_EVALUATED = (TruthStatus.LOCATED, TruthStatus.NEGATIVE)


def run_benchmark(
    name: str,
    root: str | Path,
    out: str | Path,
    *,
    config: Config | None = None,
    options: Mapping[str, Any] | None = None,
    split: str | None = None,
    limit: int | None = None,
    rules: Sequence[str] = (),
    jobs: int | None = None,
    restart: bool = False,
    samples: int = 1000,
    seed: int = 0,
    plots: bool = True,
    observer: Observer | None = None,
) -> BenchmarkReport:
    """Detect in every case of a data set whose truth is known, and evaluate.

    Cases whose results are in the output folder already, from the same image, truth, options and
    code, are not worked on again. A case that fails stops nothing and is tried again the next time.

    Parameters
    ----------
    name : str
        As `mcdetect.validation.datasets.open_dataset` knows it.
    root : path-like
        Folder that holds the set.
    out : path-like
        Folder for the results; made if needed.
    config : Config, optional
        Options of the detector.
    options : mapping, optional
        Those of the data set.
    split : str, optional
        Take this part of the set only.
    limit : int, optional
        Take so many cases at most, the first ones in the order of the set.
    rules : sequence of str
        Matching rules; the usual one of a target when none of its rules is named.
    jobs : int, optional
        Worker processes; chosen from images, cores and memory when left out.
    restart : bool
        Work on every case anew.
    samples, seed : int
        Of the bootstrap over patients.
    plots : bool
        Draw the curves (needs matplotlib).
    observer : Observer, optional
        Is told how the cases get on.

    Returns
    -------
    BenchmarkReport

    Raises
    ------
    ValueError
        If the name, an option or a rule is not known.
    InputFileError
        If the data set cannot be opened.
    BenchmarkError
        If nothing can be evaluated, or the output folder is not ours.
    """
    from mcdetect.validation.benchmark.page import record, results_page

    if limit is not None and limit < 1:
        raise ValueError(f"limit = {limit}: must be at least 1")
    wanted = _rules(rules)
    known_options = option_names(name)
    if plots:
        from mcdetect.validation.evaluation.plots import require_matplotlib

        require_matplotlib()
    given = dict(options or {})
    if split is not None and "split" in known_options:
        given["split"] = split
    notes: list[str] = []
    with _told(notes):
        dataset = open_dataset(name, root, **given)
        listed = list(dataset)
    if split is not None and "split" not in given:
        listed = [case for case in listed if case.labels.get("split") == split]
    usable = [case for case in listed if case.status in _EVALUATED]
    if not usable:
        raise BenchmarkError(_nothing(dataset, listed, split))
    chosen = usable[:limit]
    report = BenchmarkReport(
        dataset=dataset,
        options=given,
        config=config or Config(),
        jobs=1,
        status=Counter(str(case.status) for case in listed),
        split=split,
        limit=limit,
        chosen=len(chosen),
        notes=notes + _remarks(chosen),
    )
    for problem in dataset.problems:
        _add_problem(report, problem)
    folder = Path(out)
    _prepare(folder)
    write_text(folder / RECORD, record(report, "running"))
    targets = _targets(chosen)
    candidates = "calcifications" in targets
    outputs: list[Output] = [Tables()]
    outputs += [Candidates()] * candidates
    with locked(folder), Store(folder / STORE_FILE, STORED) as store:
        entries = detect_cases(chosen, folder, store, report, outputs, jobs, restart, observer)
        _write_failures(folder, report)
        if report.interrupted:
            write_text(folder / RECORD, record(report, "interrupted"))
            return report
        if not entries:
            write_text(folder / RECORD, record(report, "failed"))
            raise BenchmarkError(f"none of {len(chosen)} cases could be processed; see failures.csv")
        tables = gather(chosen, entries, store, folder, candidates)
    report.seconds = _seconds(entries)
    for target in targets:
        for rule in wanted[target]:
            found = _evaluate(tables, rule, samples, seed)
            label = f"{target}_{rule.rule_name}"
            found.save(folder / RESULTS / label, plots=plots)
            report.evaluations[label] = found
    write_text(folder / PAGE, results_page(report, folder / RESULTS))
    write_text(folder / RECORD, record(report, "complete"))
    return report


@contextmanager
def _told(notes: list[str]) -> Iterator[None]:
    """Log and keep what the data set warns of, such as a pixel spacing that it assumes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", McdetectWarning)
        yield
    for text in dict.fromkeys(str(item.message) for item in caught):
        logger.warning("%s", text)
        notes.append(text)


def _known_rules() -> dict[str, tuple[str, ...]]:
    """Return the matching rules by target."""
    from mcdetect.validation.evaluation import CALCIFICATION_RULES, CLUSTER_RULES

    return {"calcifications": tuple(CALCIFICATION_RULES), "clusters": tuple(CLUSTER_RULES)}


def _rules(names: Sequence[str]) -> dict[str, list[Options]]:
    """Return the options of the evaluations to make, by target."""
    from mcdetect.validation.evaluation import Options

    known = _known_rules()
    for name in names:
        if not any(name in rules for rules in known.values()):
            listed = ", ".join(rule for rules in known.values() for rule in rules)
            raise ValueError(f"there is no matching rule {name!r}; known are {listed}")
    return {
        target: [Options(target=target, rule=name) for name in dict.fromkeys(names) if name in rules]
        or [Options(target=target)]
        for target, rules in known.items()
    }


def _nothing(dataset: Dataset, listed: Sequence[Case], split: str | None) -> str:
    """Say why no case can be evaluated."""
    where = f"{dataset.info.name}{'' if split is None else f', split {split}'}"
    if listed:
        counts = Counter(str(case.status) for case in listed)
        states = ", ".join(f"{number} {status}" for status, number in counts.items())
        return f"{where}: no case has a truth to evaluate against ({states}); needed: {dataset.info.truth}"
    problem = f"; the first problem: {dataset.problems[0]}" if dataset.problems else ""
    return f"{where}: no case was found{problem}; needed: {dataset.info.layout}"


def _remarks(cases: Sequence[Case]) -> list[str]:
    counts = Counter(remark for case in cases for remark in case.remarks)
    return [f"{remark} ({number} of {len(cases)} cases)" for remark, number in counts.most_common()]


def _add_problem(report: BenchmarkReport, problem: InputFileError) -> None:
    name = problem.path.name if problem.path is not None else report.dataset.info.name
    label, number = name, 1
    while label in report.failed:
        number += 1
        label = f"{name} ({number})"
    report.failed[label] = Failure(type(problem).__name__, problem.cause, problem.remedy)


def _targets(cases: Sequence[Case]) -> list[str]:
    """Return what the truth allows to evaluate; without any, the false groups of negative images."""
    kinds = {finding.kind for case in cases for finding in case.findings}
    found = ["calcifications"] if Kind.CALCIFICATION in kinds else []
    return found + (["clusters"] if Kind.GROUP in kinds or not found else [])


def _prepare(folder: Path) -> None:
    """Make the output folder ready; refuse one that holds our names but is not ours."""
    if folder.exists() and not folder.is_dir():
        raise BenchmarkError(f"{folder.name} is a file; name a folder for the output")
    ours = (folder / RECORD).is_file()
    foreign = [
        n for n in (PAGE, "failures.csv", DETECTIONS, RESULTS, STORE_FILE, TRUTH) if (folder / n).exists()
    ]
    if foreign and not ours:
        raise BenchmarkError(
            f"{folder.name or folder} holds {foreign[0]}, which no benchmark wrote; "
            "name another output folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    # No page, no figures and no tables of other cases shall stand beside the new ones.
    (folder / PAGE).unlink(missing_ok=True)
    (folder / TRUTH).unlink(missing_ok=True)
    shutil.rmtree(folder / DETECTIONS, ignore_errors=True)
    for target, rules in _known_rules().items():
        for rule in rules:
            shutil.rmtree(folder / RESULTS / f"{target}_{rule}", ignore_errors=True)


def _write_failures(folder: Path, report: BenchmarkReport) -> None:
    failed = report.failed
    rows = {
        "file": list(failed),
        "error": [failure.error for failure in failed.values()],
        "cause": [failure.cause for failure in failed.values()],
        "remedy": [failure.remedy for failure in failed.values()],
    }
    write_text(folder / "failures.csv", csv_text(make_table(FAILURES, rows), header=True))


def _evaluate(tables: Mapping[str, pd.DataFrame], options: Options, samples: int, seed: int) -> Evaluation:
    from mcdetect.validation.evaluation import evaluate

    clusters = options.target == "clusters"
    return evaluate(
        tables["clusters" if clusters else "candidates"],
        tables["truth"],
        tables["images"],
        members=tables["calcifications"] if clusters else None,
        names=("mcdetect", ""),
        options=options,
        samples=samples,
        seed=seed,
    )


def _seconds(entries: Mapping[str, Entry]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame([entry.facts["seconds"] for entry in entries.values()])
