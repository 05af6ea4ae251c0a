//! How many records something happens to, and how much later.

use std::fmt;
use std::str::FromStr;

use super::limit::delay;
use crate::generator::spec::{Rate, Span, SpecError};

/// A share of the records and the largest delay of what happens to them: `0.05:20s`. The delay may be left away: one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    share: Rate,
    span: Span,
}

impl Spread {
    const OFF: Self = Self { share: Rate::NEVER, span: Span::from_ms(1_000) };

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
        // Never, by whatever span, is one and the same.
        Ok(if share == Rate::NEVER { Self::OFF } else { Self { share, span } })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.share, self.span)
    }
}
