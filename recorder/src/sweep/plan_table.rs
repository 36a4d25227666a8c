//! The plan as a table, for `--dry-run`.

use run_folder::spec::Pacing;
use run_folder::sweep::SweepRun;
use run_folder::{RunSpec, SweepManifest};

use crate::plan::sweep::length_ms;
use crate::units;

/// One line a run, and the total time, with `between_ms` between two runs.
pub(super) fn table(sweep: &SweepManifest, between_ms: u64) -> String {
    let runs = &sweep.runs;
    let heading = ["run", "repeat", "for", "label", "fault", "on", "window", "workload", "clients at", "seconds", ""];
    let mut rows = vec![heading.map(str::to_owned)];
    rows.extend(runs.iter().enumerate().map(|(at, run)| row(at, run)));
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text += cells.join("  ").trim_end();
        text += "\n";
    }
    let left: Vec<_> = runs.iter().filter(|run| run.finished().is_none()).collect();
    let total_s = left.iter().map(|run| length_ms(&run.spec) + between_ms).sum::<u64>() / 1000;
    let unknown = left.iter().filter(|run| run.spec.planned_ms().is_none()).count();
    text += &format!("\n{} runs to make, about {}", left.len(), units::in_words(total_s));
    if unknown > 0 {
        text += &format!("; {unknown} of them are limited by operations alone and come on top");
    }
    text += &format!("\nseed {}: --seed {} makes them in this order again", sweep.seed, sweep.seed);
    text
}

fn row(at: usize, run: &SweepRun) -> [String; 11] {
    let (spec, seconds) = (&run.spec, |ms: u64| ms as f64 / 1000.0);
    let fault = spec.fault.as_ref();
    let on = fault.map_or(String::new(), |fault| {
        let peer = fault.peer.as_ref().map(|peer| format!(" to {}", peer));
        fault.target.to_string() + &peer.unwrap_or_default()
    });
    let window = fault.map_or(String::new(), |fault| {
        let end = fault.for_ms.map_or("end".to_owned(), |for_ms| seconds(fault.at_ms + for_ms).to_string());
        format!("{}..{end}", seconds(fault.at_ms))
    });
    [
        (at + 1).to_string(),
        run.repeat.to_string(),
        run.role.as_str().to_owned(),
        spec.label.to_string(),
        fault.map_or("-".to_owned(), |fault| fault.effect.to_string()),
        on,
        window,
        workload(spec),
        spec.workload.attachment.to_string(),
        seconds(length_ms(spec)).to_string(),
        if run.finished().is_some() { "finished".to_owned() } else { String::new() },
    ]
}

fn workload(spec: &RunSpec) -> String {
    let workload = &spec.workload;
    let rate = match (&workload.load, workload.rate_per_s) {
        (Some(load), _) => format!("{}% of capacity", load.percent),
        (None, rate) => format!("{}/s", rate.unwrap_or(0.0)),
    };
    match workload.pacing {
        Pacing::Closed => format!("closed x{}", workload.concurrency),
        Pacing::Even => format!("{} operations", workload.operations.unwrap_or(0)),
        Pacing::Constant => rate,
        Pacing::Poisson => format!("{rate} Poisson"),
    }
}
