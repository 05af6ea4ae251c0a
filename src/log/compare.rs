//! A found record against an expected one: equal, where they part, or whether one was made of the other.

use serde::Serialize;

use super::record::{LogRecord, Parts};
use crate::generator::record::{Header, Record, envelope};
use crate::generator::spec::TopicName;

/// Where two records part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// The first part that differs: partition, timestamp, key, header or headers, value, line.
    pub part: &'static str,
    /// The first byte of the part that differs, from 0; not for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<usize>,
}

/// Whether a record is the expected one, in every part that is known.
pub(crate) fn is_same(found: &LogRecord, expected: &Record) -> bool {
    let value = found.value.as_deref() == expected.payload();
    match found.parts {
        Parts::All => {
            value
                && found.timestamp_ms == expected.timestamp_ms
                && found.partition == expected.partition
                && found.key.as_deref() == Some(expected.key.as_slice())
                && headers_byte(found, expected).is_none()
        }
        Parts::Value => value,
        Parts::Line => false,
    }
}

/// Where a record parts from the expected one; `None` if it does not.
pub(crate) fn divergence(found: &LogRecord, expected: &Record, topic: &TopicName) -> Option<Divergence> {
    let at = |part, byte| Some(Divergence { part, byte });
    let bytes = |part, found: &Option<Vec<u8>>, expected: Option<&[u8]>| {
        let byte = first_difference(found.as_deref(), expected)?;
        at(part, Some(byte))
    };
    match found.parts {
        Parts::All if found.partition != expected.partition => at("partition", None),
        Parts::All if found.timestamp_ms != expected.timestamp_ms => at("timestamp", None),
        Parts::All => bytes("key", &found.key, Some(&expected.key))
            .or_else(|| headers_byte(found, expected).map(|(part, byte)| Divergence { part, byte }))
            .or_else(|| bytes("value", &found.value, expected.payload())),
        Parts::Value => bytes("value", &found.value, expected.payload()),
        Parts::Line => bytes("line", &found.value, Some(&line(expected, topic))),
    }
}

/// Whether a record that was read is, byte for byte, the expected one: otherwise the part that differs.
#[cfg(feature = "kafka")]
pub(crate) fn altered_part(found: &LogRecord, expected: &Record) -> Option<&'static str> {
    if found.timestamp_ms != expected.timestamp_ms {
        Some("time")
    } else if found.key.as_deref() != Some(expected.key.as_slice()) {
        Some("key")
    } else if found.value.as_deref() != expected.payload() {
        Some("value")
    } else if headers_byte(found, expected).is_some() {
        Some("set of headers")
    } else {
        None
    }
}

/// Whether a record that says nothing of itself that is true looks like the expected one, damaged: where half of the shorter one
/// is common beginning and end.
pub(crate) fn resembles(found: &LogRecord, expected: &Record, topic: &TopicName) -> bool {
    let whole;
    let expected = match found.parts {
        Parts::All | Parts::Value => expected.value.as_slice(),
        Parts::Line => {
            whole = line(expected, topic);
            &whole
        }
    };
    let found = found.value.as_deref().unwrap_or_default();
    let shorter = found.len().min(expected.len());
    let beginning = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    let rest = shorter - beginning;
    let end = found.iter().rev().zip(expected.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    2 * (beginning + end) >= shorter
}

/// The line of an envelope, without its end.
pub(crate) fn line(expected: &Record, topic: &TopicName) -> Vec<u8> {
    let mut line = Vec::new();
    // Writing to memory cannot fail.
    let _ = envelope::write(&mut line, topic, expected);
    line.pop();
    line
}

/// The first byte in which two texts differ. One that is not there differs from all others at once.
fn first_difference(found: Option<&[u8]>, expected: Option<&[u8]>) -> Option<usize> {
    match (found, expected) {
        (None, None) => None,
        (None, _) | (_, None) => Some(0),
        (Some(found), Some(expected)) => {
            let common = found.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
            (common < found.len().max(expected.len())).then_some(common)
        }
    }
}

/// Where headers part: in one's name or value, or in their number.
fn headers_byte(found: &LogRecord, expected: &Record) -> Option<(&'static str, Option<usize>)> {
    let mut pairs = found.headers.iter().zip(&expected.headers);
    let differs = |((name, value), header): (&(Vec<u8>, Option<Vec<u8>>), &Header)| {
        first_difference(Some(name), Some(header.name.as_bytes()))
            .or_else(|| first_difference(value.as_deref(), Some(header.value.as_bytes())))
    };
    let byte = pairs.find_map(differs);
    if byte.is_some() {
        return Some(("header", byte));
    }
    (found.headers.len() != expected.headers.len()).then_some(("headers", None))
}
