//! The words of a lane, and the integer samplers over them.

use super::chacha::BLOCK;
use crate::generator::simd::Column;

/// The words of a lane, and the integer samplers over them.
pub trait Words {
    /// The word at a position.
    fn word(&self, position: usize) -> u32;

    /// The 64-bit number of the words at `position` (its low half) and `position + 1`.
    fn u64_at(&self, position: usize) -> u64 {
        u64::from(self.word(position)) | u64::from(self.word(position + 1)) << 32
    }

    /// A number below `bound` by multiply-high of one word. Each value's probability is off by less than 2^-32.
    fn uniform_below(&self, position: usize, bound: u32) -> u32 {
        uniform_below(self.word(position), bound)
    }

    /// A number from `min` to `max`, both included, like [`Words::uniform_below`].
    fn uniform_between(&self, position: usize, min: u32, max: u32) -> u32 {
        debug_assert!(min <= max, "{min} > {max}");
        min + self.uniform_below(position, max - min + 1)
    }

    /// A number below `bound` by multiply-high of two words. Each value's probability is off by less than 2^-64.
    fn uniform_below_u64(&self, position: usize, bound: u64) -> u64 {
        let product = u128::from(self.u64_at(position)) * u128::from(bound);
        (product >> 64) as u64
    }

    /// Whether the 64-bit draw at `position` lies below a threshold, such as [`crate::generator::spec::Rate::threshold`].
    fn chance(&self, position: usize, threshold: u128) -> bool {
        u128::from(self.u64_at(position)) < threshold
    }

    /// True in `percent` of 100 cases, off by less than 2^-32.
    fn percent(&self, position: usize, percent: u32) -> bool {
        self.uniform_below(position, 100) < percent
    }

    /// A point on a curve of 257 quantiles: the word's upper 8 bits choose the segment, its lower 24 the place in it.
    fn quantile(&self, position: usize, curve: &[u32; 257]) -> u32 {
        let word = self.word(position);
        let segment = (word >> 24) as usize;
        let (from, to) = (curve[segment], curve[segment + 1]);
        debug_assert!(from <= to, "the curve falls at {segment}");
        from + uniform_below(word << 8, to - from)
    }
}

/// The 64 words of one lane.
#[derive(Debug, Clone)]
pub struct LaneWords(pub(super) [u32; 64]);

impl Words for LaneWords {
    #[inline]
    fn word(&self, position: usize) -> u32 {
        self.0[position]
    }
}

/// A block of words of one lane of several that were drawn in columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ColumnWords<'a> {
    /// By position.
    pub(crate) columns: &'a [Column; BLOCK],
    /// Which lane.
    pub(crate) at: usize,
}

impl Words for ColumnWords<'_> {
    #[inline]
    fn word(&self, position: usize) -> u32 {
        self.columns[position][self.at]
    }
}

/// The upper half of `word * bound`.
pub(super) fn uniform_below(word: u32, bound: u32) -> u32 {
    ((u64::from(word) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_reaches_both_ends_and_never_the_bound() {
        assert_eq!(uniform_below(0, 10), 0);
        assert_eq!(uniform_below(u32::MAX, 10), 9);
        assert_eq!(uniform_below(u32::MAX, u32::MAX), u32::MAX - 1);
        assert_eq!(uniform_below(u32::MAX, 0), 0);
    }

    #[test]
    fn quantiles_run_from_the_first_to_just_below_the_last() {
        let curve: [u32; 257] = std::array::from_fn(|index| index as u32 * 1_000);
        let at = |word| LaneWords([word; 64]).quantile(0, &curve);
        assert_eq!(at(0), 0);
        assert_eq!(at(0x8000_0000), 128_000);
        assert_eq!(at(0x8080_0000), 128_500);
        assert_eq!(at(u32::MAX), 255_999);
    }
}
