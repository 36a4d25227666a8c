"""The same numbers as `analyze summary` and `analyze throughput`, by pandas, one run after the other.

    pandas_runs.py RUNS PHASES.csv SUMMARY.csv THROUGHPUT.csv
"""

import math
import pathlib
import sys

import numpy as np
import pandas as pd

runs, phases, summary, throughput = sys.argv[1:]
QUANTILES = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)]
edges = pd.read_csv(phases, dtype_backend="numpy_nullable").set_index("run")
by_phase, by_second = [], []


def numbers(group):
    row = {"ok": len(group)}
    for name, since in [("service", "start_ns"), ("response", "intended_ns")]:
        values = np.sort((group["end_ns"] - group[since]).to_numpy(dtype="int64"))
        row[f"{name}_mean"] = values.mean()
        row.update({f"{name}_{text}": values[max(math.ceil(len(values) * q) - 1, 0)] for text, q in QUANTILES})
    return row


for folder in sorted(pathlib.Path(runs).glob("*/operations.parquet")):
    run = folder.parent.name
    rows = pd.read_parquet(folder, columns=["kind", "outcome", "intended_ns", "start_ns", "end_ns"])
    rows = rows[rows["outcome"] == "ok"]
    due, end, edge = rows["intended_ns"], rows["end_ns"], edges.loc[run]
    if pd.isna(edge["during_from_ns"]):
        phase = np.where(due < 0, "warm_up", "all")
    else:
        phase = np.select(
            [
                due < 0,
                (due < edge["before_to_ns"]) & (end <= edge["before_to_ns"]),
                (due >= edge["during_from_ns"]) & (due < edge["during_to_ns"]),
                due >= edge["after_from_ns"],
            ],
            ["warm_up", "before", "during", "after"],
            "edge",
        )
    for (kind, name), group in rows.groupby(["kind", phase], observed=True):
        by_phase.append({"run": run, "kind": kind, "phase": name, **numbers(group)})
    seconds = (end[(due >= 0) & (end < edge["workload_end_ns"])] // 1_000_000_000).value_counts()
    by_second.append(pd.DataFrame({"run": run, "second": seconds.index, "ok": seconds.to_numpy()}))
pd.DataFrame(by_phase).to_csv(summary, index=False)
pd.concat(by_second).to_csv(throughput, index=False)
