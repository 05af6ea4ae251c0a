//! Randomness: ChaCha8 lanes and the integer samplers over their words. The only file that names the RNG crate.
//!
//! A lane is a named random sub-stream of one ordinal: 64 words, one refill of the generator. Each value of an auction is
//! drawn at a fixed word position, used or not, so that a new draw takes new words and never moves another one.
//!
//! The samplers are ours because `rand` may change the values of its distributions in a minor release. They take raw words
//! and use integers only; each says how far it is from exact.

mod alias;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

pub use self::alias::Alias;
use crate::spec::STREAM_VERSION;

/// Lanes of an auction. The table is frozen: a number is never used for something else, and a new concern takes a new one.
///
/// | lane | use |
/// |---|---|
/// | 0 | the funnel: words 0–15 the plan, 16–63 the values |
/// | 1–15 | reserved for the funnel, when words are spent |
/// | 16 | late records |
/// | 17 | exact duplicates |
/// | 18 | conflicting duplicates |
/// | 19 | orphans |
/// | 20 | children on the edge of a bound |
/// | 21 | malformed values |
/// | 22 | invalid documents |
/// | 23 | tombstones |
/// | 24 | the hot user |
/// | 25–47 | reserved for planned faults, one each |
/// | 48–63 | unused |
///
/// In a fault's lane stage `s` (0–3) has the words from `4 * s` on: two for the decision, one for a delay, one for what is done.
pub const FUNNEL_LANE: u64 = 0;
/// See [`FUNNEL_LANE`].
pub const LATE_LANE: u64 = 16;
/// See [`FUNNEL_LANE`].
pub const DUPLICATES_LANE: u64 = 17;
/// See [`FUNNEL_LANE`].
pub const CONFLICTS_LANE: u64 = 18;
/// See [`FUNNEL_LANE`].
pub const ORPHANS_LANE: u64 = 19;
/// See [`FUNNEL_LANE`].
pub const BOUNDARY_LANE: u64 = 20;
/// See [`FUNNEL_LANE`].
pub const MALFORMED_LANE: u64 = 21;
/// See [`FUNNEL_LANE`].
pub const INVALID_LANE: u64 = 22;
/// See [`FUNNEL_LANE`].
pub const TOMBSTONES_LANE: u64 = 23;
/// See [`FUNNEL_LANE`].
pub const HOT_USER_LANE: u64 = 24;

/// Lanes an ordinal has; ChaCha's stream number is `ordinal * LANES + lane`.
pub const LANES: u64 = 64;

/// Ordinals lie below this, so that stream numbers fit 64 bits.
pub const ORDINAL_LIMIT: u64 = 1 << 58;

/// The 64 words of one lane.
#[derive(Debug, Clone)]
pub struct Words([u32; 64]);

impl Words {
    /// The word at a position.
    #[must_use]
    pub fn word(&self, position: usize) -> u32 {
        self.0[position]
    }

    /// The 64-bit number of the words at `position` (its low half) and `position + 1`.
    #[must_use]
    pub fn long(&self, position: usize) -> u64 {
        u64::from(self.0[position]) | u64::from(self.0[position + 1]) << 32
    }

    /// A number below `bound` by multiply-high of one word. Each value's probability is off by less than 2^-32.
    #[must_use]
    pub fn below(&self, position: usize, bound: u32) -> u32 {
        below(self.0[position], bound)
    }

    /// A number from `min` to `max`, both included, like [`Words::below`].
    #[must_use]
    pub fn between(&self, position: usize, min: u32, max: u32) -> u32 {
        debug_assert!(min <= max, "{min} > {max}");
        min + self.below(position, max - min + 1)
    }

    /// A number below `bound` by multiply-high of two words. Each value's probability is off by less than 2^-64.
    #[must_use]
    pub fn below_long(&self, position: usize, bound: u64) -> u64 {
        let product = u128::from(self.long(position)) * u128::from(bound);
        (product >> 64) as u64
    }

    /// Whether the 64-bit draw at `position` lies below a threshold, such as [`crate::spec::Rate::threshold`].
    #[must_use]
    pub fn happens(&self, position: usize, threshold: u128) -> bool {
        u128::from(self.long(position)) < threshold
    }

    /// True in `percent` of 100 cases, off by less than 2^-32.
    #[must_use]
    pub fn percent(&self, position: usize, percent: u32) -> bool {
        self.below(position, 100) < percent
    }

    /// A point on a curve of 257 quantiles: the word's upper 8 bits choose the segment, its lower 24 the place in it.
    #[must_use]
    pub fn quantile(&self, position: usize, curve: &[u32; 257]) -> u32 {
        let word = self.0[position];
        let segment = (word >> 24) as usize;
        let (from, to) = (curve[segment], curve[segment + 1]);
        debug_assert!(from <= to, "the curve falls at {segment}");
        from + below(word << 8, to - from)
    }
}

/// The upper half of `word * bound`.
fn below(word: u32, bound: u32) -> u32 {
    ((u64::from(word) * u64::from(bound)) >> 32) as u32
}

/// A keyed family of lanes: ChaCha8 under one key, which is made of a label, the stream version and the seed.
#[derive(Debug, Clone)]
pub struct Lanes {
    unused: ChaCha8Rng,
}

impl Lanes {
    /// The lanes of a seed under a label: `auction` for auctions, and one label for each pool. The key is
    /// `SHA-256("mock-data-gen:v1:<label>:<seed>")`, so neighbouring seeds share nothing.
    #[must_use]
    pub fn new(label: &str, seed: u64) -> Self {
        let key = Sha256::digest(format!("mock-data-gen:v{STREAM_VERSION}:{label}:{seed}"));
        Self { unused: ChaCha8Rng::from_seed(key.into()) }
    }

    /// A lane of an ordinal.
    #[must_use]
    pub fn lane(&self, ordinal: u64, lane: u64) -> Words {
        debug_assert!(ordinal < ORDINAL_LIMIT && lane < LANES, "no lane {lane} of ordinal {ordinal}");
        self.words(ordinal * LANES + lane)
    }

    /// The words of ChaCha stream number `stream`: a pool member's lane.
    #[must_use]
    pub fn words(&self, stream: u64) -> Words {
        // A clone of a generator that was never read refills once; setting the stream of one in use would refill twice.
        let mut generator = self.unused.clone();
        generator.set_stream(stream);
        let mut bytes = [0; 4 * 64];
        generator.fill_bytes(&mut bytes);
        let mut words = [0; 64];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Words(words)
    }
}

/// The numbers 0 to `length - 1` in an order that only the words of `lanes` decide (Fisher–Yates; 64 words a stream number).
#[must_use]
pub fn shuffled(lanes: &Lanes, length: u16) -> Vec<u16> {
    let mut order: Vec<u16> = (0..length).collect();
    let mut words = lanes.words(0);
    for step in 1..order.len() {
        if step % 64 == 0 {
            words = lanes.words(step as u64 / 64);
        }
        let from = words.below(step % 64, step as u32 + 1) as usize;
        order.swap(step, from);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_chacha8_of_the_published_key() {
        // Computed apart from this code by the reference ChaCha8 in tests/oracles/stream_law.py.
        let words = Lanes::new("auction", 42).lane(7, FUNNEL_LANE);
        let first: Vec<u32> = (0..4).map(|position| words.word(position)).collect();
        assert_eq!(first, PINNED);
    }

    const PINNED: [u32; 4] = [0x2a74_d22c, 0xd3cc_237b, 0x1ac3_537c, 0xae45_400a];

    #[test]
    fn below_reaches_both_ends_and_never_the_bound() {
        assert_eq!(below(0, 10), 0);
        assert_eq!(below(u32::MAX, 10), 9);
        assert_eq!(below(u32::MAX, u32::MAX), u32::MAX - 1);
        assert_eq!(below(u32::MAX, 0), 0);
    }

    #[test]
    fn quantiles_run_from_the_first_to_just_below_the_last() {
        let curve: [u32; 257] = std::array::from_fn(|index| index as u32 * 1_000);
        let at = |word| Words([word; 64]).quantile(0, &curve);
        assert_eq!(at(0), 0);
        assert_eq!(at(0x8000_0000), 128_000);
        assert_eq!(at(0x8080_0000), 128_500);
        assert_eq!(at(u32::MAX), 255_999);
    }

    #[test]
    fn a_shuffle_holds_each_number_once() {
        let mut order = shuffled(&Lanes::new("user", 42), 4_000);
        assert_ne!(order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..4_000));
    }
}
