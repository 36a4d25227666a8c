//! How each number was computed, taken from the documentation of the code that computes it.

use maud::{Markup, html};

use super::docs;

/// A method: what it is called, and where it is documented.
pub(super) struct Method {
    title: &'static str,
    source: &'static str,
    /// How the documented items are declared; none for the module's own documentation.
    items: &'static [&'static str],
}

/// In the order in which numbers are made.
pub(super) const METHODS: &[Method] = &[
    Method { title: "Phases", source: include_str!("../phases.rs"), items: &[] },
    Method { title: "The fault's window", source: include_str!("../phases.rs"), items: &["pub fn derive("] },
    Method { title: "Percentiles", source: include_str!("../stats.rs"), items: &[] },
    Method {
        title: "Percentiles where some operations got no answer",
        source: include_str!("../stats.rs"),
        items: &["pub fn censored_quantile("],
    },
    Method {
        title: "Effects, their intervals, and the noise floor",
        source: include_str!("../tables/delta.rs"),
        items: &[],
    },
    Method {
        title: "Intervals between runs: Student's t",
        source: include_str!("../stats/intervals.rs"),
        items: &["pub fn student("],
    },
    Method {
        title: "Intervals against baselines: Welch's t",
        source: include_str!("../stats/intervals.rs"),
        items: &["pub fn welch("],
    },
    Method {
        title: "Many tests: Holm's correction",
        source: include_str!("../stats/intervals.rs"),
        items: &["pub fn holm("],
    },
    Method {
        title: "Intervals within one run: the block bootstrap",
        source: include_str!("../stats/bootstrap.rs"),
        items: &[],
    },
    Method {
        title: "Intervals within one run: all numbers of a phase",
        source: include_str!("../stats/bootstrap/phase.rs"),
        items: &[],
    },
    Method {
        title: "Intervals within one run: differences and ratios",
        source: include_str!("../stats/intervals.rs"),
        items: &["pub fn less("],
    },
    Method { title: "Severity", source: include_str!("../tables/severity.rs"), items: &[] },
    Method { title: "The danger zone", source: include_str!("../tables/severity/crossings.rs"), items: &[] },
    Method { title: "Recovery and availability", source: include_str!("../tables/recovery.rs"), items: &[] },
    Method { title: "What members showed", source: include_str!("../tables/causes.rs"), items: &[] },
    Method { title: "Checks, and what they guarantee", source: include_str!("../check.rs"), items: &[] },
    Method { title: "Leader changes", source: include_str!("../tables/leaders.rs"), items: &["pub fn changes("] },
    Method {
        title: "What is compared with what",
        source: include_str!("../tables/factors.rs"),
        items: &["pub cohort:", "pub condition:"],
    },
];

impl Method {
    fn documentation(&self) -> String {
        let of_items =
            || self.items.iter().map(|item| docs::of_item(self.source, item)).collect::<Vec<_>>().join("\n\n");
        if self.items.is_empty() { docs::of_module(self.source) } else { of_items() }
    }
}

/// Every method with its documentation.
pub(super) fn all() -> Markup {
    html! { dl .methods {
        @for method in METHODS {
            dt { (method.title) }
            dd { (docs::rendered(&method.documentation())) }
        }
    } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_documented_where_it_is_said_to_be() {
        for method in METHODS {
            for item in method.items {
                assert!(docs::of_item(method.source, item).len() > 40, "{}: nothing at {item:?}", method.title);
            }
            assert!(method.documentation().len() > 80, "{}", method.title);
        }
    }
}
