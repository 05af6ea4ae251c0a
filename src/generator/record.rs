//! The record law: topic, key, partition, timestamp, headers and value of every event.

pub mod envelope;

mod partition;

pub use self::partition::{murmur2, partition};
pub(crate) use self::partition::{murmur2_columns, partition_of_hash};
use crate::generator::auction::CopyKind;
use crate::generator::ids::Kind;
use crate::generator::spec::{KeyBy, Stage};

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
    /// The topic's partition: [`partition`](fn@partition) of the key.
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

/// The kind of the id that stands in a document as its record's key: an extra record has its own id in the place of the event's.
pub(crate) fn known_kind(key_by: KeyBy, stage: Stage, form: CopyKind) -> Kind {
    if form.is_event() { key_name(key_by, stage, form, 0, || 0).0 } else { own_kind(stage) }
}
