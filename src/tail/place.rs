//! Placing one record of a log in the stream.

use super::error::Misfit;
use super::log::LogRecord;
use crate::record::{HEADER_NAMES, Record};
use crate::spec::Stage;
use crate::stream::{Position, Stream};

/// The position of a record that was read from a partition of a stage's topic, if it is, byte for byte, the stream's record there.
pub(super) fn place(stream: &Stream, stage: Stage, partition: u32, found: &LogRecord<'_>) -> Result<Position, Misfit> {
    let position = find(stream, stage, found).ok_or_else(|| foreign(found))?;
    let expected = stream.partition(position);
    if expected != partition {
        let partitions = stream.layout().topic(stage).partitions.count();
        return Err(Misfit::Elsewhere { found: position.into(), expected, partitions });
    }
    let mut record = Record::default();
    stream.fill(position, &mut record);
    match differing_part(&record, found) {
        None => Ok(position),
        Some(part) => Err(Misfit::Altered { found: position.into(), part }),
    }
}

/// Where the stream has a record with this time and key. Headers, where the stream has them, name the ordinal; without them the
/// auctions around the time are searched.
pub(super) fn find(stream: &Stream, stage: Stage, found: &LogRecord<'_>) -> Option<Position> {
    let key = found.key?;
    let by_headers = || {
        let (_, value) = found.headers.iter().find(|(name, _)| *name == HEADER_NAMES[1].as_bytes())?;
        let ordinal: u64 = str::from_utf8((*value)?).ok()?.parse().ok()?;
        let position = stream.position(stage, ordinal)?;
        (position.emit_ms == found.timestamp_ms && stream.key(stage, ordinal) == key).then_some(position)
    };
    if stream.auctions().spec().headers
        && let Some(position) = by_headers()
    {
        return Some(position);
    }
    stream.locate(stage, found.timestamp_ms, key)
}

pub(super) fn foreign(found: &LogRecord<'_>) -> Misfit {
    let key =
        found.key.map_or_else(|| "null".to_owned(), |key| format!("`{}`", String::from_utf8_lossy(key).escape_debug()));
    Misfit::Foreign { key, timestamp_ms: found.timestamp_ms }
}

/// Whether a record is, byte for byte, what was read: otherwise the part that differs.
pub(super) fn differing_part(record: &Record, found: &LogRecord<'_>) -> Option<&'static str> {
    let headers = || record.headers.iter().map(|header| (header.name.as_bytes(), Some(header.value.as_bytes())));
    if found.timestamp_ms != record.timestamp_ms {
        Some("time")
    } else if found.key != Some(record.key.as_slice()) {
        Some("key")
    } else if found.value != Some(record.value.as_slice()) {
        Some("value")
    } else if !found.headers.iter().copied().eq(headers()) {
        Some("set of headers")
    } else {
        None
    }
}
