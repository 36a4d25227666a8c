//! What differs between the manifests of two runs.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;
use serde_json::{Value, json};

use crate::output::text::{Column as Shown, TextTable};
use crate::tables::runs::Listed;

/// Lists the fields in which two runs differ: what was asked (the whole spec), and where and how it ran. What differs in
/// every run (times, counts, lag) is not looked at. Columns: `field`, `a`, `b`, null where a run has no such field.
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn table(a: &Listed, b: &Listed) -> PolarsResult<DataFrame> {
    let (of_a, of_b) = (fields(a), fields(b));
    let find = |fields: &[(String, String)], name: &str| {
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut names: Vec<&str> = of_a.iter().map(|(name, _)| name.as_str()).collect();
    names.extend(of_b.iter().map(|(name, _)| name.as_str()).filter(|name| find(&of_a, name).is_none()));
    let rows: Vec<_> = names
        .into_iter()
        .map(|name| (name, find(&of_a, name), find(&of_b, name)))
        .filter(|(_, of_a, of_b)| of_a != of_b)
        .collect();
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("field".into(), rows.iter().map(|row| row.0).collect::<Vec<_>>()),
            Column::new("a".into(), rows.iter().map(|row| row.1.clone()).collect::<Vec<_>>()),
            Column::new("b".into(), rows.iter().map(|row| row.2.clone()).collect::<Vec<_>>()),
        ],
    )
}

/// Lists the fields in which two sets of runs differ. Columns: `field`; `a`, `b`: the value that all runs of the set have, or how many
/// there are and which (the first four, shortened), null where none has such a field; `varies`: whether it varies within a set. Fields that vary in the same
/// way in both sets, and those that are another in every run, are no difference: [`varying`] names them.
///
/// # Errors
/// [`PolarsError`] never in practice.
pub fn of_sets(a: &[Listed], b: &[Listed]) -> PolarsResult<DataFrame> {
    let rows: Vec<Field> = compared(a, b).into_iter().filter(|field| field.differs && !field.is_own).collect();
    let shown = |values: &[String]| match values {
        [] => None,
        [only] => Some(only.clone()),
        several => {
            let more = if several.len() > VALUES_MAX { " | ..." } else { "" };
            let named: Vec<String> = several.iter().take(VALUES_MAX).map(|value| shortened(value)).collect();
            Some(format!("{} values: {}{more}", several.len(), named.join(" | ")))
        }
    };
    DataFrame::new(
        rows.len(),
        vec![
            Column::new("field".into(), rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>()),
            Column::new("a".into(), rows.iter().map(|row| shown(&row.a)).collect::<Vec<_>>()),
            Column::new("b".into(), rows.iter().map(|row| shown(&row.b)).collect::<Vec<_>>()),
            Column::new("varies".into(), rows.iter().map(|row| row.varies()).collect::<Vec<_>>()),
        ],
    )
}

/// Values of a field that are told; of more the number.
const VALUES_MAX: usize = 4;

fn shortened(value: &str) -> String {
    const CHARS_MAX: usize = 40;
    match value.chars().count() > CHARS_MAX {
        true => format!("{}...", value.chars().take(CHARS_MAX - 3).collect::<String>()),
        false => value.to_owned(),
    }
}

/// Names of the fields that vary within the sets without telling one from the other.
pub fn varying(a: &[Listed], b: &[Listed]) -> Vec<String> {
    let is_it = |field: &Field| field.varies() && (!field.differs || field.is_own);
    compared(a, b).into_iter().filter(is_it).map(|field| field.name).collect()
}

/// A field with the values that it has in each set.
struct Field {
    name: String,
    a: Vec<String>,
    b: Vec<String>,
    differs: bool,
    /// Whether it is another in every run, as seeds are.
    is_own: bool,
}

impl Field {
    fn varies(&self) -> bool {
        self.a.len() > 1 || self.b.len() > 1
    }
}

fn compared(a: &[Listed], b: &[Listed]) -> Vec<Field> {
    // Not having a field counts as a value of its own, shown as nothing.
    let all = |runs: &[Listed]| {
        runs.iter().map(|run| fields(run).into_iter().collect()).collect::<Vec<BTreeMap<String, String>>>()
    };
    let (of_a, of_b) = (all(a), all(b));
    let names: BTreeSet<&String> = of_a.iter().chain(&of_b).flat_map(BTreeMap::keys).collect();
    let values = |runs: &[BTreeMap<String, String>], name: &str| -> BTreeSet<String> {
        runs.iter().map(|run| run.get(name).cloned().unwrap_or_default()).collect()
    };
    let field = |name: &String| {
        let (a, b) = (values(&of_a, name), values(&of_b, name));
        let is_own = a.len() > 1 && b.len() > 1 && a.len() == of_a.len() && b.len() == of_b.len();
        let differs = a != b;
        let shown = |values: BTreeSet<String>| values.into_iter().filter(|value| !value.is_empty()).collect();
        Field { name: name.clone(), differs, is_own, a: shown(a), b: shown(b) }
    };
    names.into_iter().map(field).collect()
}

fn fields(run: &Listed) -> Vec<(String, String)> {
    let manifest = &run.manifest;
    let leader = |index: Option<usize>| index.map(|index| manifest.member_name(index));
    let targets: Vec<&str> = manifest.fault_targets.iter().map(|&index| manifest.member_name(index)).collect();
    let whole = json!({
        "spec": manifest.spec,
        "status": manifest.status.to_string(),
        "tool_version": manifest.tool_version,
        "etcd_version": manifest.cluster.etcd_version,
        "flags": flags(&manifest.cluster.flags),
        "data_file_system": manifest.cluster.data_file_system,
        "earlier_runs": manifest.cluster.earlier_runs,
        "kernel": manifest.host.kernel,
        "cpu": manifest.host.cpu,
        "cores": manifest.host.cores,
        "memory_bytes": manifest.host.memory_bytes,
        "mechanism": run.faults.first().map(|fault| &fault.mechanism),
        "fault_targets": targets,
        "target_role": run.faults.first().map(|fault| &fault.role),
        "leader_start": leader(manifest.leaders.start),
        "leader_injection": leader(manifest.leaders.injection),
        "leader_end": leader(manifest.leaders.end),
        "client_saturated": manifest.generator.as_ref().map(|generator| &generator.client_saturated),
        "warnings": manifest.warnings,
    });
    let mut fields = Vec::new();
    flatten("", &whole, &mut fields);
    // Where a text names its own run, that is no difference.
    fields.into_iter().map(|(name, value)| (name, value.replace(&run.run, "<run>"))).collect()
}

/// Flags of the first member by name; its data directory is another in every run.
fn flags(flags: &[String]) -> Value {
    let named = flags.iter().filter_map(|flag| flag.split_once('=').or(Some((flag, ""))));
    named.filter(|(name, _)| *name != "--data-dir").map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// Puts the leaves of a JSON value into a list, their names joined by dots; lists and nulls are leaves.
fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Array(values) => {
            let texts = values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            into.push((name.to_owned(), texts.collect::<Vec<_>>().join("; ")));
        }
        other => into.push((name.to_owned(), other.to_string())),
    }
}

/// The differences as lines for people: short values in columns, long ones below each other.
///
/// # Errors
/// [`PolarsError`] when `differences` is not the result of [`table`].
pub fn lines(differences: &DataFrame) -> PolarsResult<Vec<String>> {
    const SHORT: usize = 44;
    let column = |name: &str| -> PolarsResult<&StringChunked> { differences.column(name)?.str() };
    let (field, a, b) = (column("field")?, column("a")?, column("b")?);
    let is_short: BooleanChunked = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| Some([a, b].iter().flatten().all(|value| value.chars().count() <= SHORT)))
        .collect();
    let mut lines = Vec::new();
    let short = differences.filter(&is_short)?;
    if short.height() > 0 {
        let columns = [("field", "field"), ("a", "A"), ("b", "B")].map(|(name, heading)| Shown::new(name, heading));
        lines.extend(TextTable::new(&short, &columns, None)?.to_string().lines().map(str::to_owned));
    }
    for row in (0..differences.height()).filter(|&row| is_short.get(row) == Some(false)) {
        lines.push(format!("{}:", field.get(row).unwrap_or_default()));
        lines.push(format!("  A: {}", a.get(row).unwrap_or("-")));
        lines.push(format!("  B: {}", b.get(row).unwrap_or("-")));
    }
    Ok(lines)
}
