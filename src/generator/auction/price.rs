//! Floors, bids and clearing prices, in whole cents.

use crate::generator::catalog::devices::Size;
use crate::generator::catalog::places::Country;
use crate::generator::catalog::prices::{
    DEAL_PRICE_PERCENT, FLOOR_MAX_CENTS, FLOOR_MEDIAN_MICROS, FLOOR_MIN_CENTS, LOG_NORMAL, MARGIN_MEDIAN_PERCENT,
};
use crate::generator::money::MICROS_PER_CENT;
use crate::generator::random::Words;

/// [`LOG_NORMAL`] counts in millionths.
const ONE: u64 = 1_000_000;

/// The floor: log-normal, rounded to cents, cut to its range.
pub(super) fn floor_cents(words: &impl Words, position: usize) -> u64 {
    let shape = u64::from(words.quantile(position, &LOG_NORMAL));
    let cents = (FLOOR_MEDIAN_MICROS * shape + ONE * MICROS_PER_CENT / 2) / (ONE * MICROS_PER_CENT);
    cents.clamp(FLOOR_MIN_CENTS, FLOOR_MAX_CENTS)
}

/// The bid: the floor and a log-normal share of it, times what size, country and deal are worth.
pub(super) fn bid_cents(
    words: &impl Words,
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
pub(super) fn second_price_cents(words: &impl Words, position: usize, floor_cents: u64, price_cents: u64) -> u64 {
    let second = words.uniform_between(position, (floor_cents / 2) as u32, (price_cents - 1) as u32);
    floor_cents.max(u64::from(second) + 1)
}
