//! Which record of the stream a found one is.
//!
//! Three clues, the surest first: timestamp and key, the value's own time and ids, the headers. One of them is enough, so a record
//! with one damaged part is still known.

use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::compare::is_same;
use super::record::{LogRecord, Parts};
use crate::generator::record::{HEADER_NAMES, Record};
use crate::generator::spec::{KeyBy, Stage};
use crate::generator::stream::{Position, Stream};
use crate::generator::timestamp::{LIMIT_MS, parse_time_ms};

/// Knows the records of one stream.
#[derive(Debug)]
pub(crate) struct Identifier<'a> {
    stream: &'a Stream,
    stream_id: String,
}

/// Where the stream has records with this time and key. Headers, where the stream has them, name the ordinal; without them the
/// auctions around the time are searched.
#[cfg(feature = "kafka")]
pub(crate) fn locate(stream: &Stream, stage: Stage, found: &LogRecord) -> Vec<Position> {
    let Some(key) = found.key.as_deref() else { return Vec::new() };
    let by_headers = || {
        let ordinal: u64 = header_text(found, HEADER_NAMES[1])?.parse().ok()?;
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

/// The value of a header as text, if it is one.
fn header_text<'a>(found: &'a LogRecord, name: &str) -> Option<&'a str> {
    let (_, value) = found.headers.iter().find(|(found, _)| found == name.as_bytes())?;
    str::from_utf8(value.as_deref()?).ok()
}

/// What the documents of all four stages say of themselves.
#[derive(Deserialize)]
struct Document<'a> {
    id: Option<&'a str>,
    impression_id: Option<&'a str>,
    click_id: Option<&'a str>,
    seatbid: Option<IgnoredAny>,
    event_timestamp: &'a str,
}

impl<'a> Identifier<'a> {
    /// An identifier of a stream's records.
    pub(crate) fn new(stream: &'a Stream) -> Self {
        Self { stream, stream_id: stream.auctions().spec().stream_id().to_string() }
    }

    /// The positions that a record can have which was found in a stage's topic: more than one where planned faults repeat records, or
    /// where users are keys. None if nothing in it is of this stream.
    pub(crate) fn positions(&self, stage: Stage, found: &LogRecord) -> Vec<Position> {
        if found.parts == Parts::Line {
            return Vec::new();
        }
        let mut positions = match &found.key {
            Some(key) if found.parts == Parts::All => self.stream.locate(stage, found.timestamp_ms, key),
            _ => Vec::new(),
        };
        if positions.is_empty() {
            positions = self.by_value(found).unwrap_or_default();
        } else if self.stream.auctions().spec().key_by == KeyBy::User && !self.keep_equal(&mut positions, found) {
            // A user's key is not one record's own; what the value says is surer, where it is still known.
            let by_value = self.by_value(found).filter(|positions| !positions.is_empty());
            positions = by_value.unwrap_or(positions);
        }
        if positions.is_empty() && found.parts == Parts::All {
            positions.extend(self.by_headers(found));
        }
        if positions.len() > 1 {
            self.keep_equal(&mut positions, found);
        }
        positions
    }

    /// Where one of the records is the found one to the byte, the others are not it. False if none is.
    fn keep_equal(&self, positions: &mut Vec<Position>, found: &LogRecord) -> bool {
        let mut record = Record::default();
        let mut is_equal = |position: &Position| {
            self.stream.fill(*position, &mut record);
            is_same(found, &record)
        };
        let equal: Vec<Position> = positions.iter().copied().filter(&mut is_equal).collect();
        let is_any = !equal.is_empty();
        if is_any {
            *positions = equal;
        }
        is_any
    }

    fn by_value(&self, found: &LogRecord) -> Option<Vec<Position>> {
        let document: Document<'_> = serde_json::from_slice(found.value.as_deref()?).ok()?;
        let (stage, own_id) = document.id();
        let timestamp_ms = parse_time_ms(document.event_timestamp, LIMIT_MS + 3_600_000).ok()?;
        let own_id = Uuid::try_parse(own_id?).ok()?;
        Some(self.stream.locate_by_own_id(stage, timestamp_ms, own_id))
    }

    /// Headers alone are numbers that anyone could have written: key or timestamp must agree.
    fn by_headers(&self, found: &LogRecord) -> Option<Position> {
        let text = |name| header_text(found, name);
        let [stream_id, ordinal, stage, copy] = HEADER_NAMES;
        let (stage, copy) = (text(stage)?, text(copy)?);
        let positions = self.stream.positions_of_auction(text(ordinal)?.parse().ok()?);
        let position = positions.into_iter().find(|p| p.stage.name() == stage && p.copy.to_string() == copy)?;
        let event_ms = || self.stream.auctions().plan(position.ordinal).event_ms(position.stage);
        let is_its_time = || event_ms() == Some(found.timestamp_ms);
        let is_its_key = || found.key.as_deref() == Some(&self.stream.key(position));
        (text(stream_id)? == self.stream_id && (is_its_time() || is_its_key())).then_some(position)
    }
}

impl<'a> Document<'a> {
    /// Its stage and its own id.
    fn id(&self) -> (Stage, Option<&'a str>) {
        if self.click_id.is_some() {
            return (Stage::Click, self.click_id);
        }
        if self.impression_id.is_some() {
            return (Stage::Impression, self.impression_id);
        }
        (if self.seatbid.is_some() { Stage::Response } else { Stage::Request }, self.id)
    }
}
