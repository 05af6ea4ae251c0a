//! Points of time as text: what the documents show and what options take.

use std::fmt::{self, Write};

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Serialize, Serializer};

/// Every auction arrives before this: 9999-12-31T23:00:00Z in milliseconds since 1970. The largest lag is at most one hour,
/// so every time of a stream lies in year 9999 or earlier and has four digits of year.
pub const LIMIT_MS: i64 = 253_402_297_200_000;

/// The last millisecond of 9999, since 1970.
const LAST_MS: u64 = 253_402_300_799_999;

/// A time in milliseconds since 1970, shown as the documents show it: RFC 3339, UTC, milliseconds, `Z`.
///
/// Legal from 1970 to 9999.
///
/// ```
/// # use mock_data_gen::generator::timestamp::Timestamp;
/// assert_eq!(Timestamp(1_770_206_400_025).to_string(), "2026-02-04T12:00:00.025Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Year, month and day of the Gregorian calendar. The arithmetic runs on years that begin in March, so that the leap day
    /// is the last one.
    fn date(day_since_1970: u32) -> (u32, u32, u32) {
        let day = day_since_1970 + 719_468;
        let (era, day_of_era) = (day / 146_097, day % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        (year, month, day_of_year - (153 * month_from_march + 2) / 5 + 1)
    }

    /// Its text; that of the nearest legal time, if it lies outside.
    #[must_use]
    pub fn text(self) -> [u8; 24] {
        LastDay::default().text(self)
    }
}

/// The two digits of each number below 100.
pub(crate) const TWO_DIGITS: [[u8; 2]; 100] = {
    let mut digits = [[0; 2]; 100];
    let mut number = 0;
    while number < 100 {
        digits[number] = [b'0' + number as u8 / 10, b'0' + number as u8 % 10];
        number += 1;
    }
    digits
};

/// The day that was written last, as text: times that follow one another are mostly of one day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastDay {
    day: u32,
    /// `2026-02-`, and `04T`: texts in whole numbers, first byte lowest, so that none is put together byte by byte in memory.
    month: u64,
    of_month: u64,
}

impl Default for LastDay {
    fn default() -> Self {
        Self { day: 0, month: u64::from_le_bytes(*b"1970-01-"), of_month: u64::from_le_bytes(*b"01T\0\0\0\0\0") }
    }
}

impl LastDay {
    /// The text of a time, as [`Timestamp::text`] says it.
    #[inline]
    pub(crate) fn text(&mut self, time: Timestamp) -> [u8; 24] {
        let two = |number: u32| u64::from(u16::from_le_bytes(TWO_DIGITS[number as usize % 100]));
        let ms = u64::try_from(time.0).unwrap_or(0).min(LAST_MS);
        let (day, ms) = ((ms / 86_400_000) as u32, (ms % 86_400_000) as u32);
        if day != self.day {
            let (year, month, of_month) = Timestamp::date(day);
            let dash = u64::from(b'-');
            let year = two(year / 100) | two(year) << 16;
            let month = year | dash << 32 | two(month) << 40 | dash << 56;
            *self = Self { day, month, of_month: two(of_month) | u64::from(b'T') << 16 };
        }
        let (seconds, ms) = (ms / 1_000, ms % 1_000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let (colon, point, zulu) = (u64::from(b':'), u64::from(b'.'), u64::from(b'Z'));
        let hour = self.of_month | two(minutes / 60) << 24 | colon << 40 | two(minutes % 60) << 48;
        let tenths = u64::from(b'0') + u64::from(ms / 100);
        let second = colon | two(seconds) << 8 | point << 24 | tenths << 32 | two(ms) << 40 | zulu << 56;
        let mut text = [0; 24];
        for (bytes, word) in text.as_chunks_mut().0.iter_mut().zip([self.month, hour, second]) {
            *bytes = word.to_le_bytes();
        }
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|&byte| f.write_char(byte.into()))
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
    #[error("not an RFC 3339 time such as 2026-01-01T00:00:00Z, nor a date such as 2026-01-01 ({0})")]
    Format(#[from] chrono::ParseError),
    /// Seconds or milliseconds, nobody knows.
    #[error("a bare number may be seconds or milliseconds: give an RFC 3339 time such as 2026-01-01T00:00:00Z")]
    Number,
    /// It could be anybody's time of day.
    #[error("it names no time zone: add Z for UTC, or an offset such as +02:00")]
    Zone,
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

/// Chrono takes years of any length, signs and spaces as well.
fn is_plain(date: &str) -> bool {
    date.len() == "2026-01-01".len() && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

/// Parses an RFC 3339 time, or a date, which is its midnight in UTC, of at most `max_ms` into milliseconds since 1970.
///
/// # Errors
/// If the text is neither, names no time zone, is finer than a millisecond, or lies outside 1970 … `max_ms`.
pub fn parse_time_ms(text: &str, max_ms: i64) -> Result<i64, TimeError> {
    let time = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time,
        Err(error) => match text.parse::<NaiveDate>() {
            Ok(date) if is_plain(text) => date.and_time(NaiveTime::MIN).and_utc().into(),
            _ if text.parse::<NaiveDateTime>().is_ok() => return Err(TimeError::Zone),
            _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => return Err(TimeError::Number),
            _ => return Err(error.into()),
        },
    };
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

    #[test]
    fn a_date_is_its_midnight_in_utc_and_what_could_be_two_times_is_refused() {
        let parse = |text| parse_time_ms(text, LIMIT_MS);
        assert_eq!(parse("2026-01-01"), parse("2026-01-01T00:00:00Z"));
        assert_eq!(parse("2024-02-29"), parse("2024-02-29T02:00:00+02:00"));
        for text in
            ["2026-1-1", "2026-02-30", "+2026-01-01", "26-01-01", "01-01-2026", "2026-01-01Z", " 2026-01-01", ""]
        {
            assert!(matches!(parse(text), Err(TimeError::Format(_))), "{text}");
        }
        assert_eq!(parse("2026-01-01T00:00:00"), Err(TimeError::Zone));
        assert_eq!(parse("1767225600"), Err(TimeError::Number));
        assert_eq!(parse("1969-12-31"), Err(TimeError::Range { max_ms: LIMIT_MS }));
    }

    proptest! {
        /// forall times t of 1970 to 9999: our text is chrono's.
        #[test]
        fn timestamps_read_like_chronos(ms in 0i64..253_402_300_800_000) {
            let expected = DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            prop_assert_eq!(Timestamp(ms).to_string(), expected);
        }
    }
}
