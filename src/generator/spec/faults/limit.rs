//! How long records may be held back.

use crate::generator::spec::{Span, SpecError};

/// No record is emitted later than this behind its auction's arrival, so that look-back and pending memory stay small.
pub const LAG_MS_LIMIT: i64 = 3_600_000;

/// A span by which something may be held back: up to an hour.
pub(super) fn delay(text: &str) -> Result<Span, SpecError> {
    let span: Span = text.parse()?;
    if span.ms() <= LAG_MS_LIMIT { Ok(span) } else { Err(SpecError::Range { min: "1ms", max: "1h" }) }
}
