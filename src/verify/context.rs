//! What all logs share while they are compared, and where a found record belongs.

use super::expected_range::{Begin, ExpectedRange};
use crate::generator::fingerprint::Fingerprints;
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::stream::{Position, Stream};
use crate::log::identify::Identifier;
use crate::log::shutdown::Shutdown;
use crate::source::{LogIndex, Source};

/// What all logs share while they are compared.
pub(super) struct Context<'a> {
    pub(super) stream: &'a Stream,
    pub(super) identifier: Identifier<'a>,
    pub(super) span: ExpectedRange,
    /// The first and the last ordinal found of auctions that may be in the span.
    pub(super) found: Option<(u64, u64)>,
    pub(super) index: LogIndex,
    pub(super) source: &'a mut dyn Source,
    /// Whether logs may end early.
    pub(super) prefix: bool,
    pub(super) fingerprints: Option<Fingerprints>,
    /// The wish to end early.
    pub(super) stop: &'a Shutdown,
    /// For the record of some other position.
    pub(super) other: Record,
}

/// Where a found record belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// Here.
    Here(Position),
    /// Into another log, or not into what was asked for.
    Elsewhere(Position),
    /// Not into this stream, as far as it can be told.
    Unknown,
}

impl Context<'_> {
    /// Takes note of an auction that was found.
    pub(super) fn find(&mut self, position: Position) {
        if !self.span.is_sure(position) {
            let ordinal = position.ordinal;
            let (first, last) = self.found.unwrap_or((ordinal, ordinal));
            self.found = Some((first.min(ordinal), last.max(ordinal)));
        }
    }

    /// Whether a position's record belongs into a log, and into what was asked for.
    pub(super) fn is_here(&self, log: usize, stage: Stage, position: Position) -> bool {
        let begin = self.span.begins[log];
        position.stage == stage
            && self.index.of(stage, self.stream.partition(position)) == log
            && (begin == Begin::Nothing || begin.is_before(position))
            && self.span.contains(position)
    }
}
