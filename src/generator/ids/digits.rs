//! Numbers as the names of ids hold them: decimal digits, laid out for hashing.

use super::sha1::DigitColumns;
use crate::generator::simd::WIDTH;

/// Digits that fit, with the byte that ends them and up to three bytes of the kind before them, into four words.
const SHORT_DIGITS: u32 = 12;

/// A number as an id's name holds it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digits {
    /// The digits, the byte 0x80 and zeros, from the first byte on; not used where there are more than [`SHORT_DIGITS`].
    text: u128,
    number: u64,
    count: u32,
}

impl Digits {
    #[inline]
    pub(crate) fn new(number: u64) -> Self {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let count = digits.len() as u32;
        let text = if count > SHORT_DIGITS {
            0
        } else {
            let text = digits.iter().fold(0, |text: u128, digit| text << 8 | u128::from(*digit));
            (text << 8 | 0x80) << (8 * (15 - count))
        };
        Self { text, number, count }
    }
}

/// The digits of up to [`WIDTH`] numbers, side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DigitBatch {
    pub(super) columns: DigitColumns,
    pub(super) numbers: [u64; WIDTH],
    /// Whether a number has more digits than columns hold.
    pub(super) is_long: bool,
}

impl DigitBatch {
    /// The digits of these numbers; in the places that are left stands nothing of use.
    #[inline]
    pub(crate) fn new(digits: impl Iterator<Item = Digits>) -> Self {
        let mut batch = Self { columns: [[0; WIDTH]; 5], numbers: [0; WIDTH], is_long: false };
        for (at, digits) in (0..WIDTH).zip(digits) {
            batch.columns[0][at] = (digits.text >> 96) as u32;
            batch.columns[1][at] = (digits.text >> 64) as u32;
            batch.columns[2][at] = (digits.text >> 32) as u32;
            batch.columns[3][at] = digits.text as u32;
            batch.columns[4][at] = digits.count;
            batch.numbers[at] = digits.number;
            batch.is_long |= digits.count > SHORT_DIGITS;
        }
        batch
    }
}
