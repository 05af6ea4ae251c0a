//! Which shape documents have.

use std::fmt;
use std::str::FromStr;

use super::SpecError;

/// Shape of the documents: a pure choice of serialiser, over the same ids, prices and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Exactly the product document's shapes, field order included.
    Seed,
}

impl FromStr for Profile {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "seed" => Ok(Self::Seed),
            _ => Err(SpecError::Word("seed")),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seed => "seed",
        })
    }
}
