"""The same numbers as `analyze summary` and `analyze throughput`, by Python polars: lazy queries over all runs.

    polars_query.py RUNS PHASES.csv SUMMARY.csv THROUGHPUT.csv
"""

import sys

import polars as pl

runs, phases, summary, throughput = sys.argv[1:]
QUANTILES = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99_9", 0.999)]

edges = pl.scan_csv(phases, schema_overrides={
    name: pl.Int64 for name in ["before_to_ns", "during_from_ns", "during_to_ns", "after_from_ns", "workload_end_ns"]
})
acknowledged = (
    pl.scan_parquet(f"{runs}/*/operations.parquet", include_file_paths="path")
    .select("path", "kind", "outcome", "intended_ns", "start_ns", "end_ns")
    .filter(pl.col("outcome") == "ok")
    .with_columns(run=pl.col("path").str.extract(r"([^/]*)/operations\.parquet$"))
)
due, end = pl.col("intended_ns"), pl.col("end_ns")
phase = (
    pl.when(due < 0).then(pl.lit("warm_up"))
    .when(pl.col("during_from_ns").is_null()).then(pl.lit("all"))
    .when((due < pl.col("before_to_ns")) & (end <= pl.col("before_to_ns"))).then(pl.lit("before"))
    .when((due >= pl.col("during_from_ns")) & (due < pl.col("during_to_ns"))).then(pl.lit("during"))
    .when(due >= pl.col("after_from_ns")).then(pl.lit("after"))
    .otherwise(pl.lit("edge"))
)
times = {"service": end - pl.col("start_ns"), "response": end - due}
numbers = [pl.len().alias("ok")]
for name, time in times.items():
    numbers.append(time.mean().alias(f"{name}_mean"))
    numbers.extend(time.quantile(q, "equiprobable").cast(pl.Int64).alias(f"{name}_{text}") for text, q in QUANTILES)
by_phase = acknowledged.join(edges, on="run").group_by("run", "kind", phase.alias("phase")).agg(numbers)
by_second = (
    acknowledged.join(edges, on="run").filter((due >= 0) & (end < pl.col("workload_end_ns")))
    .group_by("run", (end // 1_000_000_000).alias("second")).agg(pl.len().alias("ok"))
)
by_phase, by_second = pl.collect_all([by_phase, by_second])
by_phase.write_csv(summary)
by_second.write_csv(throughput)
