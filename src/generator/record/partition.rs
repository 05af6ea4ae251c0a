//! The partition of a key: what Java's default partitioner does, one key at a time or several side by side.
#![expect(clippy::inline_always, reason = "what is not inlined is compiled without the vector instructions")]

use fearless_simd::dispatch;
use fearless_simd::prelude::*;

use crate::generator::ids::TextColumns;
use crate::generator::simd::{self, Column, WIDTH};
use crate::generator::spec::Partitions;

/// The partition of a key: Kafka's murmur2, masked positive, modulo the partition count. It is what Java's default
/// partitioner does with a key, so streams of this program and of Java producers are co-partitioned.
///
/// ```
/// # use mock_data_gen::generator::record::partition;
/// # use mock_data_gen::generator::spec::Partitions;
/// assert_eq!(partition(b"63e8dea2-cc50-59e5-b81c-9da9621276bd", Partitions::new(6)?), 4);
/// # Ok::<(), mock_data_gen::generator::spec::LayoutError>(())
/// ```
#[must_use]
pub fn partition(key: &[u8], partitions: Partitions) -> u32 {
    partition_of_hash(murmur2(key), partitions)
}

/// The partition of a key whose murmur2 is known.
#[inline]
pub(crate) fn partition_of_hash(hash: u32, partitions: Partitions) -> u32 {
    (hash & 0x7fff_ffff) % partitions.count()
}

/// Kafka's seed.
const SEED: u32 = 0x9747_b28c;
/// Murmur2's multiplier.
const M: u32 = 0x5bd1_e995;

/// Murmur2 with Kafka's seed and its reading of the last one to three bytes
/// (`org.apache.kafka.common.utils.Utils.murmur2`).
#[must_use]
pub fn murmur2(bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = SEED ^ bytes.len() as u32;
    for word in words {
        let mut mixed = u32::from_le_bytes(*word).wrapping_mul(M);
        mixed ^= mixed >> 24;
        hash = hash.wrapping_mul(M) ^ mixed.wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0u32, |tail, &byte| tail << 8 | u32::from(byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// [`murmur2`] of [`WIDTH`] keys that are ids, side by side.
pub(crate) fn murmur2_columns(texts: &TextColumns) -> Column {
    let mut hashes = [0; WIDTH];
    dispatch!(simd::level(), simd => in_vectors(simd, texts, &mut hashes));
    hashes
}

#[inline(always)]
fn in_vectors<S: Simd>(simd: S, texts: &TextColumns, hashes: &mut Column) {
    for from in (0..WIDTH).step_by(S::u32s::LEN) {
        let to = from + S::u32s::LEN;
        let mut hash = S::u32s::splat(simd, SEED ^ (4 * texts.len() as u32));
        for column in texts {
            let mixed = S::u32s::from_slice(simd, &column[from..to]) * M;
            hash = (hash * M) ^ ((mixed ^ (mixed >> 24)) * M);
        }
        hash = (hash ^ (hash >> 13)) * M;
        (hash ^ (hash >> 15)).store_slice(&mut hashes[from..to]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::generator::ids::in_rows;

    #[test]
    fn murmur2_gives_the_values_of_kafkas_own_tests() {
        // org.apache.kafka.common.utils.UtilsTest.testMurmur2
        let cases: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (bytes, expected) in cases {
            assert_eq!(murmur2(bytes).cast_signed(), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        /// forall keys of an id's length: hashed side by side they have the hashes that they have one by one.
        #[test]
        fn columns_are_hashed_as_each_key_is(columns: [[u32; WIDTH]; 9]) {
            for level in simd::levels().into_iter().flatten() {
                let mut hashes = [0; WIDTH];
                dispatch!(level, simd => in_vectors(simd, &columns, &mut hashes));
                for (hash, key) in hashes.into_iter().zip(in_rows(&columns)) {
                    prop_assert_eq!(hash, murmur2(&key));
                }
            }
        }
    }
}
