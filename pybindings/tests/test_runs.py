"""Opening runs and choosing among them."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import laggard
from laggard import errors

RECORDED = Path(__file__).resolve().parents[2] / "notebooks" / "data" / "recorded.tar.zst"


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
    assert len(runs) == len(list(runs)) > 100
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
    assert set(runs.filter(label=["delay5*_mid", "null_mid"]).labels) == {"delay5_mid", "delay50_mid", "null_mid"}
    with pytest.raises(errors.PatternError, match="no label holds"):
        runs.filter(label="delay[12]0_mid")
    manifest = runs[0].manifest
    manifest.clear()
    assert runs[0].manifest, "what one gets is a copy"


def test_no_runs_are_no_table(runs: laggard.Runs) -> None:
    assert len(runs[5:5]) == 0 and list(runs[1000:]) == [] and runs[:2] == runs[:2] != runs[1:3]
    with pytest.raises(errors.NoRunsError, match="there are no runs"):
        runs[5:5].delta()
    for empty in ([], ()):
        with pytest.raises(errors.ArgumentError, match="give None, to take everything"):
            laggard.open(runs.folder, pattern=empty)
    with pytest.raises(errors.ArgumentError, match="columns="):
        runs[0].operations(columns=[])


def test_patterns_and_sweeps(runs: laggard.Runs) -> None:
    folder = runs.folder
    mid = laggard.open(folder, pattern="loss*_mid")
    assert set(mid.labels) == {"loss5_mid", "loss20_mid"} and mid.labels == laggard.open(folder, ["loss5_mid", "loss20_mid"]).labels
    latest = laggard.open(folder, sweep="latest")
    assert {run.manifest["sweep"]["sweep"] for run in latest} == {latest[0].manifest["sweep"]["sweep"]}
    one = laggard.open(runs[0].path)
    assert [run.name for run in one] == [runs[0].name]


OF_A_BUNDLE = """
import gc, sys
from pathlib import Path
import laggard, pyarrow

run = laggard.open(sys.argv[1])[0]
folder = run.path.parents[1]
gc.collect()
table = run.operations(["op_id"])
rows = len(table)
del run
gc.collect()
reader = pyarrow.RecordBatchReader.from_stream(table)
del table
gc.collect()
assert folder.exists()
assert reader.read_all().num_rows == rows > 0
del reader
gc.collect()
assert not folder.exists(), "nothing of it is left"
runs = laggard.open(sys.argv[1])
print(runs.folder.parent)
"""


def test_a_bundle_stays_open_as_long_as_anything_of_it_is_there() -> None:
    ran = subprocess.run([sys.executable, "-c", OF_A_BUNDLE, str(RECORDED)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert not Path(ran.stdout.strip()).exists(), "nor after the end of the program"


def test_a_bundle_that_was_replaced_is_read_anew(tmp_path: Path, runs: laggard.Runs) -> None:
    bundle = tmp_path / "bundle.tar.zst"
    shutil.copy(RECORDED, bundle)
    first = laggard.open(bundle)
    bundle.write_bytes(b"no bundle any more")
    with pytest.raises(errors.BundleError):
        laggard.open(bundle)
    assert len(first[0].operations()) > 0


def test_runs_go_to_other_processes(runs: laggard.Runs) -> None:
    few = runs[:3]
    again = pickle.loads(pickle.dumps(few))
    assert [run.name for run in again] == [run.name for run in few]
    assert again[1].summary().to_arrow().equals(few[1].summary().to_arrow())
    assert copy.deepcopy(few[0]).manifest == few[0].manifest
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(len, (few,)) == 3


def in_a_fork(runs: laggard.Runs) -> str:
    try:
        runs.summary()
    except errors.ForkedProcessError as refused:
        return str(refused)
    return "it worked"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_is_refused_and_takes_nothing_away(runs: laggard.Runs) -> None:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, in_a_fork(runs).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert 'multiprocessing.get_context("spawn")' in os.read(read, 10_000).decode()
    assert runs.folder.exists() and len(runs[:1].summary()) > 0


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
    with pytest.raises(errors.PatternError, match=r"pattern .a b.: no label holds ' '") as wrong:
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
    edit(other, status={"state": "running"})
    with pytest.warns(laggard.LaggardWarning, match="unfinished"):
        left = laggard.open(tmp_path)
    assert [run.name for run in left] == [good.name] and "recorder recover" in left.left_out[0]
    with pytest.raises(errors.UnfinishedRunError, match="recorder recover"):
        laggard.open(other)
    edit(other, status={"state": "failed", "reason": "fault not confirmed", "recovered": False})
    with pytest.raises(errors.FailedRunError, match=r"fault not confirmed; .*include_failed=True"):
        laggard.open(other)
    assert len(laggard.open(tmp_path, include_failed=True)) == 2
    edit(other, status={"state": "finished"}, format_version=99)
    with pytest.raises(errors.NewerFormatError, match="update Laggard"):
        laggard.open(other)
    edit(other, format_version=1)
    (other / "operations.parquet").write_bytes(b"PAR1")
    with pytest.raises(errors.UnreadableRunError, match=r"operations\.parquet"):
        laggard.open(other)


def test_a_run_with_the_wrong_number_of_rows_can_be_checked(tmp_path: Path, runs: laggard.Runs) -> None:
    folder = copied(runs[0], tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["rows"]["operations"] += 1
    (folder / "manifest.json").write_text(json.dumps(manifest))
    opened = laggard.open(folder)
    assert opened.check().verdict == "fail"
    with pytest.raises(errors.UnreadableRunError, match="rows where the manifest says"):
        opened.summary()


def test_paths_hold_after_the_folder_was_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runs: laggard.Runs) -> None:
    folder = copied(runs[0], tmp_path)
    monkeypatch.chdir(tmp_path)
    of_folder, of_run = laggard.open("."), laggard.open(folder.name)
    monkeypatch.chdir("/")
    assert len(of_folder[0].summary()) > 0 and of_folder[0] == of_run[0]


def test_every_exception_is_one_of_ours() -> None:
    assert all(issubclass(getattr(errors, name), (errors.LaggardError, UserWarning)) for name in errors.__all__)


def test_every_question_says_what_can_go_wrong() -> None:
    for kind in (laggard.Run, laggard.Runs):
        for name in dir(kind):
            member = getattr(kind, name)
            if name.startswith("_") or not callable(member) or name in ("count", "index", "report"):
                continue
            assert "Raises:" in (member.__doc__ or ""), f"{kind.__name__}.{name}"
