//! `metadata.txt` and `summary.txt`, and what a label says of a fault.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use run_folder::Label;
use run_folder::spec::{Effect, Target};

use crate::{Error, Result};

const TEXT_BYTES_MAX: u64 = 1 << 20;

/// The `key=value` lines of a file.
#[derive(Debug, Default)]
pub(super) struct Pairs(BTreeMap<String, String>);

impl Pairs {
    /// Reads a file; other lines in it are passed over.
    ///
    /// # Errors
    /// [`Error::Import`] when it cannot be read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let cannot_read = |error: std::io::Error| Error::import(path, format!("cannot be read: {error}"));
        let mut bytes = Vec::new();
        File::open(path).and_then(|file| file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes)).map_err(cannot_read)?;
        let text = String::from_utf8_lossy(&bytes);
        let pair = |line: &str| {
            let (key, value) = line.trim_start_matches('\u{feff}').split_once('=')?;
            let value = value.trim().trim_matches(['"', '\'']).trim();
            Some((key.trim().to_ascii_lowercase(), value.to_owned()))
        };
        Ok(Self(text.lines().filter_map(pair).collect()))
    }

    /// A value; `none` and nothing are none.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.get(key)?.as_str();
        (!value.is_empty() && value != "none" && value != "-").then_some(value)
    }

    /// Whether the value is there and says that there was nothing of that kind.
    pub(super) fn is_none(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| value == "none")
    }

    /// A number, of which a unit `s` or `ms` at its end is no part.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        let text = self.get(key)?;
        let text = text.strip_suffix("ms").or_else(|| text.strip_suffix('s')).unwrap_or(text);
        text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0)
    }
}

/// What is known of the fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// There was none.
    None,
    /// This one.
    Known(Effect),
    /// There may have been any.
    Unknown,
}

/// The fault, from `metadata.txt` where that has one, else from the label.
pub(super) fn fault(metadata: &Pairs, label: &str) -> Fault {
    if metadata.is_none("fault") {
        return Fault::None;
    }
    if let Some(words) = metadata.get("fault") {
        return effect(words).map_or(Fault::Unknown, Fault::Known);
    }
    let label = label.to_ascii_lowercase();
    if ["baseline", "control", "nofault", "no_fault", "healthy"].iter().any(|word| label.contains(word)) {
        return Fault::None;
    }
    effect(&label).map_or(Fault::Unknown, Fault::Known)
}

/// A fault in words (`delay 20ms`, `loss 5%`) or in a label (`loss20_mid`, `delay100_full`, `slowleader_mid20ms`).
fn effect(text: &str) -> Option<Effect> {
    if text.contains("loss") {
        let loss_percent = number_after(text, "loss")?;
        return (loss_percent <= 100.0).then_some(Effect::Loss { loss_percent });
    }
    match text {
        "null fault" => return Some(Effect::Null),
        "pass-through" => return Some(Effect::Pass),
        // A delay with jitter, whose distribution is not said when it is the usual one.
        _ if text.contains('±') => return None,
        _ => {}
    }
    let ms = match (text.contains("delay"), text.contains("slow")) {
        (true, _) => number_after(text, "delay")?,
        (false, true) => number_before(text, "ms").or_else(|| number_after(text, "slow"))?,
        (false, false) => return None,
    };
    (ms > 0.0 && ms < 1e6).then(|| Effect::delay((ms * 1e3).round() as u64))
}

/// The number that follows a word, a blank or something of it between them at most.
fn number_after(text: &str, word: &str) -> Option<f64> {
    let rest = &text[text.find(word)? + word.len()..];
    let rest = rest.trim_start_matches([' ', '_', '-', '=']);
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    rest[..end].trim_end_matches('.').parse().ok()
}

/// The number that ends right before a unit.
fn number_before(text: &str, unit: &str) -> Option<f64> {
    text.match_indices(unit).find_map(|(at, _)| {
        let from = text[..at].rfind(|c: char| !(c.is_ascii_digit() || c == '.')).map_or(0, |before| before + 1);
        // The character before may be one of several bytes.
        text.get(from..at)?.trim_start_matches('.').parse().ok()
    })
}

/// Whom the fault hit, where `metadata.txt` or the label say it.
pub(super) fn target(metadata: &Pairs, label: &str) -> Option<Target> {
    let of_word = |text: &str| match text {
        "leader" => Some(Target::Leader),
        "follower" => Some(Target::Follower),
        "all" => Some(Target::All),
        _ => None,
    };
    if let Some(text) = metadata.get("target") {
        return of_word(text).or_else(|| Some(Target::Member(text.to_owned())));
    }
    let mode = metadata.get("mode").unwrap_or_default();
    let says = |word: &str| [label, mode].iter().any(|text| text.to_ascii_lowercase().contains(word));
    match (says("leader"), says("follower")) {
        (true, false) => Some(Target::Leader),
        (false, true) => Some(Target::Follower),
        _ => None,
    }
}

/// A label of what somebody called a run. What a label cannot hold becomes `_`.
pub(super) fn label(text: &str) -> Option<Label> {
    let text: String = text.chars().map(|c| if Label::may_hold(c) { c } else { '_' }).collect();
    let text = text.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let text = &text[..text.len().min(run_folder::label::LABEL_CHARS_MAX)];
    Label::new(text.trim_end_matches('.')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Pairs {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("metadata.txt");
        std::fs::write(&path, text).expect("a file");
        Pairs::read(&path).expect("it can be read")
    }

    #[test]
    fn labels_say_what_was_done() {
        let nothing = Pairs::default();
        for (label, expected) in [
            ("baseline", Fault::None),
            ("loss20_mid", Fault::Known(Effect::Loss { loss_percent: 20.0 })),
            ("loss0.5_full", Fault::Known(Effect::Loss { loss_percent: 0.5 })),
            ("delay100_full", Fault::Known(Effect::delay(100_000))),
            ("slowleader_mid20ms", Fault::Known(Effect::delay(20_000))),
            ("slowfollower_full2.5ms", Fault::Known(Effect::delay(2_500))),
            ("loss_mid", Fault::Unknown),
            ("loss200_mid", Fault::Unknown),
            ("slowleader", Fault::Unknown),
            ("run7", Fault::Unknown),
        ] {
            assert_eq!(fault(&nothing, label), expected, "{label}");
        }
        assert_eq!(fault(&pairs("fault=none\n"), "loss20_mid"), Fault::None);
        assert_eq!(fault(&pairs("fault=delay 20ms\r\n"), "x"), Fault::Known(Effect::delay(20_000)));
        assert_eq!(fault(&pairs("fault=loss 5%"), "x"), Fault::Known(Effect::Loss { loss_percent: 5.0 }));
        // More than a plain delay: what it was cannot be said by these.
        assert_eq!(fault(&pairs("fault=delay 20ms ± 5ms"), "delay20_mid"), Fault::Unknown);
        assert_eq!(fault(&pairs("fault=null fault"), "x"), Fault::Known(Effect::Null));
    }

    #[test]
    fn targets_come_from_metadata_or_words() {
        for (metadata, label, expected) in [
            ("target=etcd2", "slowleader_mid20ms", Some(Target::Member("etcd2".to_owned()))),
            ("target=follower", "x", Some(Target::Follower)),
            ("mode=slow-leader", "delay20_mid", Some(Target::Leader)),
            ("", "slowfollower_mid20ms", Some(Target::Follower)),
            ("mode=sweep", "delay20_mid", None),
            ("target=none", "delay20_mid", None),
        ] {
            assert_eq!(target(&pairs(metadata), label), expected, "{metadata} {label}");
        }
    }

    #[test]
    fn what_a_label_cannot_hold_is_replaced() {
        for (text, expected) in [("loss 20%", "loss_20_"), ("_x", "x"), ("a/../b.", "a_.._b"), ("é", "")] {
            assert_eq!(label(text).map(String::from).unwrap_or_default(), expected, "{text}");
        }
    }
}
