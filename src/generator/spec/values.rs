//! The values of a spec's fields: each type holds legal values only, and has one text.

use std::fmt;
use std::str::FromStr;

use super::{SpecError, parse_decimal, parse_scaled, write_decimal};
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

/// Auctions a second of virtual time: an exact decimal from 0.001 to 1,000,000 with at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventsPerSecond {
    micros: u64,
}

impl EventsPerSecond {
    /// The product document's: 10.
    pub const DEFAULT: Self = Self { micros: 10_000_000 };

    /// The rate in millionths of an auction a second: 1,000 to 10^12.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.micros
    }
}

impl FromStr for EventsPerSecond {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let range = SpecError::Range { min: "0.001", max: "1000000" };
        match parse_scaled(text, 6)? {
            Some(micros @ 1_000..=1_000_000_000_000) => Ok(Self { micros }),
            _ => Err(range),
        }
    }
}

impl fmt::Display for EventsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.micros, 6)
    }
}

/// The share of events that reach the next stage, or that a fault meets: an exact decimal from 0 to 1 with at most nine decimals. Default: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    billionths: u64,
}

impl Rate {
    /// Never.
    pub const NEVER: Self = Self { billionths: 0 };
    /// Always.
    pub const ALWAYS: Self = Self { billionths: 1_000_000_000 };
    /// The product document's share of requests that get a response.
    pub const BID_RESPONSE: Self = Self { billionths: 600_000_000 };
    /// The product document's share of responses that win.
    pub const WIN: Self = Self { billionths: 150_000_000 };
    /// The product document's share of impressions that are clicked.
    pub const CLICK: Self = Self { billionths: 20_000_000 };

    /// `floor(rate * 2^64)`: a stage happens if a 64-bit draw lies below it, so rate 1 is always and rate 0 never.
    #[must_use]
    pub fn threshold(self) -> u128 {
        (u128::from(self.billionths) << 64) / 1_000_000_000
    }

    /// The rate in units of 1e-9: 0 to 10^9.
    #[must_use]
    pub fn billionths(self) -> u64 {
        self.billionths
    }
}

impl FromStr for Rate {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let billionths = match text.strip_suffix('%') {
            Some(percent) => parse_decimal(percent, 7)?,
            None => parse_decimal(text, 9)?,
        };
        match billionths {
            Some(billionths @ 0..=1_000_000_000) => Ok(Self { billionths }),
            _ => Err(SpecError::Range { min: "0", max: "1, or a percentage such as 15%" }),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.billionths, 9)
    }
}

/// Size of the user pool, 1 to 1,000,000,000. Devices, countries and COPPA have their exact shares when it is a multiple of
/// 4,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users(u64);

impl Users {
    /// The default pool: 100,000.
    pub const DEFAULT: Self = Self(100_000);

    /// The number of users.
    #[must_use]
    pub fn count(self) -> u64 {
        self.0
    }
}

impl FromStr for Users {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match parse_scaled(text, 0) {
            Ok(Some(count @ 1..=1_000_000_000)) => Ok(Self(count)),
            _ => Err(SpecError::Whole { min: "1", max: "1000000000" }),
        }
    }
}

impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

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

/// What the records of a funnel are keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyBy {
    /// Each record by its own id, as in the product document: `request_id`, `response_id`, `impression_id`, `click_id`.
    Id,
    /// All four by `request_id`: topics with equal partition counts are co-partitioned, so they join without repartitioning.
    Request,
    /// All four by the id of the auction's user, `user.id` of the request: a busy user makes a busy partition.
    User,
}

impl FromStr for KeyBy {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "id" => Ok(Self::Id),
            "request" => Ok(Self::Request),
            "user" => Ok(Self::User),
            _ => Err(SpecError::Word("id, request, user")),
        }
    }
}

impl fmt::Display for KeyBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Id => "id",
            Self::Request => "request",
            Self::User => "user",
        })
    }
}
