"""Recorded rows, as they are in the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars
import pyarrow
import pyarrow.parquet
import pytest

import laggard
from laggard import errors


def test_operations_are_those_of_the_file(runs: laggard.Runs) -> None:
    run = runs[0]
    there = pyarrow.parquet.read_table(run.path / "operations.parquet")
    table = run.operations()
    assert table.columns == there.column_names and len(table) == there.num_rows
    assert table.to_arrow().to_pylist() == there.to_pylist()
    assert polars.DataFrame(table).rows() == polars.DataFrame(there).rows()
    assert len(run.samples()) == run.manifest["rows"]["samples"]
    assert {"mod_revision", "version"} <= set(run.final_state().columns)
    fault = runs.filter(label="delay20_mid")[0].faults.to_polars()
    assert fault["kind"].to_list() == ["delay"] and fault["confirmed"].to_list() == [True]


def test_columns_and_rows_can_be_chosen(generated) -> None:
    # More than one row group, and rows from the middle of one to that of another.
    folder = generated(1, 600_000)
    run = laggard.open(folder)[0]
    # Warm-up included, there are some more rows than asked for.
    there = pyarrow.parquet.read_table(run.path / "operations.parquet", columns=["op_id", "end_ns"])
    chosen = run.operations(["end_ns", "op_id"], rows=slice(200_000, 550_000))
    assert chosen.columns == ["op_id", "end_ns"] and len(chosen) == 350_000
    assert chosen.to_arrow().equals(there.slice(200_000, 350_000))
    assert chosen.to_arrow().equals(chosen.to_arrow()), "a table can be taken more than once"
    whole = run.operations(["op_id"]).to_arrow()
    assert whole.equals(there.select(["op_id"]))
    for rows, count in [(slice(0, 0), 0), (slice(len(there) - 1, None), 1), (slice(10**9, None), 0), (slice(None, 5), 5)]:
        assert len(run.operations(rows=rows)) == run.operations(["op_id"], rows=rows).to_arrow().num_rows == count
    assert len(run.operations(rows=slice(0, 2**70))) == len(there)
    assert [batch.num_rows for batch in run.operations(["op_id"], rows=slice(0, 300_000)).batches()] == [262_144, 37_856]
    for rows in [slice(-5, None), slice(0, 10, 2), slice(5, 1), slice(0, 1.5), (0, 10)]:
        with pytest.raises(errors.ArgumentError, match="takes a slice of rows from the front"):
            run.operations(rows=rows)
    with pytest.raises(errors.ArgumentError, match="column \"latency\": is not in the table; there are op_id"):
        run.operations(["latency"])


def test_a_damaged_file_is_an_error_and_no_crash(tmp_path: Path, runs: laggard.Runs) -> None:
    run = runs[0]
    place = tmp_path / run.name
    shutil.copytree(run.path, place)
    opened = laggard.open(place)[0]
    path = place / "operations.parquet"
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)
    for take in ("to_arrow", "to_pandas", "to_polars"):
        with pytest.raises(errors.UnreadableRunError, match="damaged"):
            getattr(opened.operations(), take)()
    with pytest.raises(errors.UnreadableRunError, match=r"operations\.parquet"):
        opened.summary()
    (place / "operations.parquet").unlink()
    with pytest.raises(errors.UnreadableRunError):
        opened.operations()


def test_a_name_of_a_column_is_text_and_no_page(tmp_path: Path, runs: laggard.Runs) -> None:
    place = tmp_path / runs[0].name
    shutil.copytree(runs[0].path, place)
    path = place / "operations.parquet"
    there = pyarrow.parquet.read_table(path)
    pyarrow.parquet.write_table(there.append_column("<img src=x>", pyarrow.array([1] * there.num_rows)), path)
    page = laggard.open(place)[0].operations()._repr_html_()
    assert "&lt;img src=x&gt;" in page and "<img" not in page
