//! SHA-1 of one block, and the UUID of its digest as text, for several names at once.
#![expect(clippy::inline_always, reason = "what is not inlined is compiled without the vector instructions")]

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u32x4};

use crate::generator::simd::{Column, WIDTH, rotated};

/// The text of an id: `xxxxxxxx-xxxx-5xxx-yxxx-xxxxxxxxxxxx`.
pub(crate) type IdText = [u8; 36];

/// SHA-1's initial state (FIPS 180-4, section 5.3.1).
pub(super) const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// Words of 4 bytes in the text of a UUID: 36 bytes.
const TEXT_WORDS: usize = 9;

/// The texts of [`WIDTH`] ids, in columns: bytes `4 * w` to `4 * w + 3` of text `n` are the little-endian word `[w][n]`.
pub(crate) type TextColumns = [Column; TEXT_WORDS];

/// The digits of [`WIDTH`] numbers in columns: four big-endian words of digits, the byte 0x80 and zeros each, from the first byte on, and
/// then how many digits there are.
pub(super) type DigitColumns = [Column; 5];

/// Hashes the names that begin with the first `length` bytes of a block of big-endian words and go on with these digits, and gives the
/// UUIDs (version 5) of the digests as text: bytes `4 * w` to `4 * w + 3` of name `n` are the little-endian word `[w][n]`.
pub(super) fn texts_of_digits(level: Level, prefix: &[u32; 16], length: usize, digits: &DigitColumns) -> TextColumns {
    let mut out = [[0; WIDTH]; TEXT_WORDS];
    dispatch!(level, simd => of_digits(simd, prefix, length, digits, &mut out));
    out
}

/// As [`texts_of_digits`], of whole blocks: big-endian word `w` of name `n` is `block[w][n]`.
pub(super) fn texts_of_blocks(level: Level, block: &[Column; 16]) -> TextColumns {
    let mut out = [[0; WIDTH]; TEXT_WORDS];
    dispatch!(level, simd => of_blocks(simd, block, &mut out));
    out
}

/// The texts of columns, one after the other.
pub(super) fn transposed(level: Level, columns: &TextColumns) -> [IdText; WIDTH] {
    let mut rows = [[0; 8]; WIDTH];
    dispatch!(level, simd => in_rows(simd, columns, &mut rows));
    let mut texts = [[0; 36]; WIDTH];
    for at in 0..WIDTH {
        let (words, last) = texts[at].as_chunks_mut::<4>().0.split_at_mut(8);
        for word in 0..8 {
            words[word] = rows[at][word].to_le_bytes();
        }
        last[0] = columns[8][at].to_le_bytes();
    }
    texts
}

#[inline(always)]
fn of_digits<S: Simd>(simd: S, prefix: &[u32; 16], length: usize, digits: &DigitColumns, out: &mut TextColumns) {
    let (first, shift) = (length / 4, 8 * (length % 4) as u32);
    for from in (0..WIDTH).step_by(S::u32s::LEN) {
        let to = from + S::u32s::LEN;
        let mut words = [S::u32s::splat(simd, 0); 16];
        for word in 0..first {
            words[word] = S::u32s::splat(simd, prefix[word]);
        }
        let mut before = S::u32s::splat(simd, prefix[first]);
        for word in 0..4 {
            let column = S::u32s::from_slice(simd, &digits[word][from..to]);
            // A shift by all bits of a word leaves nothing, but not on every processor.
            words[first + word] = before | (column >> shift);
            before = if shift == 0 { S::u32s::splat(simd, 0) } else { column << (32 - shift) };
        }
        let count = S::u32s::from_slice(simd, &digits[4][from..to]);
        words[15] = (count + length as u32) << 3;
        store(simd, words, from, out);
    }
}

#[inline(always)]
fn of_blocks<S: Simd>(simd: S, block: &[Column; 16], out: &mut TextColumns) {
    for from in (0..WIDTH).step_by(S::u32s::LEN) {
        let to = from + S::u32s::LEN;
        let mut words = [S::u32s::splat(simd, 0); 16];
        for word in 0..16 {
            words[word] = S::u32s::from_slice(simd, &block[word][from..to]);
        }
        store(simd, words, from, out);
    }
}

#[inline(always)]
fn store<S: Simd>(simd: S, words: [S::u32s; 16], from: usize, out: &mut TextColumns) {
    let text = hyphenated(simd, compressed(simd, words));
    for word in 0..TEXT_WORDS {
        text[word].store_slice(&mut out[word][from..from + S::u32s::LEN]);
    }
}

/// Transposes the first eight columns: word `w` of text `n` goes to `rows[n][w]`.
#[inline(always)]
fn in_rows<S: Simd>(simd: S, columns: &TextColumns, rows: &mut [[u32; 8]; WIDTH]) {
    for from in (0..WIDTH).step_by(4) {
        for half in [0, 4] {
            let column = |word: usize| u32x4::from_slice(simd, &columns[half + word][from..from + 4]);
            let (a, b, c, d) = (column(0), column(1), column(2), column(3));
            let (ac_low, ac_high) = (a.zip_low(c), a.zip_high(c));
            let (bd_low, bd_high) = (b.zip_low(d), b.zip_high(d));
            ac_low.zip_low(bd_low).store_slice(&mut rows[from][half..half + 4]);
            ac_low.zip_high(bd_low).store_slice(&mut rows[from + 1][half..half + 4]);
            ac_high.zip_low(bd_high).store_slice(&mut rows[from + 2][half..half + 4]);
            ac_high.zip_high(bd_high).store_slice(&mut rows[from + 3][half..half + 4]);
        }
    }
}

/// The first four words of the digest (FIPS 180-4, section 6.1.2).
#[inline(always)]
fn compressed<S: Simd>(simd: S, mut words: [S::u32s; 16]) -> [S::u32s; 4] {
    let mut state = [S::u32s::splat(simd, 0); 5];
    for word in 0..5 {
        state[word] = S::u32s::splat(simd, INITIAL[word]);
    }
    // Each step is written out, so that all words stay in registers.
    macro_rules! steps {
        ($function:ident, $constant:literal: $($step:literal)*) => {
            let constant = S::u32s::splat(simd, $constant);
            $(
                let [a, b, c, d, e] = state;
                let word = scheduled::<S, $step>(&mut words);
                let first = rotated::<S, 5>(a) + $function::<S>(b, c, d) + (e + constant) + word;
                state = [first, a, rotated::<S, 30>(b), c, d];
            )*
        };
    }
    steps!(choice, 0x5a82_7999: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
    steps!(parity, 0x6ed9_eba1: 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
    steps!(majority, 0x8f1b_bcdc: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59);
    steps!(parity, 0xca62_c1d6: 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79);
    let mut digest = [S::u32s::splat(simd, 0); 4];
    for word in 0..4 {
        digest[word] = state[word] + INITIAL[word];
    }
    digest
}

/// Word `STEP` of the message schedule, of which the last 16 are kept.
#[inline(always)]
fn scheduled<S: Simd, const STEP: usize>(words: &mut [S::u32s; 16]) -> S::u32s {
    if STEP >= 16 {
        let mixed = words[(STEP + 13) % 16] ^ words[(STEP + 8) % 16] ^ words[(STEP + 2) % 16] ^ words[STEP % 16];
        words[STEP % 16] = rotated::<S, 1>(mixed);
    }
    words[STEP % 16]
}

#[inline(always)]
fn choice<S: Simd>(b: S::u32s, c: S::u32s, d: S::u32s) -> S::u32s {
    d ^ (b & (c ^ d))
}

#[inline(always)]
fn parity<S: Simd>(b: S::u32s, c: S::u32s, d: S::u32s) -> S::u32s {
    b ^ c ^ d
}

#[inline(always)]
fn majority<S: Simd>(b: S::u32s, c: S::u32s, d: S::u32s) -> S::u32s {
    (b & c) | (d & (b | c))
}

/// The text of the UUID of a digest's first 16 bytes: `xxxxxxxx-xxxx-5xxx-yxxx-xxxxxxxxxxxx`.
#[inline(always)]
fn hyphenated<S: Simd>(simd: S, digest: [S::u32s; 4]) -> [S::u32s; TEXT_WORDS] {
    let [first, second, third, fourth] = digest;
    // RFC 9562, section 5.5: version 5 and the variant of its section 4.1.
    let second = (second & 0xffff_0fff) | 0x5000;
    let third = (third & 0x3fff_ffff) | 0x8000_0000;
    let dash = S::u32s::splat(simd, u32::from(b'-'));
    let (time_mid, version) = (digits::<S>(second >> 16), digits::<S>(second & 0xffff));
    let (variant, node) = (digits::<S>(third >> 16), digits::<S>(third & 0xffff));
    [
        digits::<S>(first >> 16),
        digits::<S>(first & 0xffff),
        dash | (time_mid << 8),
        (time_mid >> 24) | (dash << 8) | (version << 16),
        (version >> 16) | (dash << 16) | (variant << 24),
        (variant >> 8) | (dash << 24),
        node,
        digits::<S>(fourth >> 16),
        digits::<S>(fourth & 0xffff),
    ]
}

/// The four hexadecimal digits of a number of 16 bits, the first one in the lowest byte.
#[inline(always)]
fn digits<S: Simd>(number: S::u32s) -> S::u32s {
    // One digit a byte, the first one lowest: 0xabcd -> 0x0d0c0b0a.
    let bytes = (number >> 8) | ((number & 0xff) << 16);
    let digits = ((bytes >> 4) & 0x000f_000f) | ((bytes & 0x000f_000f) << 8);
    // Six more than a decimal digit reaches 16 and marks a letter, which stands 39 places behind where a digit would.
    let letters = ((digits + 0x0606_0606) >> 4) & 0x0101_0101;
    digits + 0x3030_3030 + ((letters << 5) + (letters << 3) - letters)
}
