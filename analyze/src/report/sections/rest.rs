//! The sections that are about the whole page: what is missing, methods, words, and how to do it again.

use maud::html;

use crate::report::{Report, Section, glossary, methods};

/// What was left out, and why.
pub(in crate::report) fn left_out(report: &Report) -> Option<Section> {
    if report.left_out.is_empty() && report.unreadable.is_empty() {
        return None;
    }
    let content = html! {
        @if !report.left_out.is_empty() { ul { @for line in &report.left_out { li { (line) } } } }
        @if !report.unreadable.is_empty() {
            p { "These could not be read:" }
            ul { @for line in &report.unreadable { li { (line) } } }
        }
    };
    Some(Section { anchor: "left-out", title: "Left out, and remarks".to_owned(), content })
}

/// How the numbers were computed.
pub(in crate::report) fn methods() -> Section {
    let content = html! {
        p { "These are the words that stand beside the code which computes the numbers." }
        (methods::all())
    };
    Section { anchor: "methods", title: "How each number was computed".to_owned(), content }
}

/// Words.
pub(in crate::report) fn glossary() -> Section {
    Section { anchor: "glossary", title: "Words".to_owned(), content: glossary::all() }
}

/// How to make it all again.
pub(in crate::report) fn again(report: &Report) -> Section {
    let plans = || report.parts.iter().filter_map(|part| part.plan.as_ref());
    let content = html! {
        p {
            "The raw recordings, a row for each operation, are enough to make every number of this page again. This page was \
             made by " code { "analyze " (env!("CARGO_PKG_VERSION")) } ":"
        }
        pre { (report.command) }
        @if plans().next().is_some() {
            p { "To record a sweep anew, save its plan (it stands with the experiment, above) as a file:" }
            pre { @for plan in plans() {
                "recorder sweep " (plan.name) ".toml --seed " (plan.seed) " --repeat " (plan.repeat)
                @if let Some(duration) = &plan.asked.duration { " --duration " (duration) }
                @if plan.reuse_cluster { " --reuse-cluster" }
                "\n"
            } }
        }
        p {
            "One run again, exactly as its manifest says, and whether the two agree (the run's name is one of the list, the \
             folder is the one that holds the runs):"
        }
        pre { "recorder reproduce DIR/RUN\nanalyze compare RUN NEW-RUN --dir DIR" }
    };
    Section { anchor: "again", title: "How to do it again".to_owned(), content }
}
