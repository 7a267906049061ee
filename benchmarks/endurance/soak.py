"""Kill runs at random moments, go on, and compare what comes out with an undisturbed run, byte for byte.

    python -m benchmarks soak [--files 2000] [--pairs 600] [--strikes 36] [--seed 0] [--record]

First runs of `detect` are struck, then, half as often, runs of `compare` over two folders. The files are
generated, 5 % of them broken, and a stand-in searches them. A strike kills the parent, a worker or the whole
group of processes; presses Ctrl-C once or twice; lets the disk be full (a limit on the
size of files); takes the folder of the images away while the run reads it; or changes a file. After each
the same command is given again. Needs Linux.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.common.command import Command, finish
from benchmarks.common.record import Recorder
from benchmarks.endurance.standin import SEARCHED, write_file, write_files
from benchmarks.endurance.standin_pairs import write_pair_file, write_pairs

__all__ = ["Soak", "main"]

KINDS = ("parent", "worker", "group", "Ctrl-C", "Ctrl-C twice", "full disk", "folder gone", "changed file")
BROKEN = 0.05
PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    command = Command("soak", __doc__)
    command.trial_option("--files", type=int, default=2000)
    command.trial_option("--pairs", type=int, default=600)
    command.trial_option("--strikes", type=int, default=36)
    command.parser.add_argument("--seed", type=int, default=0)
    options, recorder = command.parse(arguments)
    for of, count, strikes in (
        ("images", options.files, options.strikes),
        ("pairs", options.pairs, options.strikes // 2),
    ):
        with tempfile.TemporaryDirectory() as folder:
            soak = Soak(Path(folder), count, options.seed, of)
            soak.endure(strikes)
            soak.compare()
        soak.record(recorder, count)
    finish(recorder, options)


@dataclass
class Soak:
    """A folder of files, a folder of results, and what was done to them.

    Parameters
    ----------
    folder : Path
        For all of it.
    files : int
        How many.
    seed : int
        Of the files and of the strikes.
    of : {"images", "pairs"}
        What is worked on; of pairs there are two folders of files.
    """

    folder: Path
    files: int
    seed: int
    of: str = "images"
    strikes: Counter[str] = field(default_factory=Counter)
    equal: list[bool] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    searched: int = 0
    again: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0

    def __post_init__(self) -> None:
        """Write the files."""
        self.rng = random.Random(self.seed)
        self.source, self.out = self.folder / "in", self.folder / "out"
        self.log = self.folder / "searched"
        self.before = 0
        self.prior = self.folder / "prior"
        if self.of == "pairs":
            write_pairs(self.prior, self.source, self.files, broken=BROKEN, seed=self.seed)
        else:
            write_files(self.source, self.files, broken=BROKEN, seed=self.seed)

    def start(self, out: Path, log: Path) -> subprocess.Popen[bytes]:
        """Give the command."""
        self.before = self._ask("SELECT coalesce(max(run_id), 0) FROM runs")
        environment = os.environ | {SEARCHED: str(log), "PYTHONPATH": str(PROJECT)}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = "1"
        command = [sys.executable, "-m", "benchmarks.endurance.drive", str(self.source), str(out)]
        if self.of == "pairs":
            command += ["--prior", str(self.prior)]
        with (self.folder / "errors").open("ab") as errors:
            return subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
                env=environment,
                cwd=PROJECT,
            )

    def endure(self, strikes: int) -> None:
        """Strike so many times, going on after each; the last ones hit what is done at the end of a run."""
        late = min(6, strikes // 4)
        kinds = [KINDS[k % len(KINDS)] for k in range(strikes)]
        self.rng.shuffle(kinds)
        share = max(2, self.files // (strikes + 1))
        for number, kind in enumerate(kinds):
            process = self.start(self.out, self.log)
            try:
                if number >= strikes - late:
                    self._until(process, lambda: self._left() <= 0)
                    time.sleep(self.rng.uniform(0.0, 0.8))
                elif self.rng.random() < 0.15:
                    time.sleep(self.rng.uniform(0.0, 2.0))  # while it begins
                else:
                    target = self.rng.randint(1, share)
                    self._until(process, lambda target=target: self._new() >= target)  # type: ignore[misc]
                    time.sleep(self.rng.uniform(0.0, 0.05))
                self.strike(process, kind)
            finally:
                self._end(process)
                self._put_back()
            self.strikes[kind] += 1
            print(f"{number + 1:3d} {kind:14s} {self._settled()} of {self.files} settled", file=sys.stderr)

    def strike(self, process: subprocess.Popen[bytes], kind: str) -> None:
        """Do one of `KINDS` to a run, and wait for its end."""
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if kind == "group":
                os.killpg(process.pid, signal.SIGKILL)
            elif kind == "worker":
                workers = psutil.Process(process.pid).children()
                for worker in self.rng.sample(workers, min(1, len(workers))):
                    worker.kill()
                before = self._new()
                self._until(process, lambda: self._new() >= before + 10)
                process.kill()
            elif kind.startswith("Ctrl-C"):
                process.send_signal(signal.SIGINT)
                if kind == "Ctrl-C twice":
                    time.sleep(self.rng.uniform(0.0, 0.1))
                    process.send_signal(signal.SIGINT)
                process.wait(900)
            elif kind == "full disk":
                largest = max((p.stat().st_size for p in self.out.glob("results.sqlite*")), default=0)
                room = largest + self.rng.randint(0, 50_000)
                for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children()):
                    one.rlimit(psutil.RLIMIT_FSIZE, (room, room))
                process.wait(900)
            elif kind == "folder gone":
                self.source.rename(self.folder / "away")
                process.wait(900)
            elif kind == "changed file":
                self._change()
                process.kill()
            else:
                process.kill()

    def _change(self) -> None:
        """Give a file other content, and the folder a file more."""
        file = self.rng.choice(sorted(path for path in self.source.rglob("*") if path.is_file()))
        content = {"seed": self.rng.randrange(10**6), "study": "", "side": "L", "view": "CC", "rows": 4}
        (write_pair_file if self.of == "pairs" else write_file)(file, **content)
        self.changed += 1

    def _put_back(self) -> None:
        if (self.folder / "away").exists():
            (self.folder / "away").rename(self.source)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        """End what is left of a run that was struck; its workers must end with it."""
        if process.poll() is None:
            process.kill()
        process.wait()

    def _until(self, process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> None:
        while process.poll() is None and not reached():
            time.sleep(0.01)

    def _ask(self, query: str) -> int:
        """Ask the store, while a run may write it."""
        path = self.out / "results.sqlite"
        if not path.is_file():
            return 0
        try:
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
                return int(store.execute(query).fetchone()[0])
        except sqlite3.Error:
            return 0

    def _new(self) -> int:
        new = "status = 'processed' AND reused = 0"
        return self._ask(f"SELECT count(*) FROM inputs WHERE {new} AND run_id > {self.before}")

    def _settled(self) -> int:
        return self._ask("SELECT count(*) FROM inputs WHERE status != 'pending'")

    def _left(self) -> int:
        known = self._ask(f"SELECT count(*) FROM inputs WHERE run_id > {self.before}")
        return self._ask("SELECT count(*) FROM inputs WHERE status = 'pending'") if known else self.files

    def compare(self) -> None:
        """Go on to the end, run undisturbed into another folder, and compare."""
        alone = self.folder / "alone"
        for out, log in ((self.out, self.log), (alone, self.folder / "searched alone")):
            process = self.start(out, log)
            if process.wait() != 0:
                raise SystemExit((self.folder / "errors").read_text(errors="replace")[-2000:])
        names = sorted(p.relative_to(alone).as_posix() for p in _exported(alone))
        there = sorted(p.relative_to(self.out).as_posix() for p in _exported(self.out))
        for name in sorted({*names, *there}):
            one, other = self.out / name, alone / name
            same = one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()
            self.equal.append(same)
            if not same:
                self.differing.append(name)
        asked = self._ask("SELECT count(*) FROM inputs WHERE position >= 0")
        self.lost = self.files - self._ask(
            "SELECT count(DISTINCT file) FROM inputs WHERE status != 'pending'"
        )
        self.doubled = asked - self.files
        times = Counter(self.log.read_text(encoding="utf-8").splitlines())
        self.searched = sum(times.values())
        self.again = self.searched - len(times)

    def record(self, recorder: Recorder, files: int) -> None:
        """Add the figures."""
        key = {} if self.of == "images" else {"of": self.of}
        recorder.add("files", files, "count", labels=key)
        recorder.add("broken", BROKEN, "share", labels=key)
        for kind in KINDS:
            if self.strikes[kind]:
                recorder.add("strikes", self.strikes[kind], "count", labels={"kind": kind} | key)
        recorder.add("files of results", len(self.equal), "count", labels=key)
        recorder.add("equal, byte for byte", sum(self.equal) / len(self.equal), "share", labels=key)
        recorder.add("images lost", self.lost, "count", labels=key)
        recorder.add("images doubled", self.doubled, "count", labels=key)
        recorder.add("searches", self.searched, "count", labels=key)
        recorder.add("searches of what was searched before", self.again, "count", labels=key)
        for name in self.differing[:20]:
            print("differs:", name, file=sys.stderr)


def _exported(folder: Path) -> list[Path]:
    tables = [*folder.glob("*.csv"), *folder.glob("*.parquet")]
    return tables + list((folder / "overlays").glob("*.png"))
