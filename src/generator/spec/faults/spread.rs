//! How many records something happens to, and how much later.

use std::fmt;
use std::str::FromStr;

use super::limit::{LAG_MS_LIMIT, delay};
use crate::generator::spec::{Rate, Span, SpecError};

/// A share of the records and the largest delay of what happens to them: `0.05:20s`. Without a delay it is one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    share: Rate,
    span: Span,
}

impl Spread {
    const OFF: Self = Self { share: Rate::NEVER, span: Span::from_ms(1_000) };

    /// A share of the records, and the largest delay: up to an hour.
    ///
    /// # Panics
    /// With a longer delay, which a constant shows when it is compiled.
    #[must_use]
    pub const fn new(share: Rate, delay: Span) -> Self {
        assert!(delay.ms() <= LAG_MS_LIMIT, "a delay is at most an hour");
        // Never, by whatever span, is one and the same.
        if share.billionths() == 0 { Self::OFF } else { Self { share, span: delay } }
    }

    /// The share of the records.
    #[must_use]
    pub fn share(self) -> Rate {
        self.share
    }

    /// The largest delay in milliseconds; 0 if it is off.
    #[must_use]
    pub fn ms_max(self) -> i64 {
        if self.is_off() { 0 } else { self.span.ms() }
    }

    pub(super) fn is_off(self) -> bool {
        self.share == Rate::NEVER
    }
}

impl Default for Spread {
    fn default() -> Self {
        Self::OFF
    }
}

impl FromStr for Spread {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (share, span) = match text.split_once(':') {
            Some((share, span)) => (share.parse()?, delay(span)?),
            None => (text.parse()?, Self::OFF.span),
        };
        Ok(Self::new(share, span))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.span)
    }
}
