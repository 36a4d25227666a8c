"""Opening runs and choosing among them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import laggard
from laggard import errors


def copied(run: laggard.Run, results: Path) -> Path:
    place = results / run.name
    shutil.copytree(run.path, place)
    return place


def edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.update(changes)
    path.write_text(json.dumps(manifest))


def test_runs_are_a_sequence(runs: laggard.Runs) -> None:
    assert len(runs) == len(list(runs)) > 90
    assert [run.name for run in runs] == sorted(run.name for run in runs)
    assert isinstance(runs[0], laggard.Run) and runs[-1] == list(runs)[-1] and runs[0] != runs[1]
    assert isinstance(runs[:3], laggard.Runs) and len(runs[:3]) == 3
    assert "null_mid" in runs.labels and runs[0] in runs
    with pytest.raises(IndexError):
        runs[1000]


def test_runs_by_label_and_name(runs: laggard.Runs) -> None:
    repeats = runs.filter(label="delay20_mid")
    assert {run.label for run in repeats} == {"delay20_mid"} and len(repeats) == 3
    assert runs[repeats[1].name] == repeats[1]
    assert repeats[:1]["delay20_mid"] == repeats[0]
    with pytest.raises(errors.AmbiguousLabelError, match=r"runs\.filter\(label='delay20_mid'\)"):
        runs["delay20_mid"]
    with pytest.raises(errors.NoRunsError, match="nearest labels are delay20_mid") as wrong:
        runs["delay20_mit"]
    assert isinstance(wrong.value, LookupError)


def test_filters(runs: laggard.Runs) -> None:
    leader = runs.filter({"spec.fault.target": "leader"})
    assert 0 < len(leader) < len(runs)
    assert leader.labels == runs.filter(spec__fault__target="leader").labels
    assert all(run.manifest["spec"]["fault"]["target"] == "leader" for run in leader)
    either = runs.filter(label=lambda label: label.startswith("loss"), spec__fault__target=["leader", "follower"])
    assert set(either.labels) == {"loss5_full", "loss5_mid", "loss20_full", "loss20_mid"}
    long = runs.filter(lambda run: run.manifest["rows"]["operations"] > 10, label="loss*_mid")
    assert set(long.labels) == {"loss5_mid", "loss20_mid"}
    with pytest.raises(errors.UnknownFieldError, match=r"nearest are .*spec\.fault\.target") as wrong:
        runs.filter(spec__fault__targt="leader")
    assert isinstance(wrong.value, KeyError)
    with pytest.raises(errors.NoRunsError, match="their labels are"):
        runs.filter(spec__fault__target="nobody")


def test_patterns_and_sweeps(runs: laggard.Runs) -> None:
    folder = runs.folder
    mid = laggard.open(folder, pattern="loss*_mid")
    assert set(mid.labels) == {"loss5_mid", "loss20_mid"} and mid.labels == laggard.open(folder, ["loss5_mid", "loss20_mid"]).labels
    latest = laggard.open(folder, sweep="latest")
    assert {run.manifest["sweep"]["sweep"] for run in latest} == {latest[0].manifest["sweep"]["sweep"]}
    one = laggard.open(runs[0].path)
    assert [run.name for run in one] == [runs[0].name]


def test_what_runs_look_like(runs: laggard.Runs) -> None:
    few = runs[:2]
    assert "2 runs" in repr(few) and few[0].name in repr(few[0])
    page = few._repr_html_()
    assert few[0].name in page and few[1].name in page and "<table" in page and "<script" not in page
    assert runs[0].manifest["spec"]["label"] == runs[0].label


def test_what_is_not_there(tmp_path: Path, runs: laggard.Runs) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder; name the folder that `recorder` wrote to"):
        laggard.open(tmp_path / "nowhere")
    with pytest.raises(errors.NoRunsError, match="holds no run"):
        laggard.open(tmp_path)
    with pytest.raises(errors.PatternError, match=r"pattern 'a b': no label holds ' '") as wrong:
        laggard.open(runs.folder, pattern="a b")
    assert isinstance(wrong.value, ValueError)
    with pytest.raises(errors.NoRunsError, match="matches no label") as nothing:
        laggard.open(runs.folder, pattern="los5_*")
    assert "--" not in str(nothing.value), "options are told as they are called here"
    other = tmp_path / "bundle.tar.zst"
    other.write_bytes(b"no bundle")
    with pytest.raises(errors.BundleError):
        laggard.open(other)


def test_runs_that_cannot_be_used(tmp_path: Path, runs: laggard.Runs) -> None:
    good, other = copied(runs[0], tmp_path), copied(runs[1], tmp_path)
    edit(other, status="running")
    with pytest.warns(laggard.LaggardWarning, match="unfinished"):
        left = laggard.open(tmp_path)
    assert [run.name for run in left] == [good.name] and "recorder recover" in left.left_out[0]
    with pytest.raises(errors.UnfinishedRunError, match="recorder recover"):
        laggard.open(other)
    edit(other, status={"failed": {"reason": "fault not confirmed", "recovered": False}})
    with pytest.raises(errors.FailedRunError, match=r"fault not confirmed; .*include_failed=True"):
        laggard.open(other)
    assert len(laggard.open(tmp_path, include_failed=True)) == 2
    edit(other, status="finished", format_version=99)
    with pytest.raises(errors.NewerFormatError, match="update Laggard"):
        laggard.open(other)
    edit(other, format_version=1)
    (other / "operations.parquet").write_bytes(b"PAR1")
    with pytest.raises(errors.UnreadableRunError, match=r"operations\.parquet"):
        laggard.open(other)
    assert all(issubclass(getattr(errors, name), (errors.LaggardError, UserWarning)) for name in errors.__all__)
