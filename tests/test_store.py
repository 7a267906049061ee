"""The store of results: whole or not at all, known by content, and the same tables out as in."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sqlite3
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from output_fakes import fake_result, ring

import mcdetect
from mcdetect.runs.keys import _libraries, detector_digest, digest_of, result_key
from mcdetect.runs.ledger import Ledger
from mcdetect.runs.results import STORED
from mcdetect.runs.store import Store
from mcdetect.schema import CALCIFICATIONS, CLUSTERS, IMAGES, Column


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results.sqlite", STORED)


def tables() -> dict[str, pd.DataFrame]:
    result = fake_result(groups=[ring(300, 90), ring(200, 60)], others=[(10.0, 20.0)])
    clusters = result.clusters.copy()
    clusters.loc[0, "region_extent_mm"] = np.nan
    return {"images": result.summary(), "calcifications": result.calcifications, "clusters": clusters}


def test_tables_come_out_as_they_went_in(store: Store) -> None:
    given = tables()
    entry = store.put("a.dcm", "k", given, {"study": "s", "seconds": {"spots": 0.25}})
    for name, columns in (("images", IMAGES), ("calcifications", CALCIFICATIONS), ("clusters", CLUSTERS)):
        pd.testing.assert_frame_equal(store.rows(entry, name, columns), given[name])
    assert store.rows(entry, "candidates").empty
    assert list(store.rows(entry, "candidates").dtypes) == list(
        store.rows(store.put("b.dcm", "k", {}, {}), "candidates").dtypes
    )
    (found,) = store.find("a.dcm")
    assert found.facts == {"study": "s", "seconds": {"spots": 0.25}}


def test_an_entry_is_replaced_whole_and_other_keys_stay(store: Store) -> None:
    given = tables()
    store.put("a.dcm", "old", given, {})
    store.put("a.dcm", "new", given, {})
    again = store.put("a.dcm", "new", {"images": given["images"]}, {})
    assert [entry.key for entry in store.find("a.dcm")] == ["old", "new"]
    assert store.rows(again, "calcifications").empty
    assert len(store.rows(store.find("a.dcm")[0], "calcifications")) == len(given["calcifications"])


def test_what_fails_half_way_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tables()

    def fail(number: int, table: str, rows: pd.DataFrame) -> None:
        if table == "clusters":
            raise sqlite3.OperationalError("database or disk is full")
        Store._insert(store, number, table, rows)

    monkeypatch.setattr(store, "_insert", fail)
    with pytest.raises(OSError, match="disk is full"):
        store.put("a.dcm", "k", given, {})
    assert store.find("a.dcm") == []
    (left,) = store._connection.execute("SELECT count(*) FROM images").fetchone()
    assert left == 0


def test_a_store_is_found_again_and_one_of_other_columns_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Store(path, STORED) as store:
        store.put("a.dcm", "k", tables(), {})
        alias = store.alias("1.2.3")
    with Store(path, STORED) as store:
        assert [entry.key for entry in store.find("a.dcm")] == ["k"]
        assert store.alias("1.2.3") == alias
    new = Column("new_mm", "float64", "mm", "a column of a later version")
    with Store(path, {**STORED, "images": (*STORED["images"], new), "further": STORED["images"]}) as store:
        (entry,) = store.find("a.dcm")
        assert store.rows(entry, "images")["new_mm"].isna().tolist() == [True]
        assert store.rows(entry, "further").empty
        assert store.alias("1.2.3") == alias
    with Store(path, STORED) as store:  # what it does not know stays
        assert len(store.rows(store.find("a.dcm")[0], "clusters")) == 2
    with Store(tmp_path / "other.sqlite", STORED) as store:
        assert store.alias("1.2.3") != alias  # a pseudonym means nothing outside its store
    assert not list(tmp_path.glob("*.old"))


def test_a_column_that_changed_its_type_makes_the_store_anew(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Store(path, STORED) as store:
        store.put("a.dcm", "k", tables(), {})
    changed = tuple(dataclasses.replace(c, dtype="str") if c.name == "rows" else c for c in STORED["images"])
    with Store(path, {**STORED, "images": changed}) as store:
        assert store.find("a.dcm") == []
    assert (tmp_path / "results.sqlite.old").is_file()


def make_layout_2(path: Path) -> None:
    """Write a store as version 0.2 did, with one image."""
    names = {name: [column.name for column in columns] for name, columns in STORED.items()}
    with contextlib.closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE layout (version TEXT NOT NULL, salt TEXT NOT NULL)")
        old.execute("INSERT INTO layout VALUES (?, 'salt')", (json.dumps([2, "4.0", names]),))
        old.execute(
            "CREATE TABLE entries (entry INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, "
            "facts TEXT NOT NULL, UNIQUE (name, key))"
        )
        old.execute(
            "CREATE TABLE files (file TEXT PRIMARY KEY, bytes INTEGER NOT NULL, "
            "entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE)"
        )
        types = {"str": "TEXT", "float64": "REAL", "int64": "INTEGER", "bool": "INTEGER"}
        for name, columns in STORED.items():
            declared = ", ".join(f'"{c.name}" {types[c.dtype]}' for c in columns)
            old.execute(
                f'CREATE TABLE "{name}" (entry INTEGER NOT NULL REFERENCES entries ON DELETE CASCADE, '
                f"{declared})"
            )
            old.execute(f'CREATE INDEX "{name}_entry" ON "{name}" (entry)')
        old.execute("INSERT INTO entries VALUES (7, 'a.dcm', 'k', '{}')")
        old.execute("INSERT INTO files VALUES ('overlays/a.png', 3, 7)")
        old.execute("INSERT INTO images (entry, file, rows) VALUES (7, 'a.dcm', 5)")
        old.commit()


def test_a_store_of_the_layout_before_keeps_its_results(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    make_layout_2(path)
    with pytest.raises(OSError, match="of another version"):
        Store(path, STORED, reading=True)
    for _ in range(2):
        with Store(path, STORED) as store:
            entry = store.find("a.dcm")[0]
            assert (entry.number, entry.key) == (7, "k")
            assert store.owned(entry) == {"overlays/a.png": 3}
            assert store.query("SELECT rows FROM images WHERE image_id = 7").fetchall() == [(5,)]
            store.put("a.dcm", "k2", tables(), {})
            assert Ledger.latest(store) is None
    assert not list(tmp_path.glob("*.old"))


def test_a_store_of_a_later_layout_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Store(path, STORED) as store:
        store.put("a.dcm", "k", tables(), {})
        with store.transaction() as run:
            run("UPDATE layout SET version = ?", (json.dumps([99, "9.0", {}]),))
    with pytest.raises(OSError, match="a newer version of mcdetect wrote it"):
        Store(path, STORED)
    assert not list(tmp_path.glob("*.old"))


def test_a_file_that_is_no_store_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    path.write_bytes(b"something else\n" * 1000)
    with Store(path, STORED) as store:
        store.put("a.dcm", "k", tables(), {})
    assert (tmp_path / "results.sqlite.old").read_bytes().startswith(b"something else")


def test_what_is_put_aside_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "results.sqlite"
    path.write_bytes(b"something else\n" * 1000)
    with Store(path, STORED), Store(tmp_path / "other.sqlite", STORED):
        pass
    told = "results.sqlite is {}: kept as results.sqlite.{}, and made anew"
    assert caplog.messages == [told.format("damaged", "old")]
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE layout SET version = 'x'")
        other.commit()
    with Store(path, STORED):
        pass
    assert caplog.messages[1:] == [told.format("of another version", "old2")]
    assert (tmp_path / "results.sqlite.old").read_bytes().startswith(b"something else")


def test_a_store_damaged_within_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Store(path, STORED) as store:
        for number in range(40):
            store.put(f"{number}.dcm", "k", tables(), {})
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    content[len(content) // 2 :] = rng.integers(0, 256, len(content) - len(content) // 2, np.uint8).tobytes()
    path.write_bytes(bytes(content))
    with Store(path, STORED) as store:
        assert store.find("39.dcm") == []
        store.put("a.dcm", "k", tables(), {})
    assert (tmp_path / "results.sqlite.old").is_file()


def test_a_file_belongs_to_whoever_wrote_it_last(store: Store) -> None:
    one = store.put("a.dcm", "k", {}, {}, {"overlays/a.png": 10})
    assert store.owned(one) == {"overlays/a.png": 10}
    two = store.put("b.dcm", "k", {}, {}, {"overlays/a.png": 12, "overlays/b.png": 5})
    assert store.owned(one) == {}
    assert store.owned(two) == {"overlays/a.png": 12, "overlays/b.png": 5}


def test_a_store_without_a_version_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "results.sqlite"
    with Store(path, STORED) as store:
        store.put("a.dcm", "k", tables(), {})
        store._connection.execute("DELETE FROM layout")
    with Store(path, STORED) as store:
        assert store.find("a.dcm") == []
        assert store.alias("1.2.3")
    assert (tmp_path / "results.sqlite.old").is_file()


def test_a_file_that_cannot_be_opened_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "results.sqlite").mkdir()
    with pytest.raises(OSError, match=r"^results\.sqlite: unable to open database file$"):
        Store(tmp_path / "results.sqlite", STORED)
    assert [path.name for path in tmp_path.iterdir()] == ["results.sqlite"]


def test_what_a_crash_leaves_is_whole(store: Store) -> None:
    """Readers do not wait for the writer, nothing is half written, and no row outlives its entry."""
    ask = store._connection.execute
    settings = [
        ask(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")
    ]
    assert settings == ["wal", 1, 1]
    assert store._connection.isolation_level is None  # transactions are ours only
    with Store(store.path, STORED) as other:
        assert other.find("a.dcm") == []
        entry = store.put("a.dcm", "k", tables(), {})
        (found,) = other.find("a.dcm")
        assert (found.number, found.name, found.key) == (entry.number, "a.dcm", "k")
        assert len(other.rows(found, "clusters")) == 2
    with pytest.raises(sqlite3.ProgrammingError):
        other.find("a.dcm")


def test_rows_keep_their_order_columns_and_entry(store: Store) -> None:
    given = tables()
    turned = {name: rows[::-1].reset_index(drop=True) for name, rows in given.items()}
    turned["clusters"] = turned["clusters"].assign(model_score=[0.25, np.nan])
    first = store.put("a.dcm", "k", given, {"n": 1})
    second = store.put("b.dcm", "k", turned, {})
    pd.testing.assert_frame_equal(store.rows(first, "clusters", CLUSTERS), given["clusters"])
    pd.testing.assert_frame_equal(
        store.rows(second, "calcifications", CALCIFICATIONS), turned["calcifications"]
    )
    whole = store.rows(second, "clusters")
    assert list(whole) == [column.name for column in STORED["clusters"]]
    assert whole["model_score"].tolist()[0] == 0.25
    assert whole[["model_score", "probability"]].isna().to_numpy().tolist() == [[False, True], [True, True]]
    assert (first.name, first.key, first.facts, first.number != second.number) == (
        "a.dcm",
        "k",
        {"n": 1},
        True,
    )


def test_pseudonyms_hide_what_they_stand_for(store: Store) -> None:
    assert store.alias("") == ""
    one, other = store.alias("1.2.3"), store.alias("1.2.4")
    assert one != other
    assert len(one) == len(other) == 16
    assert set(one + other) <= set("0123456789abcdef")


def test_keys_change_with_what_results_depend_on() -> None:
    keys = {result_key(*given) for given in (("a", ["x"]), ("b", ["x"]), ("a", ["y"]), ("a", ["x", ""]))}
    assert len(keys) == 4
    assert result_key("a", ["x"]) == result_key("a", ("x",))


@pytest.mark.parametrize(
    ("library", "counts"),
    [
        ("imagecodecs", True),
        ("llvmlite", True),
        ("numba", True),
        ("numpy", True),
        ("opencv-python-headless", True),
        ("pydicom", True),
        ("scikit-image", True),
        ("scipy", True),
        ("pandas", False),
        ("pyarrow", False),
    ],
)
def test_keys_change_with_the_libraries_that_read_and_compute(
    monkeypatch: pytest.MonkeyPatch, library: str, counts: bool
) -> None:
    """Results of another numba or OpenCV are not taken for those of the present one."""
    before = result_key("a", ["x"])
    installed = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.1" if name == library else installed(name))
    _libraries.cache_clear()
    try:
        assert (result_key("a", ["x"]) != before) == counts
    finally:
        _libraries.cache_clear()


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("kernels/discs.py", True),
        ("models/spot_model.json", True),
        ("spots/find.py", True),
        ("validation/datasets/export.py", True),
        ("cli/detect.py", False),
        ("output/tables.py", False),
    ],
)
def test_the_digest_covers_code_kernels_and_models(tmp_path: Path, file: str, counts: bool) -> None:
    package = tmp_path / "mcdetect"
    shutil.copytree(Path(mcdetect.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    assert digest_of(package) == detector_digest()
    with (package / file).open("a", encoding="utf-8") as stream:
        stream.write(" \n")
    assert (digest_of(package) != detector_digest()) == counts


def test_the_digest_is_of_code_and_models_only(tmp_path: Path) -> None:
    (tmp_path / "spots").mkdir()
    (tmp_path / "spots" / "find.py").write_text("a")
    only = digest_of(tmp_path)
    (tmp_path / "spots" / "find.pyc").write_text("compiled")
    (tmp_path / "spots" / "folder.py").mkdir()
    assert digest_of(tmp_path) == only
    (tmp_path / "spots" / "find.py").rename(tmp_path / "spots" / "found.py")
    assert digest_of(tmp_path) != only
