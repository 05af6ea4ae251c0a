//! What is said of a run at its start.

use std::fmt;

use serde::Serialize;

use super::count::{counted, grouped};
use crate::generator::auction::Auctions;
use crate::generator::digest::Digest;
use crate::generator::stream::{Assignment, Window};
use crate::generator::timestamp::Timestamp;
use crate::generator::version::STREAM_VERSION;

/// What a run is about to play: said at its start, and part of its report.
#[derive(Debug, Serialize)]
pub struct Heading {
    stream_id: Digest,
    stream_version: u32,
    seed: String,
    window: WindowReport,
    /// Where several workers share the partitions.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<String>,
    /// Where the run resumes after records that are there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed: Option<Resumed>,
}

/// A run that goes on where another ended.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Resumed {
    /// Records that were there before it, in its partitions; not where transactions were written, whose ends take offsets too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// When its first record is due; `None` if nothing is left to play.
    pub from: Option<Timestamp>,
}

/// The auctions that were played. Times are arrivals.
#[derive(Debug, Serialize)]
struct WindowReport {
    first_ordinal: u64,
    end_ordinal: Option<u64>,
    first_arrival: Timestamp,
    last_arrival: Option<Timestamp>,
}

impl Heading {
    /// The heading of a part of a window of a stream.
    #[must_use]
    pub fn new(auctions: &Auctions, part: &Assignment) -> Self {
        let spec = auctions.spec();
        Self {
            stream_id: spec.stream_id(),
            stream_version: STREAM_VERSION,
            seed: spec.seed.to_string(),
            window: WindowReport::new(auctions, part.window()),
            shard: Some(part.shard()).filter(|shard| !shard.is_whole()).map(|shard| shard.to_string()),
            resumed: None,
        }
    }

    /// The same, of a run that goes on where another ended.
    #[must_use]
    pub fn resumed(self, resumed: Option<Resumed>) -> Self {
        Self { resumed, ..self }
    }
}

impl fmt::Display for Heading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stream       {} (version {}, seed {})", self.stream_id, self.stream_version, self.seed)?;
        writeln!(f, "window       {}", self.window)?;
        if let Some(shard) = &self.shard {
            writeln!(f, "shard        {shard}")?;
        }
        let Some(Resumed { records, from }) = self.resumed else { return Ok(()) };
        let is_nothing_left = records == Some(0);
        let records = records.map_or_else(|| "records".to_owned(), |records| counted(records, "record"));
        match from {
            Some(from) => writeln!(f, "resumes      after {records} that are there already, from {from}"),
            None if is_nothing_left => {
                writeln!(f, "nothing to do: the window is complete, and none of its records is left")
            }
            None => writeln!(f, "nothing to do: the window is complete, its {records} are there already"),
        }
    }
}

impl WindowReport {
    fn new(auctions: &Auctions, window: Window) -> Self {
        let arrival = |ordinal: u64| Timestamp(auctions.plan(ordinal).request_ms);
        let last = window.end().and_then(|end| end.checked_sub(1)).filter(|&last| last >= window.start());
        Self {
            first_ordinal: window.start(),
            end_ordinal: window.end(),
            first_arrival: arrival(window.start()),
            last_arrival: last.map(arrival),
        }
    }
}

impl fmt::Display for WindowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.end_ordinal, &self.last_arrival) {
            (Some(_), None) => write!(f, "no auction arrives in it"),
            (Some(end), Some(last)) => {
                let (first, last_ordinal) = (grouped(self.first_ordinal), grouped(end - 1));
                write!(f, "auctions {first} to {last_ordinal}, arriving {} to {last}", self.first_arrival)
            }
            (None, _) => write!(f, "auctions {} on, arriving from {}", grouped(self.first_ordinal), self.first_arrival),
        }
    }
}
