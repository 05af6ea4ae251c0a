//! What all logs share while they are compared, and where a found record belongs.

use super::identify::Identifier;
use super::span::{Begin, Span};
use crate::fingerprint::Fingerprints;
use crate::record::Record;
use crate::sink::Stop;
use crate::source::{LogIndex, LogRecord, Source};
use crate::spec::Stage;
use crate::stream::{Position, Stream};

/// What all logs share while they are compared.
pub(super) struct Comparison<'a> {
    pub(super) stream: &'a Stream,
    pub(super) identifier: Identifier<'a>,
    pub(super) span: Span,
    pub(super) index: LogIndex,
    pub(super) source: &'a mut dyn Source,
    /// Whether logs may end early.
    pub(super) prefix: bool,
    pub(super) fingerprints: Option<Fingerprints>,
    /// The wish to end early.
    pub(super) stop: &'a Stop,
    /// For the record of some other position.
    pub(super) other: Record,
}

/// Where a found record belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Here.
    Here(Position),
    /// Into another log, or not into what was asked for.
    Elsewhere(Position),
    /// Not into this stream, as far as it can be told.
    Unknown,
}

/// A record that was read, with what is known of it once it was asked for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) record: LogRecord,
    pub(super) known: Option<Standing>,
}

impl Comparison<'_> {
    /// Where a record belongs that was found in a log.
    pub(super) fn standing(&self, log: usize, stage: Stage, found: &LogRecord) -> Standing {
        let Some(position) = self.identifier.position(stage, found) else { return Standing::Unknown };
        let own = self.index.of(position.stage, self.stream.partition(position));
        let begin = self.span.begins[log];
        let has_begun = begin == Begin::Nothing || begin.is_before(position);
        if position.stage == stage && own == log && has_begun && self.span.contains(position) {
            Standing::Here(position)
        } else {
            Standing::Elsewhere(position)
        }
    }
}
