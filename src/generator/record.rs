//! The record law: topic, key, partition, timestamp, headers and value of every event.

pub mod envelope;

use crate::generator::auction::CopyKind;
use crate::generator::ids::Kind;
use crate::generator::spec::{KeyBy, Partitions, Stage};

/// One record of the stream.
///
/// Its topic is the layout's topic of its stage. Buffers are reused when a record is filled again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position of its auction in the stream.
    pub ordinal: u64,
    /// Stage, which decides the topic.
    pub stage: Stage,
    /// Which copy of its event it is: the number of its [`CopyKind`]; 0 but for planned faults.
    pub copy: u32,
    /// When it is due on the virtual timeline, in milliseconds since 1970.
    pub emit_ms: i64,
    /// The topic's partition: [`partition`] of the key.
    pub partition: u32,
    /// The id that it is keyed by, as text.
    pub key: Vec<u8>,
    /// Kafka's `CreateTime`: the event time in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Headers in order; none unless the spec asks for them.
    pub headers: Vec<Header>,
    /// The payload; empty in a tombstone.
    pub value: Vec<u8>,
    /// Whether it has no value, which is not the same as an empty one.
    pub is_tombstone: bool,
}

impl Record {
    /// The payload, if it has one.
    #[must_use]
    pub fn payload(&self) -> Option<&[u8]> {
        (!self.is_tombstone).then_some(&self.value)
    }
}

impl Default for Record {
    /// An empty record, to be filled.
    fn default() -> Self {
        Self {
            ordinal: 0,
            stage: Stage::Request,
            copy: 0,
            emit_ms: 0,
            partition: 0,
            key: Vec::new(),
            timestamp_ms: 0,
            headers: Vec::new(),
            value: Vec::new(),
            is_tombstone: false,
        }
    }
}

/// A record header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name.
    pub name: &'static str,
    /// Value: text.
    pub value: String,
}

/// Names of the headers, in order: stream id, ordinal, stage, copy.
pub const HEADER_NAMES: [&str; 4] = ["mdg-stream-id", "mdg-ordinal", "mdg-stage", "mdg-copy"];

/// The kind and the number of the id that a record is keyed by. Extra records have a key of their own, whatever the others are keyed by:
/// it must not be taken for that of an event.
pub(crate) fn key_name(
    key_by: KeyBy,
    stage: Stage,
    form: CopyKind,
    ordinal: u64,
    user: impl FnOnce() -> u64,
) -> (Kind, u64) {
    let extra = || 4 * ordinal + stage as u64;
    match (form, key_by) {
        (CopyKind::Malformed, _) => (Kind::Malformed, extra()),
        (CopyKind::Invalid, _) => (Kind::Invalid, extra()),
        (CopyKind::Tombstone, _) => (Kind::Tombstone, extra()),
        (_, KeyBy::Id) => (own_kind(stage), ordinal),
        (_, KeyBy::Request) => (Kind::BidRequest, ordinal),
        (_, KeyBy::User) => (Kind::User, user()),
    }
}

/// The kind of a stage's own id: `request_id`, `response_id`, `impression_id`, `click_id`. Its number is the ordinal.
#[must_use]
pub fn own_kind(stage: Stage) -> Kind {
    match stage {
        Stage::Request => Kind::BidRequest,
        Stage::Response => Kind::BidResponse,
        Stage::Impression => Kind::Impression,
        Stage::Click => Kind::Click,
    }
}

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
    (murmur2(key) & 0x7fff_ffff) % partitions.count()
}

/// Murmur2 with Kafka's seed and its reading of the last one to three bytes
/// (`org.apache.kafka.common.utils.Utils.murmur2`).
#[must_use]
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
