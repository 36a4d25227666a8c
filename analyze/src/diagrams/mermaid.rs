//! Drawings in mermaid's language, as GitHub and many others show it: `stateDiagram-v2`, `sequenceDiagram`, `gantt`.

use super::{Drawing, Form, Kind, Line, Sequence, States, Step, Timeline, Transition, wrapped};

/// Characters in a line of a state, or of a transition's label: mermaid breaks longer ones itself.
const STATE_CHARS: usize = 24;
/// Characters in a line of a label.
const LABEL_CHARS: usize = 40;
/// Characters that fit on the axis of a timeline, some 1,100 pixels wide.
const AXIS_CHARS: f64 = 180.0;
/// What is written where a text must be and none fits.
const NOTHING: &str = "\u{a0}";
/// Characters in a line of a note over all.
const NOTE_CHARS: usize = 70;

/// Writes a drawing down.
pub fn write(drawing: &Drawing) -> String {
    // A JSON string is a YAML string too.
    let title = serde_json::Value::from(one_line(&drawing.title).replace(['<', '>'], "_"));
    let layout = match drawing.form {
        // The labels of a loop and of a transition from the same state need room below each other.
        Form::States(_) => "config:\n  state:\n    rankSpacing: 150\n",
        Form::Sequence(_) => "",
        // The spans of a lane that do not overlap share a row.
        Form::Timeline(_) => "displayMode: compact\n",
    };
    let mut text = format!("---\ntitle: {title}\n{layout}---\n");
    match &drawing.form {
        Form::States(states) => write_states(&mut text, states, &drawing.notes),
        Form::Sequence(sequence) => write_sequence(&mut text, sequence, &drawing.notes),
        Form::Timeline(timeline) => write_timeline(&mut text, timeline, &drawing.notes),
    }
    text
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text that mermaid reads as nothing but text: letters, digits and a few signs, and everything else by number.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in one_line(text).chars() {
        match c {
            ' ' | '.' | ',' | '(' | ')' | '/' | '+' | '\'' => plain.push(c),
            c if c.is_alphanumeric() => plain.push(c),
            c => plain += &format!("#{};", u32::from(c)),
        }
    }
    plain
}

/// A text in several lines of a label.
fn broken(text: &str, chars: usize) -> String {
    wrapped(text, chars).iter().map(|line| plain(line)).collect::<Vec<_>>().join("<br/>")
}

fn all_broken(lines: &[String], chars: usize) -> String {
    lines.iter().map(|line| broken(line, chars)).collect::<Vec<_>>().join("<br/>")
}

fn write_states(text: &mut String, drawn: &States, notes: &[String]) {
    *text += "stateDiagram-v2\n";
    for (at, state) in drawn.states.iter().enumerate() {
        let name = if state.is_extra { format!("{} (etcd)", state.name) } else { state.name.clone() };
        let lines = [vec![name], state.lines.clone()].concat();
        *text += &format!("    state \"{}\" as s{at}\n", all_broken(&lines, STATE_CHARS));
    }
    // Labels of edges between the same two states would lie over each other: they share one.
    let ends = |transition: &Transition| (transition.from, transition.to);
    for (at, transition) in drawn.transitions.iter().enumerate() {
        if drawn.transitions[..at].iter().any(|earlier| ends(earlier) == ends(transition)) {
            continue;
        }
        let same = drawn.transitions[at..].iter().filter(|other| ends(other) == ends(transition));
        let lines: Vec<String> = same
            .flat_map(|other| {
                other.lines.iter().map(|line| if other.is_extra { format!("etcd: {line}") } else { line.clone() })
            })
            .collect();
        let from = transition.from.map_or("[*]".to_owned(), |from| format!("s{from}"));
        *text += &format!("    {from} --> s{} : {}\n", transition.to, all_broken(&lines, STATE_CHARS));
    }
    if !drawn.states.is_empty() && !notes.is_empty() {
        *text += &format!("    note left of s0 : {}\n", all_broken(notes, STATE_CHARS));
    }
}

fn write_sequence(text: &mut String, drawn: &Sequence, notes: &[String]) {
    *text += "sequenceDiagram\n";
    for (at, actor) in drawn.actors.iter().enumerate() {
        *text += &format!("    participant a{at} as {}\n", plain(actor));
    }
    let Some(last) = drawn.actors.len().checked_sub(1) else { return };
    let over =
        |first: usize, last: usize| if first == last { format!("a{first}") } else { format!("a{first},a{last}") };
    for note in notes {
        *text += &format!("    Note over {}: {}\n", over(0, last), broken(note, NOTE_CHARS));
    }
    let mut is_in_part = false;
    for step in &drawn.steps {
        let indent = if is_in_part { "        " } else { "    " };
        match step {
            Step::Part(title) => {
                if is_in_part {
                    *text += "    end\n";
                }
                is_in_part = true;
                *text += &format!(
                    "    rect rgba(128, 128, 128, 0.08)\n        Note over {}: {}\n",
                    over(0, last),
                    broken(title, NOTE_CHARS)
                );
            }
            Step::Message { from, to, text: said, line } => {
                let arrow = match line {
                    Line::Solid => "->>",
                    Line::Dashed => "-->>",
                    Line::Lost => "-x",
                };
                *text += &format!("{indent}a{from}{arrow}a{to}: {}\n", broken(said, LABEL_CHARS));
            }
            Step::Note { first, last, text: said } => {
                let chars = if first == last { LABEL_CHARS } else { NOTE_CHARS };
                *text += &format!("{indent}Note over {}: {}\n", over(*first, *last), broken(said, chars));
            }
        }
    }
    if is_in_part {
        *text += "    end\n";
    }
}

fn write_timeline(text: &mut String, drawn: &Timeline, notes: &[String]) {
    *text += "gantt\n";
    for note in notes {
        *text += &format!("    %% {}\n", one_line(note));
    }
    // Milliseconds, shown as seconds: no time zone comes into it.
    *text += "    dateFormat x\n    axisFormat %s s\n";
    let ms = |at_s: f64| (at_s * 1e3).round() as i64;
    let mut task = |section: &mut Option<String>, words: &str, tag: &str, (from_s, to_s): (f64, f64)| {
        if let Some(section) = section.take() {
            *text += &format!("    section {}\n", plain(&section));
        }
        *text += &format!("    {} :{tag}{}, {}\n", plain(words), ms(from_s), ms(to_s));
    };
    let mut section = Some("fault".to_owned());
    for (from_s, to_s, why) in &drawn.windows {
        task(&mut section, why, "", (*from_s, *to_s));
    }
    for lane in &drawn.lanes {
        let mut section = Some(lane.name.clone());
        for span in &lane.spans {
            let tag = match span.kind {
                Kind::Leads => "active, ",
                Kind::Follows => "",
                Kind::Leaderless => "crit, ",
                Kind::Silent => "done, ",
            };
            // Words that do not fit would be written over the next span.
            let share = (span.range_s.1 - span.range_s.0) / (drawn.range_s.1 - drawn.range_s.0);
            let fits = span.text.chars().count() as f64 <= share * AXIS_CHARS;
            task(&mut section, if fits { &span.text } else { NOTHING }, tag, span.range_s);
        }
    }
    let mut section = Some("elections".to_owned());
    for (at_s, words) in &drawn.marks {
        task(&mut section, words, "milestone, ", (*at_s, *at_s));
    }
}
