//! ChaCha8 for several streams at once: the same words as `rand_chacha`, a block of each stream in a column.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use crate::generator::simd::{Column, WIDTH, rotated};

/// Words of a block.
pub(crate) const BLOCK: usize = 16;

/// Quarter rounds of a double round: first the columns of ChaCha's square, then its diagonals (RFC 8439, section 2.3).
const QUARTERS: [[usize; 4]; 8] = [
    [0, 4, 8, 12],
    [1, 5, 9, 13],
    [2, 6, 10, 14],
    [3, 7, 11, 15],
    [0, 5, 10, 15],
    [1, 6, 11, 12],
    [2, 7, 8, 13],
    [3, 4, 9, 14],
];

/// Block number `block` of each of these streams under a key: word `w` of stream `s` is `[w][s]`.
pub(super) fn blocks(level: Level, key: &[u32; 8], streams: &[u64; WIDTH], block: u32) -> [Column; BLOCK] {
    let mut out = [[0; WIDTH]; BLOCK];
    dispatch!(level, simd => in_vectors(simd, key, streams, block, &mut out));
    out
}

#[inline(always)]
fn in_vectors<S: Simd>(simd: S, key: &[u32; 8], streams: &[u64; WIDTH], block: u32, out: &mut [Column; BLOCK]) {
    /// "expand 32-byte k".
    const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];
    let (mut low, mut high) = ([0; WIDTH], [0; WIDTH]);
    for (at, stream) in streams.iter().enumerate() {
        (low[at], high[at]) = (*stream as u32, (*stream >> 32) as u32);
    }
    for from in (0..WIDTH).step_by(S::u32s::LEN) {
        let to = from + S::u32s::LEN;
        let mut initial = [S::u32s::splat(simd, 0); BLOCK];
        for word in 0..4 {
            initial[word] = S::u32s::splat(simd, CONSTANTS[word]);
        }
        for word in 0..8 {
            initial[4 + word] = S::u32s::splat(simd, key[word]);
        }
        // 64 bits count blocks, 64 bits name the stream; no stream of ours has a second half of blocks.
        initial[12] = S::u32s::splat(simd, block);
        initial[14] = S::u32s::from_slice(simd, &low[from..to]);
        initial[15] = S::u32s::from_slice(simd, &high[from..to]);
        let mut state = initial;
        for _ in 0..4 {
            for [a, b, c, d] in QUARTERS {
                state[a] += state[b];
                state[d] = rotated::<S, 16>(state[d] ^ state[a]);
                state[c] += state[d];
                state[b] = rotated::<S, 12>(state[b] ^ state[c]);
                state[a] += state[b];
                state[d] = rotated::<S, 8>(state[d] ^ state[a]);
                state[c] += state[d];
                state[b] = rotated::<S, 7>(state[b] ^ state[c]);
            }
        }
        for word in 0..BLOCK {
            (state[word] + initial[word]).store_slice(&mut out[word][from..to]);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::generator::random::Lanes;
    use crate::generator::simd;

    proptest! {
        /// forall seeds, streams, blocks, and instructions of this processor: the words are those of `rand_chacha`.
        #[test]
        fn each_column_is_a_stream_of_its_own(seed: u64, streams: [u64; simd::WIDTH], block in 0..4usize) {
            let lanes = Lanes::new("auction", seed);
            for level in simd::levels().into_iter().flatten() {
                let out = super::blocks(level, &lanes.key, &streams, block as u32);
                for (at, stream) in streams.iter().enumerate() {
                    let words = lanes.words(*stream);
                    let expected: [u32; super::BLOCK] =
                        std::array::from_fn(|word| super::super::Words::word(&words, super::BLOCK * block + word));
                    prop_assert_eq!(out.map(|column| column[at]), expected);
                }
            }
        }
    }
}
