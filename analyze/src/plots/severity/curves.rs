//! What the pictures of severity show, from the tables.

use plotters::style::RGBColor;
use polars::prelude::*;

use super::super::canvas::SERIES;
use super::super::values;
use super::panel::unit_in_words;
use crate::Result;
use crate::tables::delta::main_kind;
use crate::tables::severity::crossings;

/// All curves of one sort of fault and one metric.
pub(super) struct Plotted {
    pub(super) fault_kind: String,
    pub(super) unit: String,
    pub(super) metric: String,
    pub(super) curves: Vec<Line>,
    pub(super) noise: Vec<f64>,
    /// log10 of the ratios at which the danger zone begins and is certain, with their names.
    pub(super) thresholds: Vec<(f64, String)>,
}

/// One curve. Ratios are log10.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) colour: RGBColor,
    pub(super) shape: usize,
    pub(super) is_hollow: bool,
    pub(super) runs: usize,
    pub(super) points: Vec<Mark>,
    pub(super) zone: [Edge; 2],
    pub(super) zone_in_words: String,
    pub(super) described: String,
}

pub(super) struct Mark {
    pub(super) value: f64,
    pub(super) ratio: f64,
    pub(super) interval: Option<(f64, f64)>,
    pub(super) is_changed: bool,
    pub(super) runs: Vec<f64>,
}

/// One end of a danger zone; what lies outside of the measured values has no place.
#[derive(Default, Clone)]
pub(super) struct Edge {
    pub(super) side: String,
    pub(super) at: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) has_interval: bool,
}

struct Texts<'a>(&'a DataFrame);

impl<'a> Texts<'a> {
    fn at(&self, name: &str, row: usize) -> &'a str {
        self.0.column(name).and_then(|column| column.str()).ok().and_then(|column| column.get(row)).unwrap_or_default()
    }
}

/// What two rows of either table have in common when they are of one curve.
const KEY: [&str; 6] = ["sweep", "family", "target", "fault_kind", "compared", "metric"];

/// The panels, one for each sort of fault and metric.
pub(super) fn panels(severity: &DataFrame, crossings: &DataFrame, by_run: &DataFrame) -> Result<Vec<Plotted>> {
    let (words, of_crossings, of_runs) = (Texts(severity), Texts(crossings), Texts(by_run));
    let main = main_kind(severity.column("kind")?.str()?);
    let number = |name: &str| values(severity, name);
    let (value, ratio, low, high) =
        (number("fault_value")?, number("ratio")?, number("ratio_low")?, number("ratio_high")?);
    let (noise, changes, counts) = (number("noise")?, number("leader_changes")?, number("runs")?);
    let rows: Vec<usize> = (0..severity.height()).filter(|&row| words.at("kind", row) == main).collect();
    let key = |row: usize| KEY.map(|name| words.at(name, row));
    let names = names(&words, &rows);
    let mut panels: Vec<Plotted> = Vec::new();
    for group in rows.chunk_by(|&a, &b| key(a) == key(b)) {
        let first = group[0];
        let (fault_kind, metric) = (words.at("fault_kind", first), words.at("metric", first));
        let column = values(by_run, &format!("{metric}_ratio"))?;
        let own = |row: usize| -> Vec<f64> {
            let names: Vec<&str> = words.at("run_names", row).split(", ").collect();
            let is_own = |run: &usize| {
                names.contains(&of_runs.at("run", *run))
                    && of_runs.at("kind", *run) == main
                    && of_runs.at("compared", *run) == words.at("compared", row)
            };
            (0..by_run.height())
                .filter(is_own)
                .filter_map(|run| column[run].filter(|&it| it > 0.0).map(f64::log10))
                .collect()
        };
        let mark = |&row: &usize| {
            Some(Mark {
                value: value[row]?,
                ratio: ratio[row]?.log10(),
                interval: low[row].zip(high[row]).map(|(low, high)| (low.log10(), high.log10())),
                is_changed: changes[row] > Some(0.0),
                runs: own(row),
            })
        };
        let points: Vec<Mark> = group.iter().filter_map(mark).collect();
        let runs: f64 = group.iter().filter_map(|&row| counts[row]).sum();
        let edges: Vec<usize> = (0..crossings.height())
            .filter(|&row| {
                of_crossings.at("kind", row) == main && KEY.map(|name| of_crossings.at(name, row)) == key(first)
            })
            .collect();
        let name = names.iter().find(|(known, ..)| *known == key(first)).cloned();
        let (_, name, base) = name.unwrap_or((key(first), String::new(), 0));
        let steady: Vec<f64> =
            group.iter().filter(|&&row| changes[row] == Some(0.0)).filter_map(|&row| counts[row]).collect();
        let (least, most) =
            (steady.iter().copied().fold(f64::MAX, f64::min), steady.iter().copied().fold(0.0, f64::max));
        let times = match steady.is_empty() {
            true => String::new(),
            false if least == most => format!(" ×{most}"),
            false => format!(" ×{least}–{most}"),
        };
        let edge = |at: usize| edges.get(at).map_or_else(|| Ok(Edge::default()), |&row| Edge::of(crossings, row));
        let zone = [edge(0)?, edge(1)?];
        let line = Line {
            described: described(&name, metric, &words, group, (&value, &ratio, &low, &high), crossings, &edges),
            zone_in_words: zone_in_words(crossings, &edges),
            name: format!("{name}{times}"),
            colour: SERIES[base % SERIES.len()],
            shape: base,
            is_hollow: words.at("compared", first) == "during/baseline",
            runs: runs as usize,
            points,
            zone,
        };
        let thresholds = thresholds(crossings, &edges)?;
        let at = panels.iter().position(|panel| panel.fault_kind == fault_kind && panel.metric == metric);
        let at = at.unwrap_or_else(|| {
            let unit = words.at("fault_unit", first).to_owned();
            let (fault_kind, metric) = (fault_kind.to_owned(), metric.to_owned());
            panels.push(Plotted { fault_kind, unit, metric, curves: Vec::new(), noise: Vec::new(), thresholds });
            panels.len() - 1
        });
        panels[at].noise.extend(group.iter().filter_map(|&row| noise[row]));
        panels[at].curves.push(line);
    }
    for panel in &mut panels {
        panel.noise.sort_by(|a, b| b.total_cmp(a));
        panel.noise.dedup();
    }
    Ok(panels)
}

/// What a curve is called, as short as it stays clear, and the number of its colour and shape.
type Name<'a> = ([&'a str; 6], String, usize);

fn names<'a>(words: &Texts<'a>, rows: &[usize]) -> Vec<Name<'a>> {
    let mut keys: Vec<[&str; 6]> = Vec::new();
    for &row in rows {
        let key = KEY.map(|name| words.at(name, row));
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut bases: Vec<(&str, String)> = Vec::new();
    let mut names = Vec::new();
    for key in &keys {
        let [sweep, family, target, kind, compared, metric] = *key;
        let rivals = keys.iter().filter(|other| {
            other[2] == target && other[3] == kind && other[4] == compared && other[5] == metric && *other != key
        });
        let rivals: Vec<_> = rivals.collect();
        let mut base = target.to_owned();
        if rivals.iter().any(|other| other[1] != family) {
            base = family.to_owned();
        }
        if rivals.iter().any(|other| other[1] == family) {
            base += &format!(" {sweep}");
        }
        let window = if compared == "during/baseline" { "full" } else { "mid" };
        let name = if base.contains('#') { base.clone() } else { format!("{base}, {window}") };
        let at = bases.iter().position(|known| *known == (kind, base.clone())).unwrap_or_else(|| {
            bases.push((kind, base.clone()));
            bases.len() - 1
        });
        // The same target looks the same in each sort of fault.
        let at = bases.iter().position(|(_, known)| *known == bases[at].1).unwrap_or(at);
        names.push((*key, name, at));
    }
    // Numbers without gaps.
    let mut used: Vec<usize> = names.iter().map(|(.., at)| *at).collect();
    used.sort_unstable();
    used.dedup();
    names.into_iter().map(|(key, name, at)| (key, name, used.iter().position(|&it| it == at).unwrap_or(at))).collect()
}

fn thresholds(crossings: &DataFrame, edges: &[usize]) -> Result<Vec<(f64, String)>> {
    let (ratio, percent) = (values(crossings, "threshold_ratio")?, values(crossings, "threshold_percent")?);
    let of = |&row: &usize| Some((ratio[row]?.log10(), format!("{} % lost", percent[row]?)));
    Ok(edges.iter().filter_map(of).collect())
}

fn zone_in_words(table: &DataFrame, edges: &[usize]) -> String {
    match edges {
        [begins, certain] => {
            let (from, to) = (crossings::in_words(table, *begins), crossings::in_words(table, *certain));
            if from == to {
                from
            } else {
                format!(
                    "{} … {to}",
                    from.split(' ')
                        .take(if from.starts_with(['<', '>']) { 2 } else { 1 })
                        .collect::<Vec<_>>()
                        .join(" ")
                )
            }
        }
        _ => String::new(),
    }
}

type Numbers<'a> = (&'a [Option<f64>], &'a [Option<f64>], &'a [Option<f64>], &'a [Option<f64>]);

fn described(
    name: &str,
    metric: &str,
    words: &Texts<'_>,
    group: &[usize],
    (value, ratio, low, high): Numbers<'_>,
    table: &DataFrame,
    edges: &[usize],
) -> String {
    let unit = unit_in_words(words.at("fault_unit", group[0]));
    let (kind, heading) = (words.at("fault_kind", group[0]), heading(metric));
    let points = group.iter().filter_map(|&row| {
        let interval = low[row].zip(high[row]).map_or(String::new(), |(low, high)| format!(" [{low:.3}, {high:.3}]"));
        let changed = if words.at("reversal_because", row).is_empty() { "" } else { " (leader changed)" };
        Some(format!("{} {unit} {:.3}{interval}{changed}", value[row]?, ratio[row]?))
    });
    let percent = |row: usize| values(table, "threshold_percent").ok().and_then(|column| column[row]).unwrap_or(0.0);
    let edges = edges.iter().map(|&row| {
        format!(
            "{} % lost at {} (95 % {})",
            percent(row),
            crossings::in_words(table, row),
            crossings::interval_in_words(table, row)
        )
    });
    let (points, edges) = (points.collect::<Vec<_>>().join("; "), edges.collect::<Vec<_>>().join(", "));
    format!("{kind}, {name}, {heading}: {points}; {edges}.")
}

pub(super) fn heading(metric: &str) -> String {
    match metric {
        "ops_per_s" => "throughput".to_owned(),
        _ => metric.trim_end_matches("_ms").replacen('_', " time, ", 1).replace('_', "."),
    }
}

impl Edge {
    fn of(crossings: &DataFrame, row: usize) -> Result<Self> {
        let number = |name: &str| -> Result<Option<f64>> { Ok(values(crossings, name)?[row]) };
        let words = Texts(crossings);
        Ok(Self {
            side: words.at("crossing_side", row).to_owned(),
            at: number("crossing")?,
            low: number("crossing_low")?,
            high: number("crossing_high")?,
            has_interval: !words.at("interval", row).is_empty(),
        })
    }
}
