//! A record as a log holds it.

use crate::generator::fingerprint::Fingerprints;
use crate::generator::record::{Header, Record};
use crate::generator::spec::Stage;

/// A record as a log holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogRecord {
    /// Kafka's offset; in a file the number of its line, from 1.
    pub offset: i64,
    /// What is known of it.
    pub parts: Parts,
    /// Partition.
    pub partition: u32,
    /// Timestamp in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Value, if it has one; of a line that cannot be understood, the line.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<LogHeader>,
}

impl LogRecord {
    /// A record as it stands in a log that took it at an offset.
    #[must_use]
    pub fn of(record: &Record, offset: i64) -> Self {
        let header = |header: &Header| (header.name.as_bytes().to_vec(), Some(header.value.as_bytes().to_vec()));
        Self {
            offset,
            parts: Parts::All,
            partition: record.partition,
            timestamp_ms: record.timestamp_ms,
            key: Some(record.key.clone()),
            value: record.payload().map(<[u8]>::to_vec),
            headers: record.headers.iter().map(header).collect(),
        }
    }

    /// Adds it to the fingerprint of its partition in a stage's topic.
    pub fn add_to(&self, fingerprints: &mut Fingerprints, stage: Stage) {
        let headers = self.headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref()));
        let (key, value) = (self.key.as_deref(), self.value.as_deref());
        fingerprints.add_parts(stage, self.partition, self.timestamp_ms, key, value, headers);
    }
}

/// A header's name and value as a log holds them.
pub type LogHeader = (Vec<u8>, Option<Vec<u8>>);

/// What is known of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// Everything.
    #[default]
    All,
    /// Only its value.
    Value,
    /// Only the line that it stands in, which is none that this program writes.
    Line,
}

/// Puts bytes into a buffer that may hold others, or none.
pub(crate) fn refill(buffer: &mut Option<Vec<u8>>, bytes: Option<&[u8]>) {
    match (buffer.as_mut(), bytes) {
        (Some(buffer), Some(bytes)) => {
            buffer.clear();
            buffer.extend_from_slice(bytes);
        }
        (_, bytes) => *buffer = bytes.map(<[u8]>::to_vec),
    }
}
