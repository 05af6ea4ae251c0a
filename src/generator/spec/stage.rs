//! The stages of the funnel.

use std::fmt;

use serde::Serialize;

/// A stage of the funnel. Its number orders the records of one auction that are due at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The bid request: every auction has one.
    Request = 0,
    /// The bid response.
    Response = 1,
    /// The delivered event: the bid won.
    Impression = 2,
    /// The click.
    Click = 3,
}

impl Stage {
    /// All stages in funnel order.
    pub const ALL: [Self; 4] = [Self::Request, Self::Response, Self::Impression, Self::Click];

    /// Its place in [`Stage::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its word: `request`, `response`, `impression`, `click`.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["request", "response", "impression", "click"][self.index()]
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
