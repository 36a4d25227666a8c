"""Plots and reports."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import laggard
from laggard import errors

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("kind", ["throughput", "latency", "cdf", "delta", "phases", "recovery", "severity"])
def test_plots_are_pictures_with_their_numbers(runs: laggard.Runs, kind: str, tmp_path: Path) -> None:
    chosen = runs.filter(label="delay*_mid", spec__fault__target="follower")
    plot = chosen.plot(kind)
    tree = ElementTree.fromstring(plot.svg)
    assert tree.tag == f"{SVG}svg" and plot._repr_svg_() == plot.svg
    described = tree.find(f"{SVG}desc")
    assert described is not None and described.text
    assert len(next(iter(plot.data.values()))) > 0
    assert "delay5_mid" in plot.svg
    path = plot.save(tmp_path / "plot.svg")
    assert path.read_text(encoding="utf-8") == plot.svg
    assert [entry.name for entry in tmp_path.iterdir()] == ["plot.svg"]


def test_pictures_of_one_run(runs: laggard.Runs) -> None:
    few = runs.filter(label="delay20_mid")
    with pytest.raises(errors.ArgumentError, match=r"these are 3; choose one, as in runs\[0\]"):
        few.plot("members")
    assert "members" in few[0].plot("members").data
    with pytest.raises(errors.ArgumentError, match='kind="latencies": takes one of'):
        few.plot("latencies")
    with pytest.raises(errors.ArgumentError, match="scale: belongs to kind cdf"):
        few.plot("latency", scale="nines")
    assert few.plot("cdf", scale="linear").svg != few.plot("cdf").svg
    with pytest.raises(errors.OutputError, match="choose another place"):
        few.plot("cdf").save("/nowhere/plot.svg")


def test_reports_need_nothing_else(runs: laggard.Runs, tmp_path: Path) -> None:
    few = runs.filter(label="delay20_mid")
    path = few.report(tmp_path / "report.html")
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and all(run.name in page for run in few)
    assert "<script" not in page
    assert laggard.report(few[0], tmp_path / "one.html").exists()
