//! Which record of the stream a found one is.
//!
//! Three clues, the surest first: timestamp and key, the value's own time and ids, the headers. One of them is enough, so a record
//! with one damaged part is still known.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::record::HEADER_NAMES;
use crate::source::{LogRecord, Parts};
use crate::spec::{KeyBy, Stage};
use crate::stream::{Position, Stream};
use crate::timestamp::{LIMIT_MS, parse_time_ms};

/// Knows the records of one stream.
#[derive(Debug)]
pub(super) struct Identifier<'a> {
    stream: &'a Stream,
    stream_id: String,
}

/// What the documents of all four stages say of themselves.
#[derive(Deserialize)]
struct Document<'a> {
    id: Option<&'a str>,
    impression_id: Option<&'a str>,
    click_id: Option<&'a str>,
    request_id: Option<&'a str>,
    seatbid: Option<IgnoredAny>,
    ext: Option<Extension<'a>>,
    event_timestamp: &'a str,
}

#[derive(Deserialize)]
struct Extension<'a> {
    request_id: &'a str,
}

impl<'a> Identifier<'a> {
    pub(super) fn new(stream: &'a Stream) -> Self {
        Self { stream, stream_id: stream.auctions().spec().stream_id().to_string() }
    }

    /// The position of a record that was found in a stage's topic; `None` if nothing in it is of this stream.
    pub(super) fn position(&self, stage: Stage, found: &LogRecord) -> Option<Position> {
        let by_key = || self.stream.locate(stage, found.timestamp_ms, found.key.as_deref()?);
        match found.parts {
            Parts::All => by_key().or_else(|| self.by_value(found)).or_else(|| self.by_headers(found)),
            Parts::Value => self.by_value(found),
            Parts::Line => None,
        }
    }

    fn by_value(&self, found: &LogRecord) -> Option<Position> {
        let document: Document<'_> = serde_json::from_slice(found.value.as_deref()?).ok()?;
        let (stage, own_id, request_id) = document.ids()?;
        let key = match self.stream.auctions().spec().key_by {
            KeyBy::Id => own_id,
            KeyBy::Request => request_id,
        };
        let timestamp_ms = parse_time_ms(document.event_timestamp, LIMIT_MS + 3_600_000).ok()?;
        // Looked up already, in vain.
        if found.parts == Parts::All
            && (found.timestamp_ms, found.key.as_deref()) == (timestamp_ms, Some(key?.as_bytes()))
        {
            return None;
        }
        self.stream.locate(stage, timestamp_ms, key?.as_bytes())
    }

    /// Headers alone are numbers that anyone could have written: key or timestamp must agree.
    fn by_headers(&self, found: &LogRecord) -> Option<Position> {
        let text = |name: &str| {
            let (_, value) = found.headers.iter().find(|(found, _)| found == name.as_bytes())?;
            str::from_utf8(value.as_deref()?).ok()
        };
        let [stream_id, ordinal, stage, _] = HEADER_NAMES;
        let name = text(stage)?;
        let stage = Stage::ALL.into_iter().find(|stage| stage.name() == name)?;
        let position = self.stream.position(stage, text(ordinal)?.parse().ok()?)?;
        let is_its_time = position.emit_ms == found.timestamp_ms;
        let is_its_key = || found.key.as_deref() == Some(&self.stream.key(stage, position.ordinal));
        (text(stream_id)? == self.stream_id && (is_its_time || is_its_key())).then_some(position)
    }
}

impl<'a> Document<'a> {
    /// Its stage, its own id and its request's.
    fn ids(&self) -> Option<(Stage, Option<&'a str>, Option<&'a str>)> {
        if self.click_id.is_some() {
            return Some((Stage::Click, self.click_id, self.request_id));
        }
        if self.impression_id.is_some() {
            return Some((Stage::Impression, self.impression_id, self.request_id));
        }
        match (&self.seatbid, &self.ext) {
            (Some(_), Some(ext)) => Some((Stage::Response, self.id, Some(ext.request_id))),
            _ => self.id.map(|id| (Stage::Request, Some(id), Some(id))),
        }
    }
}
