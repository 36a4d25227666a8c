//! What a check finds.

/// What a check saw where all is well, or what is not.
pub(super) type Finding = Result<String, Trouble>;

/// Why a check did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The cluster does not do what it should.
    Failed(Failure),
    /// Nothing can be said about it: why.
    NotMade(String),
}

/// Something that a cluster should do and does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What should have been seen.
    pub(super) expected: String,
    /// What was seen instead.
    pub(super) seen: String,
    /// The members that it was seen at.
    pub(super) members: Vec<String>,
}

impl Trouble {
    /// A failure that was seen at these members.
    pub(super) fn failed<'a>(
        expected: impl Into<String>,
        seen: impl Into<String>,
        members: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let members = members.into_iter().map(str::to_owned).collect();
        Self::Failed(Failure { expected: expected.into(), seen: seen.into(), members })
    }
}

/// A time as people read it: milliseconds below a second, and no decimals where there are none.
pub(super) fn in_words(time: std::time::Duration) -> String {
    match time.as_secs_f64() {
        whole if whole >= 1.0 && time.subsec_nanos() == 0 => format!("{whole} s"),
        short if short < 1.0 => format!("{:.0} ms", short * 1000.0),
        long => format!("{long:.1} s"),
    }
}

/// Names as people read them.
pub(super) fn names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_short() {
        let shown = [0, 7, 999, 2_000, 2_040].map(|ms| in_words(Duration::from_millis(ms)));
        assert_eq!(shown, ["0 ms", "7 ms", "999 ms", "2 s", "2.0 s"]);
    }
}
