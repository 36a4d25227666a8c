//! Causes for people.

use polars::prelude::*;

use super::RATIO_LEAST;
use crate::output::text::{Column as Shown, TextTable, number};

/// The table for people: what is raised, and fsync whatever it is; everything with `wide`.
///
/// # Errors
/// [`PolarsError`] when `causes` is not the result of [`super::judged`].
pub fn text(causes: &DataFrame, wide: bool) -> PolarsResult<TextTable> {
    if wide {
        return TextTable::new(causes, &Shown::all(causes, "run"), Some("run"));
    }
    let judged = causes.column("judged")?.str()?;
    let metrics = causes.column("metric")?.str()?;
    let is_shown: BooleanChunked = judged
        .iter()
        .zip(metrics.iter())
        .map(|(judged, metric)| {
            Some(judged == Some("raised") || metric == Some("wal_fsync_p99_ms") && judged.is_some())
        })
        .collect();
    let mut shown = causes.filter(&is_shown)?;
    for name in ["reference", "during"] {
        let numbers: Vec<Option<String>> = shown.column(name)?.f64()?.iter().map(|value| value.map(number)).collect();
        shown.with_column(Column::new(format!("{name}_shown").into(), numbers))?;
    }
    for name in ["ratio", "noise"] {
        let ratios: Vec<Option<String>> = shown
            .column(name)?
            .f64()?
            .iter()
            .map(|value| value.map(|value| format!("x{}", crate::tables::delta::ratio_in_words(value))))
            .collect();
        shown.with_column(Column::new(format!("{name}_shown").into(), ratios))?;
    }
    let columns = [
        Shown::new("metric", "metric"),
        Shown::new("member", "member"),
        Shown::new("member_role", "role"),
        Shown::new("seen_from", "from"),
        Shown::new("reference_shown", "from").under("value").right(),
        Shown::new("during_shown", "to").under("value").right(),
        Shown::new("ratio_shown", "ratio").under("value").right(),
        Shown::new("noise_shown", "noise").right(),
        Shown::new("judged", "judged"),
    ];
    let mut text = TextTable::new(&shown, &columns, Some("run"))?;
    let hidden = causes.height() - shown.height();
    text.note("from: before the fault, or the baselines where it lasts all the time; to: under the fault");
    text.note(&format!(
        "raised: at least x{RATIO_LEAST}, more than the noise, and more than a trifle; noise: the largest ratio in runs that \
         should show none"
    ));
    text.note(&format!("{hidden} rows that are normal or cannot be judged are not shown: --wide, --format csv"));
    Ok(text)
}
