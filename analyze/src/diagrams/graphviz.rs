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
const CHAR_POINTS: f64 = 8.5;

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
    let title: String = title.iter().map(|line| format!("{}\\l", escaped(line))).collect();
    let mut text = format!(
        "digraph {{\n    graph [{FONT} labelloc=t labeljust=l fontsize=14 label=\"{title}\"]\n    \
         node [{FONT} fontsize=12]\n    edge [{FONT} fontsize=11]\n"
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
    *text += "    graph [nodesep=1.4 ranksep=0.22 splines=line]\n    edge [arrowsize=0.8]\n    \
              node [shape=point width=0.01 label=\"\" color=\"#999999\"]\n";
    let actors = drawn.actors.len();
    let node = |row: usize, actor: usize| format!("r{row}_{actor}");
    // Words above a message need room, which only rows give.
    let words = |said: &str| wrapped(said, LABEL_CHARS);
    let spacers = |step: &Step| match step {
        Step::Message { text, .. } => words(text).len().saturating_sub(1),
        _ => 0,
    };
    let last_row = drawn.steps.iter().map(|step| spacers(step) + 1).sum();
    for row in 0..=last_row {
        let names: Vec<String> = (0..actors).map(|actor| format!("{} [group=g{actor}]", node(row, actor))).collect();
        *text += &format!("    {{ rank=same; {} }}\n", names.join("; "));
    }
    for (actor, name) in drawn.actors.iter().enumerate() {
        let label = label(&wrapped(name, LABEL_CHARS));
        let style = format!("shape=box style=filled fillcolor=\"{PALE}\" width=1.3 height=0.4");
        *text += &format!("    {} [{style} label={label}]\n", node(0, actor));
    }
    write_row(text, actors, 0, None);
    let mut row = 0;
    for step in &drawn.steps {
        for _ in 0..spacers(step) {
            row += 1;
            write_row(text, actors, row, None);
        }
        row += 1;
        match step {
            Step::Part(title) => {
                let label = label(&wrapped(title, NOTE_CHARS / 2));
                let style = "shape=plaintext fontsize=13 fontcolor=\"#0072B2\"";
                *text += &format!("    {} [{style} label={label}]\n", node(row, 0));
            }
            Step::Note { first, text: said, .. } => {
                let label = label(&words(said));
                let style = "shape=note style=filled fillcolor=\"#FFF8DC\" fontsize=11";
                *text += &format!("    {} [{style} label={label}]\n", node(row, *first));
            }
            Step::Message { .. } => {}
        }
        write_row(text, actors, row, Some(step));
    }
    for actor in 0..actors {
        let column: Vec<String> = (0..=last_row).map(|row| node(row, actor)).collect();
        *text += &format!("    {} [arrowhead=none color=\"#BBBBBB\" weight=100]\n", column.join(" -> "));
    }
}

/// The edges between neighbours in a row. All of them go from left to right, which keeps the columns in order; a message
/// runs from point to point, so that it stays straight, and what is no part of it is not drawn.
fn write_row(text: &mut String, actors: usize, row: usize, step: Option<&Step>) {
    let message = match step {
        Some(Step::Message { from, to, text, line }) => Some((*from, *to, text, *line)),
        _ => None,
    };
    for left in 0..actors.saturating_sub(1) {
        let style = match message {
            Some((from, to, said, line)) if (from.min(to)..from.max(to)).contains(&left) => {
                let stroke = if line == Line::Dashed { "dashed" } else { "solid" };
                let head = if line == Line::Lost { "tee" } else { "normal" };
                let ends = match (to > from, left + 1 == to, left == to) {
                    (true, true, _) => format!("dir=forward arrowhead={head}"),
                    (false, _, true) => format!("dir=back arrowtail={head}"),
                    _ => "dir=none".to_owned(),
                };
                // The words are where the message begins.
                let is_first = left == if to > from { from } else { from - 1 };
                let words =
                    if is_first { format!(" label={}", label(&wrapped(said, LABEL_CHARS))) } else { String::new() };
                format!("style={stroke} {ends}{words}")
            }
            _ => "style=invis".to_owned(),
        };
        *text += &format!("    r{row}_{left} -> r{row}_{} [{style}]\n", left + 1);
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
        // Neighbours of one colour are told apart by what is left between them.
        let gap = if colour != "transparent" && done - from > 3.0 { 1.0 } else { 0.0 };
        cell(done - from - gap, colour, text);
        cell(gap, "transparent", "");
    }
    cell(AXIS_POINTS - done, "transparent", "");
    format!("<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"0\"><TR>{cells}</TR></TABLE>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_whatever_it_holds() {
        assert_eq!(label(&["a \"b\" \\N".to_owned(), "&amp;\n".to_owned()]), "\"a \\\"b\\\" \\\\N\\n&amp;amp; \"");
        assert_eq!(markup("<TD> & \"\u{1b}"), "&lt;TD&gt; &amp; &quot; ");
    }

    #[test]
    fn spans_fill_the_axis_and_none_is_lost() {
        let cells =
            cells(&[(0.0, 450.0, BLUE, "leads"), (450.0, 450.0, ORANGE, "too short"), (450.0, 900.0, PALE, "x")]);
        let widths: Vec<f64> = cells
            .split("WIDTH=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().and_then(|width| width.parse().ok()).expect("a width"))
            .collect();
        assert_eq!(widths, [449.0, 1.0, 1.0, 448.0, 1.0]);
        assert!(cells.contains("leads") && !cells.contains("too short"), "{cells}");
    }
}
