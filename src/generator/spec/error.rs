//! What is wrong with a value of a spec.

use super::decimal::DecimalError;
use super::span::SpanError;
use crate::generator::timestamp::TimeError;

/// A value that a field of [`StreamSpec`](super::StreamSpec) refuses.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Not a decimal number, or more decimals than can be exact.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// Not a whole number of the field's range.
    #[error("give a whole number from {min} to {max}")]
    Whole {
        /// The least value.
        min: &'static str,
        /// The largest value.
        max: &'static str,
    },
    /// Not a share: less than 0 or more than 1.
    #[error("out of range: give 0 to 1, or a percentage such as 15%")]
    Share,
    /// Outside the range of the field.
    #[error("out of range: give {min} to {max}")]
    Range {
        /// The least value.
        min: &'static str,
        /// The largest value.
        max: &'static str,
    },
    /// Not a point of time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Not a span of time.
    #[error(transparent)]
    Span(#[from] SpanError),
    /// Not of the form that the field takes.
    #[error("not of the form {0}")]
    Form(&'static str),
    /// Not one of the words that the field takes.
    #[error("give one of: {0}")]
    Word(&'static str),
}
