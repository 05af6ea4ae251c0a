//! How often something happens: the share of events, and auctions a second.

use std::fmt;
use std::str::FromStr;

use super::{SpecError, parse_decimal, parse_scaled, write_decimal};

/// The share of the events that reach the next stage, or that a fault meets: an exact decimal from 0 to 1 with at most nine
/// decimals. Default: never.
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

    /// A whole percentage: 0 to 100.
    ///
    /// ```
    /// use mock_data_gen::Rate;
    ///
    /// assert_eq!(Ok(Rate::from_percent(15)), "0.15".parse());
    /// ```
    ///
    /// # Panics
    /// Above 100, which a constant shows when it is compiled.
    #[must_use]
    pub const fn from_percent(percent: u32) -> Self {
        Self::from_billionths(percent as u64 * 10_000_000)
    }

    /// A rate in units of 1e-9: 0 to 10^9.
    ///
    /// # Panics
    /// Above 10^9, which a constant shows when it is compiled.
    #[must_use]
    pub const fn from_billionths(billionths: u64) -> Self {
        assert!(billionths <= 1_000_000_000, "a rate is at most 1");
        Self { billionths }
    }

    /// `floor(rate * 2^64)`: a stage happens if a 64-bit draw lies below it, so rate 1 is always and rate 0 never.
    #[must_use]
    pub fn threshold(self) -> u128 {
        (u128::from(self.billionths) << 64) / 1_000_000_000
    }

    /// The rate in units of 1e-9: 0 to 10^9.
    #[must_use]
    pub const fn billionths(self) -> u64 {
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
            _ => Err(SpecError::Share),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.billionths, 9)
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

    /// A whole number of auctions a second: 1 to 1,000,000.
    ///
    /// # Panics
    /// Outside of that range, which a constant shows when it is compiled.
    #[must_use]
    pub const fn new(auctions: u32) -> Self {
        Self::from_micros(auctions as u64 * 1_000_000)
    }

    /// A rate in millionths of an auction a second: 1,000 to 10^12.
    ///
    /// # Panics
    /// Outside of that range, which a constant shows when it is compiled.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        assert!(micros >= 1_000 && micros <= 1_000_000_000_000, "0.001 to 1000000 auctions a second");
        Self { micros }
    }

    /// The rate in millionths of an auction a second: 1,000 to 10^12.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.micros
    }
}

impl FromStr for EventsPerSecond {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match parse_scaled(text, 6)? {
            Some(micros @ 1_000..=1_000_000_000_000) => Ok(Self { micros }),
            _ => Err(SpecError::Range { min: "0.001", max: "1000000" }),
        }
    }
}

impl fmt::Display for EventsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.micros, 6)
    }
}
