//! Labels: the part of a run folder's name that people choose.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Longest label; with the stamp and the file names below it, paths stay under the limits of every system.
pub const LABEL_CHARS_MAX: usize = 80;

/// A label that is a valid part of a file name on Linux, macOS and Windows, and cannot leave its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

impl Label {
    /// Checks a label: 1 to [`LABEL_CHARS_MAX`] letters, digits, `_`, `-`, `+`, `=`, `,` and `.`, beginning with a
    /// letter or digit and not ending with a dot.
    ///
    /// # Errors
    /// [`Error::Label`] that says what is allowed.
    pub fn new(label: impl Into<String>) -> Result<Self> {
        let label = label.into();
        let problem = if label.is_empty() {
            "is empty; name the run, as in loss20_mid"
        } else if label.len() > LABEL_CHARS_MAX {
            "is longer than 80 characters"
        } else if !label.chars().all(Self::may_hold) {
            "may hold only letters, digits and _ - + = , . because it becomes part of a folder name"
        } else if !label.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            "must begin with a letter or a digit"
        } else if label.ends_with('.') {
            "must not end with a dot"
        } else {
            return Ok(Self(label));
        };
        Err(Error::Label { label, problem })
    }

    /// Whether a label may hold this character, though perhaps not in every place.
    pub fn may_hold(c: char) -> bool {
        c.is_ascii_alphanumeric() || "_-+=,.".contains(c)
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Label {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl TryFrom<String> for Label {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_older_scripts_are_accepted() {
        for label in ["loss20_mid", "delay100_full", "slowleader_mid20ms", "baseline", "a-b+c=1,2.5"] {
            assert_eq!(Label::new(label).unwrap().as_str(), label);
        }
    }

    #[test]
    fn labels_that_could_leave_the_folder_or_break_another_system_are_refused() {
        let long = "a".repeat(81);
        for label in ["", "a/b", "..", ".hidden", "a:b", "a\\b", "a b", "a\n", "ends.", "é", "-x", "20%", &long] {
            let error = Label::new(label).expect_err(label);
            assert!(error.to_string().starts_with("label "), "{error}");
        }
    }
}
