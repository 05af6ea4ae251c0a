//! Points of time as text: what the documents show and what options take.

use std::fmt;

use chrono::DateTime;
use serde::{Serialize, Serializer};

/// Every auction arrives before this: 9999-12-31T23:00:00Z in milliseconds since 1970. The largest lag is at most one hour,
/// so every time of a stream lies in year 9999 or earlier and has four digits of year.
pub const LIMIT_MS: i64 = 253_402_297_200_000;

/// A time in milliseconds since 1970, shown as the documents show it: RFC 3339, UTC, milliseconds, `Z`.
///
/// Legal from 1970 to 9999.
///
/// ```
/// # use mock_data_gen::timestamp::Timestamp;
/// assert_eq!(Timestamp(1_770_206_400_025).to_string(), "2026-02-04T12:00:00.025Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Year, month and day of the Gregorian calendar. The arithmetic runs on years that begin in March, so that the leap day
    /// is the last one.
    fn date(self) -> (i64, i64, i64) {
        let day = self.0.div_euclid(86_400_000) + 719_468;
        let era = day.div_euclid(146_097);
        let day_of_era = day.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let ms = self.0.rem_euclid(86_400_000);
        let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is not a whole millisecond between 1970 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Not RFC 3339.
    #[error("not an RFC 3339 time such as 2026-01-01T00:00:00Z ({0})")]
    Format(#[from] chrono::ParseError),
    /// Finer than a millisecond.
    #[error("times here are whole milliseconds, and have no leap seconds")]
    Fraction,
    /// Before 1970 or too late.
    #[error("out of range: give 1970-01-01T00:00:00.001Z to {}", Timestamp(*.max_ms))]
    Range {
        /// The last legal time, in milliseconds since 1970.
        max_ms: i64,
    },
}

/// Parses an RFC 3339 time of at most `max_ms` into milliseconds since 1970.
///
/// # Errors
/// If the text is not RFC 3339, is finer than a millisecond, or lies outside 1970 … `max_ms`.
pub fn parse_time_ms(text: &str, max_ms: i64) -> Result<i64, TimeError> {
    let time = DateTime::parse_from_rfc3339(text)?;
    // A leap second counts past 10^9 nanoseconds; the virtual clock has none.
    let nanos = time.timestamp_subsec_nanos();
    if nanos >= 1_000_000_000 || !nanos.is_multiple_of(1_000_000) {
        return Err(TimeError::Fraction);
    }
    let ms = time.timestamp_millis();
    if (1..=max_ms).contains(&ms) { Ok(ms) } else { Err(TimeError::Range { max_ms }) }
}

#[cfg(test)]
mod tests {
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// forall times t of 1970 to 9999: our text is chrono's.
        #[test]
        fn timestamps_read_like_chronos(ms in 0i64..253_402_300_800_000) {
            let expected = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            prop_assert_eq!(Timestamp(ms).to_string(), expected);
        }
    }
}
