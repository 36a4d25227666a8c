"""Recordings of slow members in etcd clusters, and every table and plot of them.

    >>> import laggard
    >>> runs = laggard.open("etcd_bench_results", pattern="loss*_mid")
    >>> runs.delta().to_pandas()
    >>> runs["loss20_mid"].operations(columns=["intended_ns", "end_ns"]).to_polars()
    >>> runs.plot("throughput")

Tables are those of `analyze`, under the same names, with the same columns and the same numbers. Long calls do not hold Python's lock,
and can be interrupted.
"""

from __future__ import annotations

import os
from pathlib import Path

from laggard import _core
from laggard import errors as errors
from laggard._plot import Plot
from laggard._runs import Run, Runs, write_report
from laggard._runs import open as open
from laggard._table import Table
from laggard.errors import LaggardError, LaggardWarning

# Not `open`: `from laggard import *` is not to take the place of the builtin.
__all__ = ["LaggardError", "LaggardWarning", "Plot", "Run", "Runs", "Table", "columns", "errors", "report"]

__version__: str = _core.VERSION


def columns(table: str | None = None) -> Table:
    """What the columns of a table mean, and in which unit they are; of every table without a name.

    Raises:
        ArgumentError: There is no such table; the message has the names.
    """
    return Table("columns", _core.columns(table))


def report(runs: Runs | Run, path: str | os.PathLike[str] = "report.html") -> Path:
    """Writes everything about some runs into one HTML file that needs nothing else, and returns its path.

    Raises:
        NoRunsError: No run can be reported on.
        OutputError: The file cannot be written.
    """
    return write_report(runs, path)
