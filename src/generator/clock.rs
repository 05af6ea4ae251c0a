//! The virtual clock: ordinal to time and time to ordinal, in integers, both in constant time.
//!
//! Auction `n` owns a slot of virtual time and arrives somewhere in it. With the rate `num / den` auctions a second in lowest
//! terms and `c = 10^6 * den`, slot `n` begins `s(n) = ceil(n * c / num)` microseconds after the epoch, and the slot of a time
//! `t` is `floor(t * num / c)`.

use crate::generator::random::ORDINAL_LIMIT;
use crate::generator::spec::StreamSpec;
use crate::generator::timestamp::LIMIT_MS;

/// The clock of one stream.
#[derive(Debug, Clone)]
pub struct Clock {
    epoch_us: i64,
    num: u64,
    c: u64,
    auctions: u64,
}

impl Clock {
    /// The clock of a spec.
    #[must_use]
    pub fn new(spec: &StreamSpec) -> Self {
        let micros = spec.events_per_second.micros();
        let divisor = gcd(micros, 1_000_000);
        let (num, c) = (micros / divisor, 1_000_000 * (1_000_000 / divisor));
        let room_us = (LIMIT_MS - spec.epoch.ms()).unsigned_abs() * 1_000;
        let mut clock = Self { epoch_us: spec.epoch.ms() * 1_000, num, c, auctions: 0 };
        // Whole slots before the limit: slot n ends at s(n + 1).
        clock.auctions = clock.slot(room_us).min(ORDINAL_LIMIT);
        clock
    }

    /// How many auctions the stream has: ordinals run from 0 to this minus 1. At least 3.
    #[must_use]
    pub fn auctions(&self) -> u64 {
        self.auctions
    }

    /// Arrival of auction `ordinal`, in microseconds since 1970: the beginning of its slot plus `jitter / 2^32` of the slot.
    /// Strictly increasing in the ordinal.
    #[must_use]
    pub fn arrival_us(&self, ordinal: u64, jitter: u32) -> i64 {
        debug_assert!(ordinal < self.auctions, "no auction {ordinal}");
        let start = self.slot_start_us(ordinal);
        let length = self.slot_start_us(ordinal + 1) - start;
        let offset = (u128::from(jitter) * u128::from(length)) >> 32;
        self.epoch_us + start as i64 + offset as i64
    }

    /// The ordinal whose slot holds a time in microseconds since 1970; `None` before the epoch. It may lie behind the last
    /// auction.
    #[must_use]
    pub fn ordinal_at_us(&self, time_us: i64) -> Option<u64> {
        let since_epoch = u64::try_from(time_us.checked_sub(self.epoch_us)?).ok()?;
        Some(self.slot(since_epoch))
    }

    /// `s(n)`: microseconds from the epoch to the beginning of slot `n`.
    fn slot_start_us(&self, n: u64) -> u64 {
        let start = (u128::from(n) * u128::from(self.c)).div_ceil(u128::from(self.num));
        start as u64
    }

    /// `floor(t * num / c)`.
    fn slot(&self, since_epoch_us: u64) -> u64 {
        let slot = u128::from(since_epoch_us) * u128::from(self.num) / u128::from(self.c);
        slot as u64
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clock(rate: &str, epoch: &str) -> Clock {
        Clock::new(&StreamSpec {
            events_per_second: rate.parse().unwrap(),
            epoch: epoch.parse().unwrap(),
            ..StreamSpec::default()
        })
    }

    #[test]
    fn ten_a_second_gives_each_auction_a_tenth_of_a_second() {
        let clock = clock("10", "1970-01-01T00:00:01Z");
        assert_eq!(clock.arrival_us(0, 0), 1_000_000);
        assert_eq!(clock.arrival_us(0, u32::MAX), 1_099_999);
        assert_eq!(clock.arrival_us(25, 1 << 31), 3_550_000);
        assert_eq!(clock.ordinal_at_us(3_599_999), Some(25));
        assert_eq!(clock.ordinal_at_us(3_600_000), Some(26));
        assert_eq!(clock.ordinal_at_us(999_999), None);
    }

    #[test]
    fn the_last_auction_of_the_extreme_streams_arrives_before_the_limit() {
        for rate in ["0.001", "1000000", "999999.999999", "0.001001", "3.333333"] {
            for epoch in ["1970-01-01T00:00:00.001Z", "2026-01-01T00:00:00Z", "9999-12-31T22:00:00Z"] {
                let clock = clock(rate, epoch);
                let last = clock.auctions() - 1;
                assert!(clock.auctions() >= 3 && last < ORDINAL_LIMIT, "{rate} {epoch}");
                let arrival = clock.arrival_us(last, u32::MAX);
                assert!(arrival < LIMIT_MS * 1_000, "{rate} {epoch}");
                assert_eq!(clock.ordinal_at_us(arrival), Some(last), "{rate} {epoch}");
                // One slot more would not end in time.
                assert!(clock.slot_start_us(last + 2) as i64 + clock.epoch_us > LIMIT_MS * 1_000, "{rate} {epoch}");
            }
        }
    }

    proptest! {
        /// forall rate r, ordinal n of the stream, jitter j: slot(arrival(n, j)) = n, and n + 1 arrives later.
        #[test]
        fn time_and_ordinal_are_inverse(
            micros in prop_oneof![1_000u64..=1_000_000_000_000, 1_000u64..=100_000_000],
            share in 0u64..=u64::MAX,
            jitter: u32,
            next_jitter: u32,
        ) {
            let rate = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            let clock = clock(&rate, "2026-01-01T00:00:00Z");
            let ordinal = ((u128::from(share) * u128::from(clock.auctions() - 1)) >> 64) as u64;
            for n in [ordinal, clock.auctions() - 2] {
                let arrival = clock.arrival_us(n, jitter);
                prop_assert_eq!(clock.ordinal_at_us(arrival), Some(n));
                prop_assert!(arrival < clock.arrival_us(n + 1, next_jitter));
            }
        }
    }
}
