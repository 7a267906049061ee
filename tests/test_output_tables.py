"""Tables reach the disk complete, in step with the schema, and survive interruptions."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from output_fakes import fake_result, ring

from mcdetect.output.sinks import ParquetSink
from mcdetect.output.tables import CSV_ONLY, SCHEMAS, TableWriter, TableWriters, csv_text
from mcdetect.schema import CALCIFICATIONS, FAILURES, SCHEMA_VERSION, empty_table, make_table
from mcdetect.validation.evaluation.readers import read_table


def names(table: str) -> list[str]:
    return [column.name for column in SCHEMAS[table]]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_an_empty_table_has_header_and_dtypes(tmp_path: Path, name: str) -> None:
    writer = TableWriter(tmp_path, name)
    writer.append(empty_table(SCHEMAS[name]))
    writer.close()
    assert (tmp_path / f"{name}.csv").read_bytes() == (",".join(names(name)) + "\n").encode()
    if name in CSV_ONLY:
        assert not (tmp_path / f"{name}.parquet").exists()
        return
    stored = pd.read_parquet(tmp_path / f"{name}.parquet")
    assert list(stored.columns) == names(name)
    assert len(stored) == 0
    for column in SCHEMAS[name]:
        if column.dtype != "str":
            assert stored[column.name].dtype == column.dtype
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_csv_and_parquet_hold_the_same_rows_in_order(tmp_path: Path) -> None:
    parts = [fake_result(groups=[ring(100 * k, 90, 5 + k)]).calcifications for k in range(1, 4)]
    writer = TableWriter(tmp_path, "calcifications")
    for part in parts:
        writer.append(part)
    writer.close()
    whole = pd.concat(parts, ignore_index=True)
    stored = pd.read_parquet(tmp_path / "calcifications.parquet")
    text = pd.read_csv(tmp_path / "calcifications.csv")
    assert writer.rows == len(whole) == len(stored) == len(text)
    np.testing.assert_array_equal(stored["row_px"], whole["row_px"])
    np.testing.assert_allclose(text["row_px"], whole["row_px"], rtol=1e-5)
    assert list(text["cluster_id"]) == list(whole["cluster_id"])
    assert list(stored["file"]) == list(text["file"]) == list(whole["file"])


def test_csv_form(tmp_path: Path) -> None:
    table = fake_result(others=[(1.0, 2.0)]).calcifications
    table["contrast"] = np.nan
    table["file"] = 'ä "b",\nc.dcm'
    writer = TableWriter(tmp_path, "calcifications")
    writer.append(table)
    writer.close()
    data = (tmp_path / "calcifications.csv").read_bytes()
    assert b"\r" not in data
    assert "ä" in data.decode("utf-8")
    assert b"0.333333," in data
    back = pd.read_csv(tmp_path / "calcifications.csv")
    assert back.loc[0, "file"] == 'ä "b",\nc.dcm'
    assert np.isnan(back.loc[0, "contrast"])
    assert not bool(back.loc[0, "in_pectoral"])


def test_distances_follow_from_the_positions_in_csv() -> None:
    """Neighbours of 0.15 mm at the far end of a large image."""
    table = fake_result(others=[(4012.3456789, 3001.2345678), (4014.4898765, 3001.2468024)]).calcifications
    back = pd.read_csv(io.StringIO(csv_text(table, header=True)))
    true, read = (np.hypot(*np.diff(t[["row_px", "col_px"]].to_numpy(), axis=0)[0]) for t in (table, back))
    assert read == pytest.approx(true, rel=1e-5)
    table["row_px"] = np.nan
    assert pd.read_csv(io.StringIO(csv_text(table, header=True)))["row_px"].isna().all()


def test_parquet_carries_version_units_and_meanings(tmp_path: Path) -> None:
    writer = TableWriter(tmp_path, "calcifications")
    writer.append(fake_result(others=[(1.0, 2.0)]).calcifications)
    writer.close()
    schema = pq.read_schema(tmp_path / "calcifications.parquet")
    assert schema.metadata[b"mcdetect.schema_version"] == SCHEMA_VERSION.encode()
    for column in CALCIFICATIONS:
        metadata = schema.field(column.name).metadata
        assert metadata[b"unit"].decode() == column.unit
        assert metadata[b"meaning"].decode() == column.meaning


def test_columns_must_be_those_of_the_schema(tmp_path: Path) -> None:
    with TableWriters(tmp_path, ["calcifications"]) as tables, pytest.raises(ValueError, match="columns"):
        tables.append({"calcifications": pd.DataFrame({"file": ["a"]})})


def write_then_raise(folder: Path, rows: dict[str, pd.DataFrame], error: BaseException) -> None:
    def run() -> None:
        with TableWriters(folder, list(rows)) as tables:
            tables.append(rows)
            raise error

    with pytest.raises(type(error)):
        run()


def test_after_an_error_no_half_table_appears(tmp_path: Path) -> None:
    row = make_table(FAILURES, {"file": ["a"], "error": "E", "cause": "c", "remedy": "r"})
    write_then_raise(
        tmp_path, {"failures": row, "images": fake_result().summary()}, KeyboardInterrupt("pressed")
    )
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_leaves_the_finished_tables_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "failures.csv").write_text("earlier")
    row = make_table(FAILURES, {"file": ["a"], "error": "E", "cause": "c", "remedy": "r"})
    write_then_raise(tmp_path, {"failures": row}, OSError("full"))
    assert (tmp_path / "failures.csv").read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["failures.csv"]  # the room is given back


def test_tables_appear_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ParquetSink) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ParquetSink, "finish", full)
    tables = TableWriters(tmp_path, ["failures", "images"])
    tables.append({"images": fake_result().summary()})
    assert tables.rows == {"failures": 0, "images": 1}
    with pytest.raises(OSError, match="No space"):
        tables.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["images", "calcifications", "clusters", "findings", "failures"])
def test_text_of_columns_equals_that_of_pandas(tmp_path: Path, name: str) -> None:
    """`csv_lines` formats whole columns; pandas, its twin, value by value."""
    rng = np.random.default_rng(3)
    kinds = {
        "str": lambda: rng.choice(["", "a", 'b, "c"', "line\nbreak", "ä", "nan"], 50),
        "float64": lambda: rng.choice([np.nan, np.inf, -0.0, 1.0, 1 / 3, 123456.789, 1e-9, 2e300], 50),
        "int64": lambda: rng.integers(-5, 10**12, 50),
        "bool": lambda: rng.integers(0, 2, 50).astype(bool),
    }
    table = make_table(SCHEMAS[name], {c.name: kinds[c.dtype]() for c in SCHEMAS[name]})
    writer = TableWriter(tmp_path, name)
    writer.append(table)
    writer.close()
    assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8") == csv_text(table, header=True)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+a", "'+a"),
        ("-a", "'-a"),
        ("@a", "'@a"),
        ("\ta", "'\ta"),
        ("\ra", "'\ra"),
        ("'=a", "''=a"),
        ("'a", "'a"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_no_text_reaches_csv_as_a_formula(tmp_path: Path, text: str, written: str) -> None:
    table = make_table(FAILURES, {"file": [text], "error": "E", "cause": "c", "remedy": "r"})
    texts = [written_by_writer(tmp_path, table)] + [csv_text(table, header=True)] * ("\r" not in text)
    for data in texts:
        (row,) = list(csv.reader(io.StringIO(data, newline="")))[1:]
        assert row == [written, "E", "c", "r"]
    path = tmp_path / "failures.csv"
    assert read_table(path).fillna("")["file"].tolist() == [text]


def written_by_writer(folder: Path, table: pd.DataFrame) -> str:
    writer = TableWriter(folder, "failures")
    writer.append(table)
    writer.close()
    return (folder / "failures.csv").read_bytes().decode()


def test_numbers_below_zero_are_no_formulas(tmp_path: Path) -> None:
    table = fake_result(others=[(1.0, 2.0)]).calcifications.assign(orientation_deg=-12.5)
    writer = TableWriter(tmp_path, "calcifications")
    writer.append(table)
    writer.close()
    assert ",-12.5," in (tmp_path / "calcifications.csv").read_text()


def test_json_holds_the_same_rows(tmp_path: Path) -> None:
    table = fake_result(groups=[ring(100, 90)]).clusters
    table.loc[0, "region_extent_mm"] = np.nan
    writer = TableWriter(tmp_path, "clusters", formats=("json",))
    writer.append(table)
    writer.close()
    (row,) = json.loads((tmp_path / "clusters.json").read_text(encoding="utf-8"))
    assert row["region_extent_mm"] is None
    assert row["flagged"] is True
    assert list(row) == names("clusters")
    assert row["row_px"] == table.loc[0, "row_px"]
