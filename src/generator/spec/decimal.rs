//! Exact decimals: text to a whole number of the smallest unit and back, never through a float.

use std::fmt;

/// A text that is not an exact decimal of the wanted precision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// Something other than digits and one point.
    #[error("not a decimal number such as 0.15 (no sign, no exponent)")]
    Format,
    /// More decimals than the field can hold exactly.
    #[error("more than {places} decimals")]
    Places {
        /// How many it can hold.
        places: usize,
    },
}

/// Parses `text` into units of `10^-places`; `None` if it is too large for 64 bits. Trailing zeros do not count as
/// decimals.
///
/// # Errors
/// If `text` has a sign, an exponent or more decimals than `places`.
pub fn parse_decimal(text: &str, places: usize) -> Result<Option<u64>, DecimalError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return Err(DecimalError::Format);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > places {
        return Err(DecimalError::Places { places });
    }
    let zeros = std::iter::repeat_n(b'0', places - fraction.len());
    let units = whole.bytes().chain(fraction.bytes()).chain(zeros);
    Ok(units.into_iter().try_fold(0u64, |sum, digit| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))))
}

/// Parses a text that may end with `k`, `M` or `G`, for a thousand, a million or a billion, as [`parse_decimal`] does.
///
/// # Errors
/// As [`parse_decimal`].
pub fn parse_scaled(text: &str, places: usize) -> Result<Option<u64>, DecimalError> {
    let suffixes = [('k', 3), ('K', 3), ('M', 6), ('G', 9)];
    let scaled = suffixes.into_iter().find_map(|(suffix, zeros)| Some((text.strip_suffix(suffix)?, zeros)));
    let Some((number, zeros)) = scaled else { return parse_decimal(text, places) };
    parse_decimal(number, places + zeros).map_err(|error| match error {
        DecimalError::Places { .. } => DecimalError::Places { places },
        format @ DecimalError::Format => format,
    })
}

/// Writes `units` of `10^-places` with as few decimals as are exact: `0.6`, `10`.
///
/// # Errors
/// If the formatter fails.
pub fn write_decimal(f: &mut fmt::Formatter<'_>, units: u64, places: usize) -> fmt::Result {
    let digits = format!("{units:0width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    match fraction.trim_end_matches('0') {
        "" => f.pad(whole),
        fraction => f.pad(&format!("{whole}.{fraction}")),
    }
}
