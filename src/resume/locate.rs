//! Placing one record of a log in the stream.

use super::error::Mismatch;
use super::log::LogRecord;
use crate::generator::record::{HEADER_NAMES, Record};
use crate::generator::spec::Stage;
use crate::generator::stream::{Position, Stream};

/// The positions of a record that was read from a partition of a stage's topic, if it is, byte for byte, the stream's record there: several
/// where planned faults repeat it, least first.
pub(super) fn place(
    stream: &Stream,
    stage: Stage,
    partition: u32,
    found: &LogRecord<'_>,
) -> Result<Vec<Position>, Mismatch> {
    let positions = find(stream, stage, found);
    let Some(&first) = positions.first() else { return Err(foreign(found)) };
    let expected = stream.partition(first);
    if expected != partition {
        let partitions = stream.layout().topic(stage).partitions.count();
        return Err(Mismatch::Elsewhere { found: first.into(), expected, partitions });
    }
    let mut record = Record::default();
    let mut part = None;
    let mut is_it = |position: &Position| {
        stream.fill(*position, &mut record);
        let differing = differing_part(&record, found);
        part = part.or(differing);
        differing.is_none()
    };
    let mut placed: Vec<Position> = positions.iter().copied().filter(&mut is_it).collect();
    placed.sort_unstable();
    match part {
        Some(part) if placed.is_empty() => Err(Mismatch::Altered { found: first.into(), part }),
        _ => Ok(placed),
    }
}

/// Where the stream has records with this time and key. Headers, where the stream has them, name the ordinal; without them the
/// auctions around the time are searched.
pub(super) fn find(stream: &Stream, stage: Stage, found: &LogRecord<'_>) -> Vec<Position> {
    let Some(key) = found.key else { return Vec::new() };
    let by_headers = || {
        let (_, value) = found.headers.iter().find(|(name, _)| *name == HEADER_NAMES[1].as_bytes())?;
        let ordinal: u64 = str::from_utf8((*value)?).ok()?.parse().ok()?;
        let mut positions = stream.positions_of_auction(ordinal);
        let event_ms = positions.first().and_then(|_| stream.auctions().plan(ordinal).event_ms(stage));
        positions.retain(|&position| position.stage == stage && stream.key(position) == key);
        (event_ms == Some(found.timestamp_ms)).then_some(positions)
    };
    if stream.auctions().spec().headers
        && let Some(positions) = by_headers().filter(|positions| !positions.is_empty())
    {
        return positions;
    }
    stream.locate(stage, found.timestamp_ms, key)
}

pub(super) fn foreign(found: &LogRecord<'_>) -> Mismatch {
    let key =
        found.key.map_or_else(|| "null".to_owned(), |key| format!("`{}`", String::from_utf8_lossy(key).escape_debug()));
    Mismatch::Foreign { key, timestamp_ms: found.timestamp_ms }
}

/// Whether a record is, byte for byte, what was read: otherwise the part that differs.
pub(super) fn differing_part(record: &Record, found: &LogRecord<'_>) -> Option<&'static str> {
    let headers = || record.headers.iter().map(|header| (header.name.as_bytes(), Some(header.value.as_bytes())));
    if found.timestamp_ms != record.timestamp_ms {
        Some("time")
    } else if found.key != Some(record.key.as_slice()) {
        Some("key")
    } else if found.value != record.payload() {
        Some("value")
    } else if !found.headers.iter().copied().eq(headers()) {
        Some("set of headers")
    } else {
        None
    }
}
