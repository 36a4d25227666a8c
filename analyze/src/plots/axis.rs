//! Axes: where values lie on the picture, and at which of them there are ticks.

/// A range of values and the range of pixels that shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    pub(super) values: (f64, f64),
    pub(super) pixels: (f64, f64),
}

impl Axis {
    /// The pixel of a value; values outside of the range are moved to its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (from, to) = self.values;
        let share = if to > from { ((value - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// A tick and its label; a tick without one is only a fine grid line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) label: Option<String>,
}

/// Ticks at multiples of 1, 2 or 5 times a power of ten, at most `most` steps of them.
pub(super) fn linear_ticks((from, to): (f64, f64), most: usize) -> Vec<Tick> {
    let step = step((to - from).max(f64::MIN_POSITIVE) / most.max(1) as f64);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((from / step - 1e-9).ceil() as i64, (to / step + 1e-9).floor() as i64);
    let label = |value: f64| match decimals {
        0 => super::grouped(value.abs().round() as u64),
        decimals => format!("{value:.decimals$}"),
    };
    (first..=last).map(|at| at as f64 * step).map(|value| Tick { value, label: Some(label(value)) }).collect()
}

/// The least of 1, 2 and 5 times a power of ten that is not less than `least`.
pub(super) fn step(least: f64) -> f64 {
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|digit| digit * decade)
        .find(|&step| step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// Ticks of a logarithmic axis whose values are log10 of milliseconds. Where it shows few decades, 2 and 5 have
/// labels too; a range too short for two such labels has round numbers.
pub(super) fn log_ticks((from, to): (f64, f64)) -> Vec<Tick> {
    let labelled: &[u32] = match to - from {
        span if span <= 2.2 => &[1, 2, 5],
        _ => &[1],
    };
    let mut ticks = Vec::new();
    for decade in (from.floor() as i32)..=(to.ceil() as i32) {
        for digit in 1..10_u32 {
            let value = f64::from(decade) + f64::from(digit).log10();
            if (from - 1e-9..=to + 1e-9).contains(&value) {
                let label = labelled.contains(&digit).then(|| plain(f64::from(digit) * 10_f64.powi(decade), decade));
                ticks.push(Tick { value, label });
            }
        }
    }
    if ticks.iter().filter(|tick| tick.label.is_some()).count() >= 2 {
        return ticks;
    }
    let round = |most: usize| linear_ticks((10_f64.powf(from), 10_f64.powf(to)), most);
    let labelled = (3..12).map(round).find(|round| round.len() >= 2).unwrap_or_default();
    labelled.into_iter().map(|tick| Tick { value: tick.value.log10(), ..tick }).collect()
}

fn plain(value: f64, decade: i32) -> String {
    let decimals = usize::try_from(-decade).unwrap_or(0);
    if decimals == 0 { super::grouped(value.round() as u64) } else { format!("{value:.decimals$}") }
}

/// Moves positions apart until neighbours have `gap` between them, as little as possible in sum of squares, within
/// `(from, to)`. The result is in the order of `wanted`.
///
/// With the gaps taken off, that is isotonic regression, done by pooling adjacent violators (R. E. Barlow et al.,
/// "Statistical Inference under Order Restrictions", 1972).
pub(super) fn spread(wanted: &[f64], gap: f64, (from, to): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // A pool is (sum, count) of the positions without the gaps.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (rank, &at) in order.iter().enumerate() {
        let mut pool = (wanted[at] - rank as f64 * gap, 1);
        while let Some(&(sum, count)) = pools.last().filter(|(sum, count)| sum / *count as f64 > pool.0 / pool.1 as f64)
        {
            pool = (pool.0 + sum, pool.1 + count);
            pools.pop();
        }
        pools.push(pool);
    }
    let highest = (to - wanted.len().saturating_sub(1) as f64 * gap).max(from);
    let placed =
        pools.iter().flat_map(|&(sum, count)| std::iter::repeat_n((sum / count as f64).clamp(from, highest), count));
    let mut result = vec![0.0; wanted.len()];
    for (rank, (position, at)) in placed.zip(order).enumerate() {
        result[at] = position + rank as f64 * gap;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().filter_map(|tick| tick.label.as_deref()).collect()
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&linear_ticks((0.0, 120.0), 6)), ["0", "20", "40", "60", "80", "100", "120"]);
        assert_eq!(labels(&linear_ticks((0.0, 12_000.0), 4)), ["0", "5,000", "10,000"]);
        assert_eq!(labels(&linear_ticks((0.0, 0.5), 5)), ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(labels(&log_ticks((-1.0, 3.0))), ["0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels(&log_ticks((0.0, 1.0))), ["1", "2", "5", "10"]);
    }

    #[test]
    fn short_logarithmic_axes_have_two_ticks_at_least() {
        let ticks = log_ticks((1.6_f64.log10(), 4.6_f64.log10()));
        assert_eq!(labels(&ticks), ["2", "3", "4"]);
        assert!((ticks[1].value - 3_f64.log10()).abs() < 1e-12);
        assert_eq!(labels(&log_ticks((0.82_f64.log10(), 1.3_f64.log10()))), ["1.0", "1.2"]);
        assert_eq!(labels(&log_ticks((210_f64.log10(), 290_f64.log10()))), ["220", "240", "260", "280"]);
    }

    #[test]
    fn labels_are_moved_apart_evenly_and_stay_inside() {
        assert_eq!(spread(&[50.0, 10.0], 20.0, (0.0, 100.0)), [50.0, 10.0]);
        assert_eq!(spread(&[50.0, 50.0, 50.0], 20.0, (0.0, 100.0)), [30.0, 50.0, 70.0]);
        assert_eq!(spread(&[98.0, 99.0], 20.0, (0.0, 100.0)), [80.0, 100.0]);
        assert_eq!(spread(&[1.0, 2.0], 20.0, (0.0, 100.0)), [0.0, 20.0]);
        assert_eq!(spread(&[], 20.0, (0.0, 100.0)), Vec::<f64>::new());
    }
}
