//! Randomness: ChaCha8 lanes and the integer samplers over their words. The only file that names the RNG crate.
//!
//! A lane is a named random sub-stream of one ordinal: 64 words, one refill of the generator. Each value of an auction is
//! drawn at a fixed word position, used or not, so that a new draw takes new words and never moves another one.
//!
//! The samplers are ours because `rand` may change the values of its distributions in a minor release. They take raw words
//! and use integers only; each says how far it is from exact.

mod alias;
mod chacha;
mod words;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

pub use self::alias::Alias;
pub(crate) use self::chacha::BLOCK;
pub(crate) use self::words::ColumnWords;
pub use self::words::{LaneWords, Words};
use crate::generator::simd::{self, Column, WIDTH};
use crate::generator::version::STREAM_VERSION;

/// Lanes an ordinal has; ChaCha's stream number is `ordinal * LANES + lane`.
pub const LANES: u64 = 64;

/// Ordinals lie below this, so that stream numbers fit 64 bits.
pub const ORDINAL_LIMIT: u64 = 1 << 58;

/// A keyed family of lanes: ChaCha8 under one key, which is made of a label, the stream version and the seed.
#[derive(Debug, Clone)]
pub struct Lanes {
    unused: ChaCha8Rng,
    key: [u32; 8],
}

impl Lanes {
    /// The lanes of a seed under a label: `auction` for auctions, and one label for each pool. The key is
    /// `SHA-256("mock-data-gen:v1:<label>:<seed>")`, so neighbouring seeds share nothing.
    #[must_use]
    pub fn new(label: &str, seed: u64) -> Self {
        let key = Sha256::digest(format!("mock-data-gen:v{STREAM_VERSION}:{label}:{seed}"));
        let key: [u8; 32] = key.into();
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self { unused: ChaCha8Rng::from_seed(key), key: words }
    }

    /// A lane of an ordinal.
    #[must_use]
    pub fn lane(&self, ordinal: u64, lane: u64) -> LaneWords {
        debug_assert!(ordinal < ORDINAL_LIMIT && lane < LANES, "no lane {lane} of ordinal {ordinal}");
        self.words(ordinal * LANES + lane)
    }

    /// The words of ChaCha stream number `stream`: a pool member's lane.
    #[must_use]
    pub fn words(&self, stream: u64) -> LaneWords {
        // A clone of a generator that was never read refills once; setting the stream of one in use would refill twice.
        let mut generator = self.unused.clone();
        generator.set_stream(stream);
        let mut bytes = [0; 4 * 64];
        generator.fill_bytes(&mut bytes);
        let mut words = [0; 64];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        LaneWords(words)
    }

    /// The words `16 * block` to `16 * block + 15` of each of these ChaCha streams, in columns: the same that [`Lanes::words`] draws.
    pub(crate) fn block(&self, streams: &[u64; WIDTH], block: u32) -> [Column; BLOCK] {
        chacha::blocks(simd::level(), &self.key, streams, block)
    }

    /// As [`Lanes::block`], of one lane of these ordinals.
    pub(crate) fn lane_block(&self, ordinals: &[u64; WIDTH], lane: u64, block: u32) -> [Column; BLOCK] {
        self.block(&ordinals.map(|ordinal| ordinal * LANES + lane), block)
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
        let from = words.uniform_below(step % 64, step as u32 + 1) as usize;
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
        let words = Lanes::new("auction", 42).lane(7, 0);
        let first: Vec<u32> = (0..4).map(|position| words.word(position)).collect();
        assert_eq!(first, PINNED);
    }

    const PINNED: [u32; 4] = [0x2a74_d22c, 0xd3cc_237b, 0x1ac3_537c, 0xae45_400a];

    #[test]
    fn a_shuffle_holds_each_number_once() {
        let mut order = shuffled(&Lanes::new("user", 42), 4_000);
        assert_ne!(order[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..4_000));
    }
}
