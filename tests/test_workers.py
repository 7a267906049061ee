"""Worker processes: how many, with how many threads, and what is lost when one dies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from mcdetect.readers.image_file import ImageFile
from mcdetect.runs.pool import choose_jobs, run_tasks
from mcdetect.runs.worker import Outcome, Task, process, process_in_worker


def work_or_die(task: Task) -> Outcome:
    """Stand-in work; some files kill their process."""
    if task.file.startswith("kill"):
        os._exit(9)
    if task.file.startswith("sendless"):
        return Outcome(task.file, tables={"x": lambda: None})  # type: ignore[dict-item]
    return Outcome(task.file, sha256=str(os.getpid()))


def outcomes(files: list[str], work: Callable[[Task], Outcome], jobs: int) -> list[Outcome]:
    return list(run_tasks([Task(ImageFile(Path(name), name), name) for name in files], jobs=jobs, work=work))


@pytest.mark.slow
def test_a_worker_that_dies_loses_only_its_own_file() -> None:
    files = ["a", "kill-1", "b", "kill-2", "sendless", "c"]
    results = outcomes(files, work_or_die, 2)
    assert sorted(result.file for result in results) == sorted(files)
    failed = {result.file: result.failure.error for result in results if result.failure}
    assert failed.pop("sendless") not in ("", "WorkerDied")
    assert failed == {"kill-1": "WorkerDied", "kill-2": "WorkerDied"}
    assert str(os.getpid()) not in {result.sha256 for result in results}


def thread_counts(task: Task) -> Outcome:
    import cv2
    import numba

    return Outcome(task.file, sha256=f"{numba.get_num_threads()} {cv2.getNumThreads()}")


@pytest.mark.slow
def test_workers_share_the_cores() -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    expected = max(1, cores // 2)
    for result in outcomes(["a", "b"], thread_counts, 2):
        assert result.sha256 == f"{expected} {expected}"


def test_a_stop_starts_nothing_more() -> None:
    stop = Event()
    tasks = [Task(ImageFile(Path(name), name), name) for name in "abcd"]
    results = run_tasks(tasks, stop=stop, work=work_or_die)
    assert next(results).file == "a"
    stop.set()
    assert list(results) == []


def test_processes_log_through_the_parent(tmp_path: Path) -> None:
    outcome = process_in_worker(
        Task(ImageFile(tmp_path / "missing.dcm", "missing.dcm"), "missing.dcm", log_level=10)
    )
    assert outcome.failure is not None
    assert "no such file" in outcome.failure.cause
    assert all(record.args is None for record in outcome.records)


def test_a_directory_where_a_file_was_is_a_failure(tmp_path: Path) -> None:
    outcome = process(Task(ImageFile(tmp_path, "x"), "x"))
    assert outcome.failure is not None
    assert outcome.failure.error == "UnreadableFileError"


def test_jobs_are_sensible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcdetect.runs.pool.usable_cores", lambda: 8)
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 1e12)
    assert choose_jobs(0) == choose_jobs(1) == choose_jobs(7) == 1
    assert choose_jobs(8) == choose_jobs(1000) == 8
    assert choose_jobs(3, 16) == 3
    assert choose_jobs(0, 4) == 1
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 4e9)
    assert choose_jobs(1000) == 2
    monkeypatch.setattr("mcdetect.runs.pool.available_memory", lambda: 1e8)
    assert choose_jobs(1000) == 1
