//! Spans of virtual time.

use std::fmt;
use std::str::FromStr;

/// A span of virtual time in whole milliseconds, at least one: `500ms`, `90s`, `15m`, `24h`.
///
/// ```
/// # use mock_data_gen::generator::spec::Span;
/// let span: Span = "1m 30s".parse()?;
/// assert_eq!((span.ms(), span.to_string().as_str()), (90_000, "90s"));
/// # Ok::<(), mock_data_gen::generator::spec::SpanError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(i64);

impl Span {
    /// A span of so many milliseconds.
    ///
    /// # Panics
    /// Below one, which a constant shows when it is compiled.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        assert!(ms > 0, "a span is at least one millisecond");
        Self(ms)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Span {
    /// In the largest unit that is exact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];
        let (ms, name) = units.into_iter().find(|(ms, _)| self.0 % ms == 0).unwrap_or((1, "ms"));
        write!(f, "{}{name}", self.0 / ms)
    }
}

/// A text that is not a span.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanError {
    /// Not numbers with units.
    #[error("not a span such as 90s, 15m or 24h ({0})")]
    Format(#[from] humantime::DurationError),
    /// Less than a millisecond somewhere.
    #[error("finer than a millisecond: times here are whole milliseconds")]
    Fraction,
    /// No time at all.
    #[error("give at least 1ms")]
    Zero,
    /// Beyond what times can be.
    #[error("longer than the stream")]
    TooLong,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let span = humantime::parse_duration(text)?;
        if !span.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(SpanError::Fraction);
        }
        match i64::try_from(span.as_millis()) {
            Ok(0) => Err(SpanError::Zero),
            Ok(ms) => Ok(Self(ms)),
            Err(_) => Err(SpanError::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_reads_back_as_it_is_shown() {
        for (ms, text) in [(1, "1ms"), (999, "999ms"), (1_000, "1s"), (90_000, "90s"), (7_200_000, "2h")] {
            assert_eq!(Span::from_ms(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(Span::from_ms(ms)));
        }
        assert_eq!("0s".parse::<Span>(), Err(SpanError::Zero));
        assert_eq!("1us".parse::<Span>(), Err(SpanError::Fraction));
        assert!(matches!("10".parse::<Span>(), Err(SpanError::Format(_))));
    }
}
