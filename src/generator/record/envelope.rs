//! One record as one line of JSON, written and read back: `{"topic","partition","key","timestamp","headers","value"}`.
//!
//! The value is the record's own bytes, embedded. Bytes that are no JSON stand in Base64 as `value_base64` instead, and a record
//! without a value has `null`. Headers are left out where there are none.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Record;
use crate::generator::auction::CopyKind;
use crate::generator::spec::TopicName;

/// Writes the line, newline included. Topic, key and headers need no escaping: names are `[A-Za-z0-9._-]`, ids are hex and
/// dashes, header values are hex, digits or stage names.
///
/// # Errors
/// If `out` cannot be written.
pub fn write(out: &mut impl Write, topic: &TopicName, record: &Record) -> io::Result<()> {
    write!(out, r#"{{"topic":"{topic}","partition":{},"key":""#, record.partition)?;
    out.write_all(&record.key)?;
    write!(out, r#"","timestamp":{}"#, record.timestamp_ms)?;
    for (index, header) in record.headers.iter().enumerate() {
        let open = if index == 0 { r#","headers":{"# } else { "," };
        write!(out, r#"{open}"{}":"{}""#, header.name, header.value)?;
    }
    if !record.headers.is_empty() {
        out.write_all(b"}")?;
    }
    match (record.payload(), CopyKind::of(record.copy)) {
        (None, _) => out.write_all(br#","value":null"#)?,
        (Some(value), Some(CopyKind::Malformed)) => {
            write!(out, r#","value_base64":"{}""#, BASE64_STANDARD.encode(value))?;
        }
        (Some(value), _) => {
            out.write_all(br#","value":"#)?;
            out.write_all(value)?;
        }
    }
    out.write_all(b"}\n")
}

/// A line taken apart, its value aside.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope<'a> {
    topic: String,
    /// The partition.
    pub partition: u32,
    /// The key, if it has one.
    pub key: Option<String>,
    /// The timestamp in milliseconds since 1970.
    pub timestamp: i64,
    #[serde(default)]
    /// The headers.
    pub headers: Headers,
    /// A tombstone's is null.
    #[serde(borrow, default, deserialize_with = "given")]
    value: Option<&'a RawValue>,
    /// Of bytes that are no JSON, in its place.
    #[serde(borrow, default)]
    value_base64: Option<Cow<'a, str>>,
}

/// What is given, even if it is null.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl Envelope<'_> {
    /// The value's bytes, if it has one; an error if it is not told in exactly one form.
    fn payload(&self) -> Result<Option<Vec<u8>>, ()> {
        match (self.value.map(RawValue::get), &self.value_base64) {
            (Some("null"), None) => Ok(None),
            (Some(value), None) => Ok(Some(value.as_bytes().to_vec())),
            (None, Some(base64)) => BASE64_STANDARD.decode(base64.as_bytes()).map(Some).map_err(drop),
            _ => Err(()),
        }
    }
}

/// The envelope that a line of a topic's file is, and its payload.
#[must_use]
pub fn read<'a>(topic: &str, line: &'a [u8]) -> Option<(Envelope<'a>, Option<Vec<u8>>)> {
    let envelope: Envelope<'a> = serde_json::from_slice(line).ok()?;
    let payload = envelope.payload().ok()?;
    (envelope.topic == topic).then_some((envelope, payload))
}

/// An object's members in their order.
#[derive(Debug, Default)]
pub struct Headers(pub Vec<(String, Option<String>)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(member) = map.next_entry()? {
                    headers.push(member);
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
