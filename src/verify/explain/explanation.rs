//! What explains logs that hold something else.

use std::fmt::{self, Display};

/// The one option of the stream whose other value explains what logs hold, or the first of two that do so only together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The option's name, such as `win-rate`.
    pub option: &'static str,
    /// The value of which the logs hold the records.
    pub found: String,
    /// The value that was given.
    pub given: String,
    /// The second one, where one alone explains nothing.
    pub second: Option<Box<Explanation>>,
}

impl Explanation {
    pub(super) fn new(option: &'static str, found: impl Display, given: impl Display) -> Self {
        Self { option, found: found.to_string(), given: given.to_string(), second: None }
    }

    pub(super) fn and(self, second: Option<Self>) -> Self {
        Self { second: second.map(Box::new), ..self }
    }

    /// The options with the values of which the logs hold the records, and the given values; `dashes` stand before an option's name.
    pub(crate) fn texts(&self, dashes: &str) -> (String, String) {
        let (found, given) = (format!("{dashes}{} {}", self.option, self.found), self.given.clone());
        match self.second.as_ref().map(|second| second.texts(dashes)) {
            Some((more_found, more_given)) => {
                (format!("{found} and {more_found}"), format!("{given} and {more_given}"))
            }
            None => (found, given),
        }
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, given) = self.texts("");
        let were = if self.second.is_some() { "were" } else { "was" };
        write!(f, "what is there are the records of {found}, and {given} {were} given")
    }
}

impl std::error::Error for Explanation {}
