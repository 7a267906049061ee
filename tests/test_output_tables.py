"""Tables reach the disk complete, in step with the schema, and survive interruptions."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from output_fakes import fake_result, ring

from mcdetect.output.tables import CSV_ONLY, SCHEMAS, TableWriter, TableWriters, csv_text
from mcdetect.schema import CALCIFICATIONS, FAILURES, SCHEMA_VERSION, empty_table, make_table


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
    assert (tmp_path / ".failures.csv.part").read_text().splitlines()[1] == "a,E,c,r"


def test_rows_are_readable_before_the_end(tmp_path: Path) -> None:
    with TableWriters(tmp_path, ["images"]) as tables:
        tables.append({"images": fake_result().summary()})
        assert len((tmp_path / ".images.csv.part").read_text().splitlines()) == 2
        assert tables.rows == {"images": 1}
    assert (tmp_path / "images.csv").exists()
