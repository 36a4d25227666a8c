//! Severity and crossings for people.

use polars::prelude::*;

use crate::output::text::{Column as Shown, TextTable};
use crate::tables::delta::{main_kind, ratio_in_words};

/// Metrics that fit 120 characters side by side.
const SHOWN_MAX: usize = 3;

/// The table of [`super::table`] for people: the metrics side by side, curves apart; all columns with `wide`.
///
/// # Errors
/// [`PolarsError`] when `severity` is not the result of [`super::table`].
pub fn text(severity: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        let mut shown = severity.clone();
        shown.with_column(Column::new("group".into(), groups(severity)?))?;
        let columns = [vec![Shown::new("metric", "metric")], Shown::all(severity, "metric")].concat();
        return TextTable::new(&shown, &columns, Some("group"));
    }
    let cells = Cells::of(severity)?;
    let mut metrics: Vec<&str> = Vec::new();
    for row in 0..severity.height() {
        let metric = cells.text("metric", row);
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    metrics.truncate(SHOWN_MAX);
    // Rows of the first metric stand for a point; the others' are looked up.
    let main = main_kind(severity.column("kind")?.str()?);
    let is_point = |row: &usize| cells.text("metric", *row) == metrics[0] && cells.text("kind", *row) == main;
    let points: Vec<usize> = (0..severity.height()).filter(is_point).collect();
    let groups = groups(severity)?;
    let same = |point: usize, metric: &str| {
        (0..severity.height()).find(|&row| {
            let is_same = |name: &str| cells.text(name, row) == cells.text(name, point);
            cells.text("metric", row) == metric
                && groups[row] == groups[point]
                && ["kind", "compared", "run_names"].iter().all(|name| is_same(name))
        })
    };
    let mut columns = vec![
        Column::new("group".into(), points.iter().map(|&row| groups[row].clone()).collect::<Vec<_>>()),
        Column::new("fault".into(), points.iter().map(|&row| cells.value(row, "fault_value")).collect::<Vec<_>>()),
        Column::new("runs".into(), points.iter().map(|&row| cells.runs(row)).collect::<Vec<_>>()),
    ];
    let mut shown = vec![Shown::new("fault", "fault").right(), Shown::new("runs", "runs").right()];
    for metric in &metrics {
        let rows: Vec<Option<usize>> = points.iter().map(|&point| same(point, metric)).collect();
        let mut push = |name: &str, heading: &str, of: &dyn Fn(usize) -> Option<String>| {
            let name = format!("{metric} {name}");
            let cells = rows.iter().map(|row| of((*row)?)).collect::<Vec<_>>();
            columns.push(Column::new(name.as_str().into(), cells));
            shown.push(Shown::new(&name, heading).under(&heading_of(metric)).right());
        };
        push("ratio", "ratio", &|row| {
            let mark = match (cells.flag("is_reversal", row), cells.flag("within_noise", row)) {
                (true, _) => "!",
                (_, true) => "~",
                _ => " ",
            };
            Some(format!("{}{mark}", ratio_in_words(cells.number("ratio", row)?)))
        });
        push("95", "95 %", &|row| {
            let (low, high) = (cells.number("ratio_low", row)?, cells.number("ratio_high", row)?);
            let mark = if cells.text("interval", row) == "within-run" { "w" } else { " " };
            Some(format!("{}..{}{mark}", ratio_in_words(low), ratio_in_words(high)))
        });
        push("lost", "lost", &|row| Some(share(cells.number("degradation_percent", row)?)));
    }
    let frame = DataFrame::new(points.len(), columns)?;
    let mut text = TextTable::new(&frame, &shown, Some("group"))?;
    text.note(
        "lost: 1 - ratio of the throughput, 1 - 1/ratio of a time: 50 % is half the throughput or twice the time",
    );
    text.note(
        "95 %: t interval over repeats, on the logarithm of the ratio; w: within the one run, block bootstrap in time",
    );
    text.note("~: within the noise floor. !: less is lost than under a milder fault, beyond both intervals and the noise floor");
    if points.iter().any(|&row| cells.number("leader_changes", row) > Some(0.0)) {
        text.note("*: the leader changed in these runs; no curve goes through them:");
        let changed = points.iter().filter(|&&row| cells.number("leader_changes", row) > Some(0.0));
        changed.for_each(|&row| text.note(&format!("   {}", cells.text("run_names", row))));
    }
    for &row in &points {
        if cells.number("runs_lost", row) > Some(0.0) {
            text.note(&format!(
                "{}, {}: {} of {} runs acknowledged nothing: no ratio",
                groups[row],
                cells.value(row, "fault_value").unwrap_or_default(),
                cells.number("runs_lost", row).map_or(String::new(), trimmed),
                cells.number("runs", row).map_or(String::new(), trimmed),
            ));
        }
    }
    text.note("from which value on it is too much: --crossings; more columns: --wide; at full precision: --format csv");
    Ok(text)
}

/// The table of [`super::crossings::table`] for people.
///
/// # Errors
/// [`PolarsError`] when `crossings` is not the result of [`super::crossings::table`].
pub fn crossings(crossings: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        let mut shown = crossings.clone();
        shown.with_column(Column::new("group".into(), groups(crossings)?))?;
        let columns = [vec![Shown::new("metric", "metric")], Shown::all(crossings, "metric")].concat();
        return TextTable::new(&shown, &columns, Some("group"));
    }
    let cells = Cells::of(crossings)?;
    let main = main_kind(crossings.column("kind")?.str()?);
    // Both thresholds of a curve are neighbours.
    let is_first = |row: &usize| row.is_multiple_of(2) && cells.text("kind", *row) == main;
    let rows: Vec<usize> = (0..crossings.height()).filter(is_first).collect();
    let groups = groups(crossings)?;
    let column = |name: &str, of: &dyn Fn(usize) -> String| {
        Column::new(name.into(), rows.iter().map(|&row| of(row)).collect::<Vec<_>>())
    };
    let measured = |row: usize| match (cells.number("value_mildest", row), cells.number("value_severest", row)) {
        (Some(from), Some(to)) if from == to => cells.unit(row, &trimmed(from)),
        (Some(from), Some(to)) => cells.unit(row, &format!("{} to {}", trimmed(from), trimmed(to))),
        _ => "-".to_owned(),
    };
    let frame = DataFrame::new(
        rows.len(),
        vec![
            column("group", &|row| groups[row].clone()),
            column("metric", &|row| heading_of(cells.text("metric", row))),
            column("from", &|row| cells.crossing(row)),
            column("from 95", &|row| cells.crossing_interval(row)),
            column("to", &|row| cells.crossing(row + 1)),
            column("to 95", &|row| cells.crossing_interval(row + 1)),
            column("measured", &measured),
            column("runs", &|row| cells.number("runs", row).map_or("-".to_owned(), trimmed)),
        ],
    )?;
    let threshold = |row: usize| cells.number("threshold_percent", row).map_or("?".to_owned(), trimmed);
    let above = rows.first().map_or(["?".to_owned(), "?".to_owned()], |&row| [threshold(row), threshold(row + 1)]);
    let (begins, certain) = (format!("begins: {} % lost", above[0]), format!("certain: {} % lost", above[1]));
    let columns = [
        Shown::new("metric", "metric"),
        Shown::new("from", "at").under(&begins).right(),
        Shown::new("from 95", "95 %").under(&begins).right(),
        Shown::new("to", "at").under(&certain).right(),
        Shown::new("to 95", "95 %").under(&certain).right(),
        Shown::new("measured", "measured").right(),
        Shown::new("runs", "runs").right(),
    ];
    let mut text = TextTable::new(&frame, &columns, Some("group"))?;
    text.note(
        "lost: 1 - ratio of the throughput, 1 - 1/ratio of a time: 50 % is half the throughput or twice the time",
    );
    text.note("at: linear in the logarithm of the ratio between measured values; < and >: outside of them, nothing is extrapolated");
    text.note(
        "95 %: values at which a t test over runs cannot tell the loss from the threshold (w: a value has one run, within it)",
    );
    for &row in &rows {
        let of = format!("{}, {}", groups[row], heading_of(cells.text("metric", row)));
        match cells.text("reversals", row) {
            "" => {}
            values => text.note(&format!("! {of}: not monotonic, less is lost again at {}", cells.unit(row, values))),
        }
        match cells.text("nothing_acknowledged", row) {
            "" => {}
            values if cells.text("metric", row) == cells.text("metric", rows[0]) => {
                text.note(&format!(
                    "0 {}: runs acknowledged nothing at {}: not on the curve",
                    groups[row],
                    cells.unit(row, values)
                ));
            }
            _ => {}
        }
        match cells.text("leader_changed", row) {
            "" => {}
            values if cells.text("metric", row) == cells.text("metric", rows[0]) => {
                text.note(&format!(
                    "* {}: the leader changed in runs at {}: not on the curve",
                    groups[row],
                    cells.unit(row, values)
                ));
            }
            _ => {}
        }
    }
    Ok(text)
}

/// A crossing as `23.4 ms`, `< 10 ms` or `> 100 ms`.
pub fn crossing_in_words(crossings: &DataFrame, row: usize) -> String {
    Cells { frame: crossings }.crossing(row)
}

/// Its interval, as `12.5..38.0`, `<10..17.0` or, without one, `-`.
pub fn interval_in_words(crossings: &DataFrame, row: usize) -> String {
    Cells { frame: crossings }.crossing_interval(row).trim_end().to_owned()
}

/// The curve of each row in words.
fn groups(frame: &DataFrame) -> PolarsResult<Vec<String>> {
    let cells = Cells::of(frame)?;
    let sweeps = frame.column("sweep")?.str()?;
    let first = sweeps.iter().next().flatten();
    let has_several = sweeps.iter().any(|sweep| sweep != first);
    let of_row = |row: usize| {
        let sweep = sweeps.get(row).filter(|_| has_several).map_or(String::new(), |sweep| format!(" ({sweep})"));
        let (family, target) = (cells.text("family", row), cells.text("target", row));
        format!("{family}, at {}, {}{sweep}", target_in_words(target), cells.text("compared", row))
    };
    Ok((0..frame.height()).map(of_row).collect())
}

/// Roles have an article, names have none. What else of the traffic was picked out stands behind a comma.
fn target_in_words(target: &str) -> String {
    match target.split(',').next() {
        Some("leader" | "follower") => format!("the {target}"),
        Some("all") => target.replacen("all", "all members", 1),
        _ => target.to_owned(),
    }
}

fn heading_of(metric: &str) -> String {
    match metric {
        "ops_per_s" => "throughput".to_owned(),
        _ => metric.trim_end_matches("_ms").replacen('_', " ", 1).replace('_', "."),
    }
}

/// A number as it is typed.
fn trimmed(value: f64) -> String {
    value.to_string()
}

/// A crossing with three digits: its interval never supports more.
fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A share with as many digits as one reads.
fn share(percent: f64) -> String {
    format!("{percent:.0} %")
}

/// Cells of a frame by column and row; missing texts are empty.
struct Cells<'a> {
    frame: &'a DataFrame,
}

impl<'a> Cells<'a> {
    fn of(frame: &'a DataFrame) -> PolarsResult<Self> {
        frame.column("metric")?;
        Ok(Self { frame })
    }

    fn text(&self, name: &str, row: usize) -> &'a str {
        self.frame
            .column(name)
            .and_then(|column| column.str())
            .ok()
            .and_then(|column| column.get(row))
            .unwrap_or_default()
    }

    fn number(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.frame.column(name).ok()?;
        column.get(row).ok()?.extract::<f64>()
    }

    fn flag(&self, name: &str, row: usize) -> bool {
        self.frame.column(name).and_then(|column| column.bool()).ok().and_then(|column| column.get(row)) == Some(true)
    }

    fn unit(&self, row: usize, values: &str) -> String {
        match self.text("fault_unit", row) {
            "percent" => format!("{values} %"),
            "mbit_per_s" => format!("{values} mbit"),
            unit => format!("{values} {unit}"),
        }
    }

    fn value(&self, row: usize, name: &str) -> Option<String> {
        self.number(name, row).map(|value| self.unit(row, &trimmed(value)))
    }

    fn runs(&self, row: usize) -> String {
        let mark = if self.number("leader_changes", row) > Some(0.0) { "*" } else { " " };
        format!("{}{mark}", self.text("run_names", row).split(", ").count())
    }

    /// `23.4 ms`, `< 10 ms` or `> 100 ms`.
    fn crossing(&self, row: usize) -> String {
        let is_falling = self.text("fault_unit", row) == "mbit_per_s";
        let outside = |is_milder: bool, name: &str| {
            let mark = if is_milder == is_falling { '>' } else { '<' };
            self.value(row, name).map_or("-".to_owned(), |value| format!("{mark} {value}"))
        };
        match self.text("crossing_side", row) {
            "within" => self.number("crossing", row).map_or("-".to_owned(), |at| self.unit(row, &three_digits(at))),
            "milder" => outside(true, "value_mildest"),
            "beyond" => outside(false, "value_severest"),
            _ => "-".to_owned(),
        }
    }

    fn crossing_interval(&self, row: usize) -> String {
        let is_falling = self.text("fault_unit", row) == "mbit_per_s";
        let outside = |is_milder: bool, name: &str| {
            let mark = if is_milder == is_falling { '>' } else { '<' };
            self.number(name, row).map(|value| format!("{mark}{}", trimmed(value)))
        };
        let end = |name: &str, side: &str| match (self.text(side, row), self.number(name, row)) {
            (_, Some(at)) => Some(three_digits(at)),
            ("milder", None) => outside(true, "value_mildest"),
            ("beyond", None) => outside(false, "value_severest"),
            _ => None,
        };
        let mark = if self.text("interval", row) == "within-run" { "w" } else { " " };
        match (end("crossing_low", "low_side"), end("crossing_high", "high_side")) {
            (Some(low), Some(high)) if low == high && low.parse::<f64>().is_err() => format!("{low}{mark}"),
            (Some(low), Some(high)) => format!("{low}..{high}{mark}"),
            _ => "-".to_owned(),
        }
    }
}
