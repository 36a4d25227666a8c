"""The same numbers as `analyze summary` and `analyze throughput`, by DuckDB: two queries over all runs.

    duckdb_query.py RUNS PHASES.csv SUMMARY.csv THROUGHPUT.csv
"""

import sys

import duckdb

runs, phases, summary, throughput = sys.argv[1:]
QUANTILES = "[0.5, 0.9, 0.95, 0.99, 0.999]"
ROWS = f"""
    select regexp_extract(filename, '([^/]*)/operations.parquet$', 1) as run, kind, outcome, intended_ns, start_ns, end_ns
    from read_parquet('{runs}/*/operations.parquet', filename = true)
"""
PHASES = f"""
    read_csv('{phases}', types = {{'before_to_ns': 'BIGINT', 'during_from_ns': 'BIGINT', 'during_to_ns': 'BIGINT',
        'after_from_ns': 'BIGINT', 'workload_end_ns': 'BIGINT'}})
"""
SUMMARY = f"""
    with rows as ({ROWS}),
    phased as (
        select rows.*, case
            when intended_ns < 0 then 'warm_up'
            when during_from_ns is null then 'all'
            when intended_ns < before_to_ns and end_ns <= before_to_ns then 'before'
            when intended_ns >= during_from_ns and intended_ns < during_to_ns then 'during'
            when intended_ns >= after_from_ns then 'after'
            else 'edge' end as phase
        from rows join {PHASES} using (run)
        where outcome = 'ok'
    )
    select run, kind, phase, count(*) as ok,
        avg(end_ns - start_ns) as service_mean, quantile_disc(end_ns - start_ns, {QUANTILES}) as service,
        avg(end_ns - intended_ns) as response_mean, quantile_disc(end_ns - intended_ns, {QUANTILES}) as response
    from phased group by run, kind, phase
"""
FLAT = f"""
    select run, kind, phase, ok, service_mean, service[1] as service_p50, service[2] as service_p90, service[3] as service_p95,
        service[4] as service_p99, service[5] as service_p99_9, response_mean, response[1] as response_p50,
        response[2] as response_p90, response[3] as response_p95, response[4] as response_p99, response[5] as response_p99_9
    from ({SUMMARY})
"""
THROUGHPUT = f"""
    select run, end_ns // 1000000000 as second, count(*) as ok from ({ROWS}) join {PHASES} using (run)
    where outcome = 'ok' and intended_ns >= 0 and end_ns < workload_end_ns group by run, second
"""
duckdb.sql(f"copy ({FLAT}) to '{summary}' (header)")
duckdb.sql(f"copy ({THROUGHPUT}) to '{throughput}' (header)")
