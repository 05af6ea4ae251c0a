//! One record as one line of JSON: `{"topic","partition","key","timestamp","headers","value"}`.
//!
//! The value is the record's own bytes, embedded. Bytes that are no JSON stand in Base64 as `value_base64` instead, and a record
//! without a value has `null`. Headers are left out where there are none.

use std::io::{self, Write};

use base64::prelude::{BASE64_STANDARD, Engine};

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
