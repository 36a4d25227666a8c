//! Drawings in the language of Graphviz, for `dot`.

use super::{Drawing, Form, Kind, Lane, Line, Sequence, States, Step, Timeline, ticks, wrapped};

/// Characters in a line of a label.
const LABEL_CHARS: usize = 34;
/// Characters in a line of a note over all.
const NOTE_CHARS: usize = 90;
/// Width of a timeline's axis in points.
const AXIS_POINTS: f64 = 900.0;
/// Height of its lanes.
const LANE_POINTS: f64 = 24.0;
/// Width of a character in points, on the safe side.
const CHAR_POINTS: f64 = 7.5;

const FONT: &str = "fontname=\"Helvetica,Arial,sans-serif\"";
/// Colours of Okabe and Ito, paler.
const BLUE: &str = "#9ECAE6";
const ORANGE: &str = "#F2B37C";
const GREY: &str = "#D0D0D0";
const PALE: &str = "#EEF4F8";

/// Writes a drawing down.
pub fn write(drawing: &Drawing) -> String {
    let words: Vec<String> = drawing.notes.iter().flat_map(|note| wrapped(note, NOTE_CHARS)).collect();
    let title = [vec![drawing.title.clone(), String::new()], words].concat();
    let mut text = format!(
        "digraph {{\n    graph [{FONT} labelloc=t fontsize=14 label={}]\n    node [{FONT} fontsize=12]\n    \
         edge [{FONT} fontsize=11]\n",
        label(&title)
    );
    match &drawing.form {
        Form::States(states) => write_states(&mut text, states),
        Form::Sequence(sequence) => write_sequence(&mut text, sequence),
        Form::Timeline(timeline) => write_timeline(&mut text, timeline),
    }
    text + "}\n"
}

/// Lines as a quoted string.
fn label(lines: &[String]) -> String {
    let escaped: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
    format!("\"{}\"", escaped.join("\\n"))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            // Graphviz reads `&name;` as a character of HTML.
            '&' => escaped += "&amp;",
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text within a label that is markup.
fn markup(text: &str) -> String {
    let mut markup = String::new();
    for c in text.chars() {
        match c {
            '&' => markup += "&amp;",
            '<' => markup += "&lt;",
            '>' => markup += "&gt;",
            '"' => markup += "&quot;",
            c if c.is_control() => markup.push(' '),
            c => markup.push(c),
        }
    }
    markup
}

fn broken(lines: &[String], chars: usize) -> Vec<String> {
    lines.iter().flat_map(|line| wrapped(line, chars)).collect()
}

fn write_states(text: &mut String, drawn: &States) {
    *text +=
        "    graph [nodesep=0.9 ranksep=0.8]\n    node [shape=box style=\"rounded,filled\" fillcolor=\"#EEF4F8\"]\n";
    *text += "    start [shape=circle style=filled fillcolor=black label=\"\" width=0.2]\n";
    for (at, state) in drawn.states.iter().enumerate() {
        let etcd = if state.is_extra { vec!["(etcd)".to_owned()] } else { Vec::new() };
        let lines = [vec![state.name.clone()], etcd, broken(&state.lines, LABEL_CHARS)].concat();
        let style = if state.is_extra { " style=\"rounded,dashed\"" } else { "" };
        *text += &format!("    s{at} [label={}{style}]\n", label(&lines));
    }
    for transition in &drawn.transitions {
        let from = transition.from.map_or("start".to_owned(), |from| format!("s{from}"));
        let mut lines = transition.lines.clone();
        let mut style = "";
        if let (true, Some(first)) = (transition.is_extra, lines.first_mut()) {
            *first = format!("etcd: {first}");
            style = " style=dashed color=\"#777777\" fontcolor=\"#555555\"";
        }
        let label = label(&broken(&lines, LABEL_CHARS));
        *text += &format!("    {from} -> s{} [label={label}{style}]\n", transition.to);
    }
}

/// A ladder: a column of points for each actor, a row for each step.
fn write_sequence(text: &mut String, drawn: &Sequence) {
    *text += "    graph [nodesep=1.6 ranksep=0.22 splines=line]\n    edge [arrowsize=0.8]\n    \
              node [shape=point width=0.01 label=\"\" color=\"#999999\"]\n";
    let actors = drawn.actors.len();
    let row = |at: usize| (0..actors).map(move |actor| format!("r{at}_{actor}"));
    for (name, actor) in row(0).zip(&drawn.actors) {
        let label = label(&wrapped(actor, LABEL_CHARS));
        *text +=
            &format!("    {name} [shape=box style=filled fillcolor=\"{PALE}\" width=1.3 height=0.4 label={label}]\n");
    }
    let mut at = 0;
    let same_rank = |text: &mut String, at: usize| {
        *text += &format!("    {{ rank=same; {} }}\n", row(at).collect::<Vec<_>>().join("; "));
    };
    same_rank(text, 0);
    *text += &format!("    {} [style=invis]\n", row(0).collect::<Vec<_>>().join(" -> "));
    for step in &drawn.steps {
        at += 1;
        let node = |actor: usize| format!("r{at}_{actor}");
        match step {
            Step::Part(title) => {
                let label = label(&wrapped(title, NOTE_CHARS / 2));
                *text +=
                    &format!("    {} [shape=plaintext fontsize=13 fontcolor=\"#0072B2\" label={label}]\n", node(0));
            }
            Step::Note { first, text: said, .. } => {
                let label = label(&wrapped(said, LABEL_CHARS));
                *text += &format!(
                    "    {} [shape=note style=filled fillcolor=\"#FFF8DC\" fontsize=11 label={label}]\n",
                    node(*first)
                );
            }
            Step::Message { from, to, text: said, line } => {
                let style = match line {
                    Line::Solid => "style=solid arrowhead=normal",
                    Line::Dashed => "style=dashed arrowhead=normal",
                    Line::Lost => "style=solid arrowhead=tee",
                };
                let label = label(&wrapped(said, LABEL_CHARS));
                // From point to point, so that the line stays straight; the words are at its first piece.
                let steps: Vec<usize> =
                    if from <= to { (*from..=*to).collect() } else { (*to..=*from).rev().collect() };
                for (at, pair) in steps.windows(2).enumerate() {
                    let words = if at == 0 { format!(" label={label}") } else { String::new() };
                    let style =
                        if at + 2 == steps.len() { style.to_owned() } else { format!("{style} arrowhead=none") };
                    *text += &format!("    {} -> {} [{style}{words}]\n", node(pair[0]), node(pair[1]));
                }
            }
        }
        same_rank(text, at);
    }
    for actor in 0..actors {
        let column: Vec<String> = (0..=at).map(|at| format!("r{at}_{actor}")).collect();
        *text += &format!("    {} [arrowhead=none color=\"#BBBBBB\" weight=100]\n", column.join(" -> "));
    }
}

/// A table whose cells have the widths of the spans.
fn write_timeline(text: &mut String, drawn: &Timeline) {
    let (from_s, to_s) = drawn.range_s;
    let per_s = AXIS_POINTS / (to_s - from_s).max(f64::MIN_POSITIVE);
    let at = |at_s: f64| ((at_s.clamp(from_s, to_s) - from_s) * per_s).round();
    let mut rows = Vec::new();
    for (window_from_s, window_to_s, why) in &drawn.windows {
        rows.push(("fault".to_owned(), cells(&[(at(*window_from_s), at(*window_to_s), GREY, why.as_str())])));
    }
    for Lane { name, spans } in &drawn.lanes {
        let of_span =
            |span: &super::Span| (at(span.range_s.0), at(span.range_s.1), colour(span.kind), span.text.clone());
        let spans: Vec<(f64, f64, &str, String)> = spans.iter().map(of_span).collect();
        let spans: Vec<_> = spans.iter().map(|(from, to, colour, text)| (*from, *to, *colour, text.as_str())).collect();
        rows.push((name.clone(), cells(&spans)));
    }
    rows.push((
        String::new(),
        cells(
            &ticks((from_s, to_s), 10)
                .iter()
                .map(|(at_s, text)| {
                    let width = text.chars().count() as f64 * CHAR_POINTS;
                    let left = (at(*at_s) - width / 2.0).max(0.0);
                    (left, (left + width).min(AXIS_POINTS), "transparent", text.as_str())
                })
                .collect::<Vec<_>>(),
        ),
    ));
    *text += "    timeline [shape=plaintext label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"4\" CELLPADDING=\"0\">\n";
    for (name, cells) in rows {
        *text += &format!("    <TR><TD ALIGN=\"RIGHT\">{} </TD><TD ALIGN=\"LEFT\">{cells}</TD></TR>\n", markup(&name));
    }
    let legend: Vec<String> = drawn
        .legend
        .iter()
        .map(|(kind, meaning)| {
            format!("<TD BGCOLOR=\"{}\" WIDTH=\"16\"></TD><TD ALIGN=\"LEFT\"> {} </TD>", colour(*kind), markup(meaning))
        })
        .collect();
    let marks: Vec<String> = drawn.marks.iter().map(|(at_s, what)| format!("{at_s:.2} s: {}", markup(what))).collect();
    for mark in marks {
        *text += &format!("    <TR><TD></TD><TD ALIGN=\"LEFT\">{mark}</TD></TR>\n");
    }
    if !legend.is_empty() {
        *text += &format!(
            "    <TR><TD></TD><TD ALIGN=\"LEFT\"><TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"4\" CELLPADDING=\"2\"><TR>{}</TR></TABLE></TD></TR>\n",
            legend.concat()
        );
    }
    *text += "    </TABLE>>]\n";
}

fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Leads => BLUE,
        Kind::Follows => PALE,
        Kind::Leaderless => ORANGE,
        Kind::Silent => GREY,
    }
}

/// Cells side by side, from, to, colour and text of each; what is between them is empty.
fn cells(spans: &[(f64, f64, &str, &str)]) -> String {
    let mut cells = String::new();
    let mut done = 0.0;
    let mut cell = |width: f64, colour: &str, text: &str| {
        if width >= 1.0 {
            let fits = text.chars().count() as f64 * CHAR_POINTS <= width;
            let text = if fits { markup(text) } else { String::new() };
            cells += &format!(
                "<TD FIXEDSIZE=\"TRUE\" WIDTH=\"{width}\" HEIGHT=\"{LANE_POINTS}\" BGCOLOR=\"{colour}\">{text}</TD>"
            );
        }
    };
    for &(from, to, colour, text) in spans {
        // The shortest is a point wide, and moves its neighbour by that.
        let from = from.max(done);
        cell(from - done, "transparent", "");
        done = to.max(from + 1.0);
        cell(done - from, colour, text);
    }
    cell(AXIS_POINTS - done, "transparent", "");
    format!("<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\"><TR>{cells}</TR></TABLE>")
}
