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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagrams::{Lane, Span, State};

    #[test]
    fn text_stays_text_whatever_it_holds() {
        assert_eq!(plain("etcd0 (term 3), 5.0 s"), "etcd0 (term 3), 5.0 s");
        assert_eq!(plain("a --> b; #35; %%"), "a #45;#45;#62; b#59; #35;35#59; #37;#37;");
        assert_eq!(plain("<b>\"x\"\n\u{1b}[2J"), "#60;b#62;#34;x#34;  #91;2J");
        assert_eq!(plain("größer"), "größer");
    }

    #[test]
    fn a_title_cannot_end_the_front_matter() {
        let form = Form::Sequence(Sequence::default());
        let drawing = Drawing { title: "x\"\n---\n<y>".to_owned(), notes: Vec::new(), form };
        assert_eq!(write(&drawing), "---\ntitle: \"x\\\" --- _y_\"\n---\nsequenceDiagram\n");
    }

    #[test]
    fn transitions_between_the_same_states_share_a_label() {
        let state = |name: &str| State { name: name.to_owned(), lines: Vec::new(), is_extra: false };
        let transition =
            |words: &str, is_extra| Transition { from: Some(0), to: 1, lines: vec![words.to_owned()], is_extra };
        let states = States {
            states: vec![state("a"), state("b")],
            transitions: vec![transition("x", false), transition("y", true)],
            sketch: None,
        };
        let drawing = Drawing { title: String::new(), notes: Vec::new(), form: Form::States(states) };
        let text = write(&drawing);
        assert!(text.ends_with("    s0 --> s1 : x<br/>etcd#58; y\n"), "{text}");
    }

    #[test]
    fn words_that_do_not_fit_on_a_span_are_left_out() {
        let span = |range_s, text: &str| Span { range_s, kind: Kind::Leads, text: text.to_owned() };
        let timeline = Timeline {
            range_s: (-1.0, 99.0),
            lanes: vec![Lane {
                name: "etcd0".to_owned(),
                spans: vec![span((-1.0, 0.5), "much too long"), span((0.5, 99.0), "leads")],
            }],
            ..Timeline::default()
        };
        let drawing = Drawing { title: String::new(), notes: Vec::new(), form: Form::Timeline(timeline) };
        let text = write(&drawing);
        let tasks = "    section etcd0\n    #160; :active, -1000, 500\n    leads :active, 500, 99000\n";
        assert!(text.contains(tasks), "{text}");
    }
}
