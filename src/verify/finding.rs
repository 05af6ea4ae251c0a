//! What a log was found to hold: counts by class, and the first difference.

use serde::Serialize;

use crate::generator::record::Record;
use crate::generator::spec::TopicName;
use crate::generator::stream::Position;
use crate::log::compare::{Divergence, line};
use crate::log::record::{LogRecord, Parts};

/// What a record was found to be, or not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Expected, and nowhere found.
    Missing,
    /// Of this stream, but not of this partition, or not of the window.
    Extra,
    /// There once more.
    Duplicated,
    /// There, but before or after its turn.
    Reordered,
    /// In its place, with other bytes.
    Altered,
    /// Not of this stream.
    Foreign,
}

/// Records by what they were found to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Found.
    pub records: u64,
    /// Expected, found in their place, equal in every byte.
    pub matched: u64,
    /// See [`Class::Missing`].
    pub missing: u64,
    /// See [`Class::Extra`].
    pub extra: u64,
    /// See [`Class::Duplicated`].
    pub duplicated: u64,
    /// See [`Class::Reordered`].
    pub reordered: u64,
    /// See [`Class::Altered`].
    pub altered: u64,
    /// See [`Class::Foreign`].
    pub foreign: u64,
}

impl Counts {
    /// What is not as it should be.
    #[must_use]
    pub fn differences(&self) -> u64 {
        self.missing + self.extra + self.duplicated + self.reordered + self.altered + self.foreign
    }

    pub(super) fn add(&mut self, class: Class) {
        let counter = match class {
            Class::Missing => &mut self.missing,
            Class::Extra => &mut self.extra,
            Class::Duplicated => &mut self.duplicated,
            Class::Reordered => &mut self.reordered,
            Class::Altered => &mut self.altered,
            Class::Foreign => &mut self.foreign,
        };
        *counter += 1;
    }

    /// Adds those of another log.
    pub(super) fn join(&mut self, other: &Self) {
        self.records += other.records;
        self.matched += other.matched;
        self.missing += other.missing;
        self.extra += other.extra;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.altered += other.altered;
        self.foreign += other.foreign;
    }
}

/// The first place where a log departs from its sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What was found there.
    pub class: Class,
    /// The offset, or line, at which something else stands than was expected; none if the log ends there.
    pub offset: Option<i64>,
    /// The offset, or line, before it.
    pub behind: Option<i64>,
    /// What should stand there; none behind the end.
    pub expected: Option<Shown>,
    /// What stands there.
    pub found: Option<Shown>,
    /// Where the two part.
    #[serde(flatten)]
    pub divergence: Option<Divergence>,
    /// Where the found record belongs, and in which partition.
    #[serde(skip)]
    pub(super) belongs: Option<(Position, u32)>,
    /// The expected one's.
    #[serde(skip)]
    pub(super) position: Option<Position>,
}

/// A record to be looked at. Bytes that are no text are replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Its auction, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordinal: Option<u64>,
    /// Its timestamp, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// Its key, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its headers, where it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Option<String>)>,
    /// Its value, or the line; none for a tombstone.
    pub value: Option<String>,
    /// The same as bytes.
    #[serde(skip)]
    pub(super) bytes: Vec<u8>,
}

/// A value is shown up to here.
const SHOWN_BYTES_MAX: usize = 4_096;

impl Shown {
    pub(super) fn expected(record: &Record) -> Self {
        let header = |header: &crate::generator::record::Header| (header.name.to_owned(), Some(header.value.clone()));
        Self {
            ordinal: Some(record.ordinal),
            timestamp: Some(record.timestamp_ms),
            key: Some(text(&record.key)),
            headers: record.headers.iter().map(header).collect(),
            value: record.payload().map(text),
            bytes: record.value.clone(),
        }
    }

    /// The line that should stand in a file.
    pub(super) fn line(record: &Record, topic: &TopicName) -> Self {
        let bytes = line(record, topic);
        Self { value: Some(text(&bytes)), bytes, ..Self::expected(record) }
    }

    pub(super) fn found(record: &LogRecord) -> Self {
        let is_whole = record.parts == Parts::All;
        let header = |(name, value): &(Vec<u8>, Option<Vec<u8>>)| (text(name), value.as_deref().map(text));
        let bytes = record.value.as_deref().unwrap_or_default();
        Self {
            ordinal: None,
            timestamp: is_whole.then_some(record.timestamp_ms),
            key: record.key.as_deref().filter(|_| is_whole).map(text),
            headers: record.headers.iter().map(header).collect(),
            value: record.value.as_deref().map(text),
            bytes: bytes[..bytes.len().min(SHOWN_BYTES_MAX)].to_vec(),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES_MAX)]).into_owned()
}
