"""Tables: the numbers of the command line, in every library."""

from __future__ import annotations

import csv
import io
import json
import math

import duckdb
import pandas
import polars
import pyarrow
import pytest

import laggard
from laggard import errors

QUESTIONS = [
    ("list", {}, ["list"]),
    ("summary", {}, ["summary"]),
    ("throughput", {}, ["throughput"]),
    ("throughput", {"by": "member"}, ["throughput", "--by", "member"]),
    ("cdf", {}, ["cdf"]),
    ("delta", {}, ["delta"]),
    ("delta", {"by": "run"}, ["delta", "--by", "run"]),
    ("recovery", {}, ["recovery"]),
    ("recovery", {"by": "run", "hold_s": 1.0, "share": 90.0}, ["recovery", "--by", "run", "--hold", "1", "--share", "90"]),
    ("severity", {}, ["severity"]),
    ("severity", {"crossings": True, "begins": 20.0, "metric": "ops_per_s"}, ["severity", "--crossings", "--begins", "20", "--metric", "ops_per_s"]),
    ("causes", {}, ["causes"]),
    ("verdict", {}, ["verdict"]),
    ("verdict", {"by": "sweep"}, ["verdict", "--by", "sweep"]),
    ("member_samples", {"metric": "raft_lag_max_entries"}, ["samples", "--metric", "raft_lag_max_entries"]),
]


def same(python: object, typed: object) -> bool:
    """Whether two cells are the same; JSON has no other numbers than floats."""
    if isinstance(python, float) and isinstance(typed, (int, float)):
        return math.isclose(python, typed, rel_tol=1e-15)
    return python == typed


@pytest.mark.parametrize(("method", "arguments", "typed"), QUESTIONS, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_numbers_are_those_of_the_command_line(runs: laggard.Runs, analyze, method, arguments, typed) -> None:
    chosen = laggard.open(runs.folder, pattern=["delay*_mid", "loss20_mid"])
    table = getattr(chosen, method)(**arguments)
    patterns = ["--pattern", "delay*_mid", "--pattern", "loss20_mid"]
    rows = json.loads(analyze(*typed, "--dir", runs.folder, *patterns, "--format", "json"))
    python = table.to_arrow().to_pylist()
    assert len(python) == len(rows) == len(table) > 0
    for mine, theirs in zip(python, rows, strict=True):
        assert list(mine) == list(theirs) == table.columns
        assert all(same(mine[name], theirs[name]) for name in mine), (mine, theirs)


def test_every_column_is_documented(runs: laggard.Runs) -> None:
    documented = {row["table"] for row in laggard.columns().to_arrow().to_pylist()}
    assert {"summary", "delta", "severity", "recovery"} <= documented
    names = {row["column"] for row in laggard.columns("summary").to_arrow().to_pylist()}
    assert set(runs[:1].summary().columns) <= names | {name for name in runs[:1].summary().columns if "_p" in name or "mean" in name or "max" in name}
    with pytest.raises(errors.ArgumentError, match="the tables are"):
        laggard.columns("sumary")


def test_every_library_takes_a_table(runs: laggard.Runs) -> None:
    summary = runs[:4].summary()
    arrow = summary.to_arrow()
    assert isinstance(arrow, pyarrow.Table) and arrow.equals(pyarrow.table(summary))
    assert arrow.shape == summary.shape
    assert polars.DataFrame(summary).equals(summary.to_polars())
    assert summary.to_polars().shape == summary.shape
    frame = summary.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and frame.shape == summary.shape
    if hasattr(pandas.DataFrame, "from_arrow"):
        assert pandas.DataFrame.from_arrow(summary).shape == summary.shape
    counted = duckdb.sql("select sum(ok) from summary").fetchone()
    assert counted is not None and counted[0] == sum(arrow["ok"].to_pylist())
    assert frame["response_p99_ms"].tolist() == summary.to_polars()["response_p99_ms"].to_list()


def test_percentiles_are_those_of_plain_pandas(runs: laggard.Runs) -> None:
    run = runs.filter(label="null_mid")[0]
    operations = run.operations(["kind", "intended_ns", "start_ns", "end_ns", "outcome"]).to_pandas()
    ok = operations[(operations["outcome"] == "ok") & (operations["intended_ns"] >= 0)]
    summary = run.summary().to_pandas()
    row = summary[summary["phase"] == "all"].iloc[0]
    for time, began in [("response", "intended_ns"), ("service", "start_ns")]:
        took_ms = (ok["end_ns"] - ok[began]).sort_values().to_numpy() / 1e6
        for name, q in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)]:
            rank = max(math.ceil(q * len(took_ms)), 1) - 1
            assert row[f"{time}_{name}_ms"] == pytest.approx(took_ms[rank], abs=1e-9), (time, name)
    assert row["ok"] == len(ok)
    with open(run.path / "throughput.csv", newline="") as file:
        assert sum(int(line["ops"]) for line in csv.DictReader(file)) == len(ok)


def test_missing_is_null(runs: laggard.Runs) -> None:
    baseline = runs.filter(label="baseline")[:1]
    delta = baseline.delta().to_arrow()
    assert delta.column("fault_value").null_count == delta.num_rows
    assert not any(isinstance(value, float) and math.isnan(value) for row in delta.to_pylist() for value in row.values())


def test_comparisons(runs: laggard.Runs) -> None:
    follower, leader = runs.filter(label="delay*_mid"), runs.filter(label="slowleader_mid*")
    table = follower.compare(leader)
    rows = table.to_arrow().to_pylist()
    assert {row["verdict"] for row in rows} <= {"agree", "differ", "cannot tell"} and len(rows) > 8
    assert any(note.startswith(("agree", "differ", "cannot tell")) for note in table.notes)
    single = follower[0].compare(follower[1])
    assert single.to_arrow().to_pylist()[0]["a"] == follower[0].name
    with pytest.raises(errors.ArgumentError, match="margin=0.5"):
        follower.compare(leader, margin=0.5)
    with pytest.raises(errors.ArgumentError, match="metric='p99': takes one of"):
        follower.compare(leader, metric="p99")


def test_gates_and_checks(runs: laggard.Runs) -> None:
    some = runs.filter(label="delay100_mid")
    assert some.gate("put.p99 <= 100s").verdict == "pass"
    assert some.gate(["during.put.p50 <= 1.1 * before"]).verdict == "fail"
    assert some.summary().verdict is None
    with pytest.raises(errors.ArgumentError, match="rule 'put'"):
        some.gate("put")
    checked = some[:1].check()
    assert checked.verdict in ("pass", "cannot tell") and "real_time_order" in checked.to_polars()["check"].to_list()


def test_what_cannot_be_asked(runs: laggard.Runs) -> None:
    for asked, message in [
        (lambda: runs.delta(by="kind"), r"by=.kind.: takes one of .label., .run."),
        (lambda: runs.severity("p99"), "metric="),
        (lambda: runs.severity(begins=60.0), "begins 60 is not below certain 50"),
        (lambda: runs.recovery(share=20.0), "share=20: is no percentage from 50 to 100"),
        (lambda: runs.member_samples("nothing"), "no such metric"),
    ]:
        with pytest.raises(errors.ArgumentError, match=message):
            asked()
    with pytest.raises(errors.NoRunsError, match="nothing to tell the severity of"):
        runs.filter(label="baseline").severity()


def test_what_a_table_looks_like(runs: laggard.Runs) -> None:
    delta = runs.filter(label="delay20_mid").delta()
    text = repr(delta)
    assert text.startswith("<laggard.Table delta: 2 rows,") and "delay#_mid" in text
    page = delta._repr_html_()
    assert "<table" in page and "delay 20ms" in page and "--wide" not in page
    assert list(csv.reader(io.StringIO(",".join(delta.columns))))[0][0] == "label"
