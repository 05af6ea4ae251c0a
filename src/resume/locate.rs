//! Placing one record of a log in the stream.

use super::error::Mismatch;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::{Position, Stream};
use crate::log::compare::altered_part;
use crate::log::identify::locate;
use crate::log::record::LogRecord;

/// The positions of a record that was read from a partition of a stage's topic, if it is, byte for byte, the stream's record there: several
/// where planned faults repeat it, least first.
pub(super) fn place(
    stream: &Stream,
    stage: Stage,
    partition: u32,
    found: &LogRecord,
) -> Result<Vec<Position>, Mismatch> {
    let positions = locate(stream, stage, found);
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
        let differing = altered_part(found, &record);
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

pub(super) fn foreign(found: &LogRecord) -> Mismatch {
    let quoted = |key: &[u8]| format!("`{}`", String::from_utf8_lossy(key).escape_debug());
    let key = found.key.as_deref().map_or_else(|| "null".to_owned(), quoted);
    Mismatch::Foreign { key, timestamp_ms: found.timestamp_ms }
}
