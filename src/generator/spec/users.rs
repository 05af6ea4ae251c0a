//! The pool that users are drawn from.

use std::fmt;
use std::str::FromStr;

use super::{SpecError, parse_scaled};

/// The size of the pool that users are drawn from: 1 to 1,000,000,000.
///
/// Devices, countries and COPPA have their exact shares when it is a multiple of
/// 4,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Users(u64);

impl Users {
    /// The default pool: 100,000.
    pub const DEFAULT: Self = Self(100_000);

    /// A pool of this many users: 1 to 1,000,000,000.
    ///
    /// # Panics
    /// Outside of that range, which a constant shows when it is compiled.
    #[must_use]
    pub const fn new(count: u64) -> Self {
        assert!(count >= 1 && count <= 1_000_000_000, "1 to 1,000,000,000 users");
        Self(count)
    }

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
