"""Tables: the numbers of the command line, in every library."""

from __future__ import annotations

import csv
import io
import json
import math
import re

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
    ("verdict", {"by": "run"}, ["verdict", "--by", "run"]),
    ("member_samples", {"metric": "raft_lag_max_entries"}, ["samples", "--metric", "raft_lag_max_entries"]),
    ("check", {}, ["check"]),
    ("gate", {"rules": "during.put.p50 <= 1.1 * before"}, ["gate", "--rule", "during.put.p50 <= 1.1 * before"]),
]

SINGLE = [("summary", {}), ("delta", {"by": "run"}), ("recovery", {"by": "run"}), ("verdict", {"by": "run"}), ("check", {}), ("member_samples", {})]


def rows_of(analyze, *typed: object) -> list[dict[str, object]]:
    """The rows that the command line gives; it says by its exit code what a gate or a check found."""
    return json.loads(analyze(*typed, "--format", "json"))


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
    agree(table, rows_of(analyze, *typed, "--dir", runs.folder, *patterns))


def agree(table: laggard.Table, rows: list[dict[str, object]]) -> None:
    python = table.to_arrow().to_pylist()
    assert len(python) == len(rows) == len(table) > 0
    for mine, theirs in zip(python, rows, strict=True):
        assert list(mine) == list(theirs) == table.columns
        assert all(same(mine[name], theirs[name]) for name in mine), (mine, theirs)


@pytest.mark.parametrize(("method", "arguments"), SINGLE, ids=lambda value: value if isinstance(value, str) else "")
def test_one_run_has_the_same_tables(runs: laggard.Runs, analyze, method: str, arguments: dict[str, str]) -> None:
    run = runs.filter(label="delay20_mid")[0]
    typed = ["samples" if method == "member_samples" else method, *(word for name in arguments for word in ("--by", arguments[name]))]
    agree(getattr(run, method)(**arguments), rows_of(analyze, *typed, "--dir", run.path))


def test_comparisons_are_those_of_the_command_line(runs: laggard.Runs, analyze) -> None:
    follower, leader = (laggard.open(runs.folder, pattern=labels) for labels in ("delay*_mid", "slowleader_mid*"))
    metrics = ["--metric", "response_p50_ms", "--metric", "not_ok_share"]
    rows = rows_of(analyze, "compare", "delay*_mid", "slowleader_mid*", "--dir", runs.folder, *metrics)
    agree(follower.compare(leader, metric=["response_p50_ms", "not_ok_share"]), rows)


def test_every_column_is_documented(runs: laggard.Runs) -> None:
    rows = laggard.columns().to_arrow().to_pylist()
    few = runs.filter(label="delay20_mid")
    tables = [few.summary(), few.delta(), few.recovery(), few.severity(), few.verdict(), few.throughput(), few.cdf(), few.check()]
    for table in tables:
        known = [re.sub(r"\\{[a-z_]+\\}", "[a-z0-9_]+", re.escape(row["column"])) for row in rows if row["table"] == table.name]
        assert known, table.name
        unknown = [name for name in table.columns if not any(re.fullmatch(column, name) for column in known)]
        assert not unknown, (table.name, unknown)
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
    counted = duckdb.sql("select sum(ok) as ok from summary").fetchall()
    assert counted[0][0] == sum(arrow["ok"].to_pylist())
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
    with pytest.raises(errors.ArgumentError, match='metric="p99": takes one of'):
        follower.compare(leader, metric="p99")


def test_gates_and_checks(runs: laggard.Runs) -> None:
    some = runs.filter(label="delay50_mid")
    assert some.gate("put.p99 <= 100s").verdict == "pass"
    assert some.gate(["during.put.p50 <= 1.1 * before"]).verdict == "fail"
    assert some.summary().verdict is None
    with pytest.raises(errors.ArgumentError, match='rule "put"'):
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
    few = runs.filter(label=["delay20_mid", "delay50_mid", "delay20_full"])
    delta = few.delta()
    assert repr(delta).startswith("<laggard.Table delta: ") and "delay#_mid" in repr(delta)
    page = delta._repr_html_()
    assert "<table" in page and "delay20_mid" in page
    # What is said of the command line is not said here.
    tables = [few.list(), few.summary(), few.throughput(), few.cdf(), delta, few.delta("run"), few.recovery(), few.severity(), few.severity(crossings=True), few.causes(), few.verdict(), few.member_samples(), few.check(), few.gate("put.p99 <= 1s"), few[:3].compare(few[3:])]
    for table in tables:
        assert "--" not in repr(table).replace("---", "") and "--" not in table._repr_html_(), table.name
        assert len(repr(table).splitlines()) < 120, table.name
    assert len(list(csv.reader(io.StringIO(",".join(delta.columns))))[0]) == len(delta.columns)
