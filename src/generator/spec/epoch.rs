//! When a stream begins.

use std::fmt;
use std::str::FromStr;

use super::SpecError;
use crate::generator::timestamp::{LIMIT_MS, TimeError, Timestamp, parse_time_ms};

/// Virtual time of the stream's beginning: a whole millisecond from 1970-01-01T00:00:00.001Z (Kafka's clients take a timestamp
/// of 0 for "now") to 9999-12-31T22:00:00Z (which leaves room for at least three auctions at the lowest rate). Default
/// 2026-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    ms: i64,
}

impl Epoch {
    const MAX_MS: i64 = LIMIT_MS - 3_600_000;

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.ms
    }

    /// The epoch at a time in milliseconds since 1970.
    ///
    /// # Errors
    /// If it lies outside that range.
    pub fn from_ms(ms: i64) -> Result<Self, TimeError> {
        if (1..=Self::MAX_MS).contains(&ms) { Ok(Self { ms }) } else { Err(TimeError::Range { max_ms: Self::MAX_MS }) }
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self { ms: 1_767_225_600_000 }
    }
}

impl FromStr for Epoch {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Ok(Self { ms: parse_time_ms(text, Self::MAX_MS)? })
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Timestamp(self.ms).fmt(f)
    }
}
