//! Small texts that several sections write.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};

/// `1 run`, `3 runs`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}

/// A count with its thousands apart, as in `12,345`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A wall-clock time in UTC, to the second; a dash for none.
pub(super) fn time(unix_ns: i64) -> String {
    match unix_ns {
        ..=0 => "-".to_owned(),
        _ => DateTime::from_timestamp_nanos(unix_ns).to_rfc3339_opts(SecondsFormat::Secs, true),
    }
}

/// Milliseconds in the unit that one reads: `250 ms`, `3 s`, `90 s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        _ => format!("{:.1} s", ms as f64 / 1e3),
    }
}

/// Different texts with the number of runs that have each, the most frequent first.
pub(super) fn distinct(texts: impl Iterator<Item = String>) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    texts.for_each(|text| *counts.entry(text).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// The smallest and the largest of numbers, as in `0.2 to 0.4 %`.
pub(super) fn range(numbers: impl Iterator<Item = f64>, unit: &str) -> Option<String> {
    let (mut least, mut most) = (f64::MAX, f64::MIN);
    for number in numbers.filter(|number| number.is_finite()) {
        (least, most) = (least.min(number), most.max(number));
    }
    let shown = |number: f64| match number.abs() {
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    let range = match (shown(least), shown(most)) {
        (least, most) if least == most => least,
        (least, most) => format!("{least} to {most}"),
    };
    (least <= most).then(|| format!("{range} {unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short() {
        assert_eq!([counted(1, "run"), counted(1200, "run")], ["1 run", "1,200 runs"]);
        assert_eq!([duration(250), duration(3000), duration(1500)], ["250 ms", "3 s", "1.5 s"]);
        assert_eq!([time(0), time(1_795_342_926_530_202_422)], ["-", "2026-11-22T10:22:06Z"]);
        assert_eq!(range([0.2, 0.4].into_iter(), "%").as_deref(), Some("0.20 to 0.40 %"));
        assert_eq!(range([3.0].into_iter(), "ms").as_deref(), Some("3.00 ms"));
        assert_eq!(range(std::iter::empty(), "%"), None);
        assert_eq!(distinct(["b", "a", "b"].map(str::to_owned).into_iter())[0], ("b".to_owned(), 2));
    }
}
