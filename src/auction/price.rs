//! Floors, bids and clearing prices, in whole cents.

use std::fmt;

use crate::catalog::devices::Size;
use crate::catalog::places::Country;
use crate::catalog::prices::{
    DEAL_PRICE_PERCENT, FLOOR_MAX_CENTS, FLOOR_MEDIAN_MICROS, FLOOR_MIN_CENTS, LOG_NORMAL, MARGIN_MEDIAN_PERCENT,
};
use crate::draw::Words;

const MICROS_PER_CENT: u64 = 10_000;
/// [`LOG_NORMAL`] counts in millionths.
const ONE: u64 = 1_000_000;

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

/// The floor: log-normal, rounded to cents, cut to its range.
pub(super) fn floor_cents(words: &Words, position: usize) -> u64 {
    let shape = u64::from(words.quantile(position, &LOG_NORMAL));
    let cents = (FLOOR_MEDIAN_MICROS * shape + ONE * MICROS_PER_CENT / 2) / (ONE * MICROS_PER_CENT);
    cents.clamp(FLOOR_MIN_CENTS, FLOOR_MAX_CENTS)
}

/// The bid: the floor and a log-normal share of it, times what size, country and deal are worth.
pub(super) fn bid_cents(
    words: &Words,
    position: usize,
    floor_cents: u64,
    size: &Size,
    country: &Country,
    deal: bool,
) -> u64 {
    let shape = u64::from(words.quantile(position, &LOG_NORMAL));
    let deal_percent = if deal { DEAL_PRICE_PERCENT } else { 100 };
    // At most 500 * 60 * 1.4e7 * 160 * 120 * 140 = 1.2e18, which fits.
    let margin = floor_cents
        * MARGIN_MEDIAN_PERCENT
        * shape
        * u64::from(size.price_percent)
        * u64::from(country.price_percent)
        * deal_percent;
    let unit = ONE * 100 * 100 * 100 * 100;
    floor_cents + (margin + unit / 2) / unit
}

/// What the winner pays at second price: a cent more than the second bid, but at least the floor. The second bid, which is
/// not emitted, lies between half the floor and a cent below the price, each cent equally likely.
pub(super) fn second_price_cents(words: &Words, position: usize, floor_cents: u64, price_cents: u64) -> u64 {
    let second = words.between(position, (floor_cents / 2) as u32, (price_cents - 1) as u32);
    floor_cents.max(u64::from(second) + 1)
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
