//! Amounts of money, in whole cents.

use std::fmt;

pub(super) const MICROS_PER_CENT: u64 = 10_000;

/// Dollars per thousand impressions, always whole cents; shown with exactly two decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    micros: u64,
}

impl Money {
    /// An amount of whole cents.
    #[must_use]
    pub fn from_cents(cents: u64) -> Self {
        Self { micros: cents * MICROS_PER_CENT }
    }

    /// The amount in cents.
    #[must_use]
    pub fn cents(self) -> u64 {
        self.micros / MICROS_PER_CENT
    }

    /// The amount in millionths of a dollar.
    #[must_use]
    pub fn micros(self) -> u64 {
        self.micros
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_shows_exactly_two_decimals() {
        let shown = [0, 1, 50, 100, 235, 12_345].map(|cents| Money::from_cents(cents).to_string());
        assert_eq!(shown, ["0.00", "0.01", "0.50", "1.00", "2.35", "123.45"]);
    }
}
