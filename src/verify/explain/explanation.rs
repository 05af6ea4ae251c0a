//! What explains logs that hold something else.

use std::fmt::Display;

/// The one option of the stream whose other value explains what logs hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is there are the records of {option} {found}, and {given} was given")]
pub struct Explanation {
    /// The option's name, such as `win-rate`.
    pub option: &'static str,
    /// The value of which the logs hold the records.
    pub found: String,
    /// The value that was given.
    pub given: String,
}

impl Explanation {
    pub(super) fn new(option: &'static str, found: impl Display, given: impl Display) -> Self {
        Self { option, found: found.to_string(), given: given.to_string() }
    }
}
