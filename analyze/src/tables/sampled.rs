//! Samples row by row: what every table of members begins with.

use polars::prelude::*;

/// A sampled value; rows without a time, a metric or a finite value are none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sampled<'a> {
    /// In nanoseconds after time 0.
    pub(super) time_ns: i64,
    /// The member, as an index; `None` of what is sampled of the machine.
    pub(super) member: Option<i8>,
    pub(super) metric: &'a str,
    /// etcd's labels, empty without any.
    pub(super) label: &'a str,
    pub(super) value: f64,
}

impl Sampled<'_> {
    /// The member, where it is one of so many.
    pub(super) fn member_of(&self, members: usize) -> Option<usize> {
        self.member.and_then(|member| usize::try_from(member).ok()).filter(|&member| member < members)
    }
}

/// The samples, in the order of rows. A table without `label` has samples without labels.
///
/// # Errors
/// [`PolarsError`] when another column is missing or one is of another type.
pub(super) fn rows(samples: &DataFrame) -> PolarsResult<impl Iterator<Item = Sampled<'_>>> {
    let labels = samples.column("label").ok().map(|labels| labels.str()).transpose()?;
    let rows = samples
        .column("time_ns")?
        .i64()?
        .iter()
        .zip(samples.column("member")?.i8()?.iter())
        .zip(samples.column("metric")?.str()?.iter())
        .zip(samples.column("value")?.f64()?.iter());
    Ok(rows.enumerate().filter_map(move |(row, (((time_ns, member), metric), value))| {
        let value = value.filter(|value| value.is_finite())?;
        let label = labels.and_then(|labels| labels.get(row)).unwrap_or_default();
        Some(Sampled { time_ns: time_ns?, member, metric: metric?, label, value })
    }))
}
