//! What a log is to hold: asked for, or inferred from its heads and tails.

use super::edge::Edge;
use crate::generator::spec::Stage;
use crate::generator::stream::{Position, Stream, Window};
use crate::source::{LogIndex, LogPlace};

/// So many auctions are looked at to tell which of them may be in the window. Those beyond may all be.
const UNSURE_MAX: u64 = 1_000_000;

/// The expected records: those of a window, up to a last one where it was left in the middle.
#[derive(Debug, Clone)]
pub(super) struct ExpectedRange {
    pub(super) window: Window,
    /// Where an unbounded run stopped.
    pub(super) last: Option<Position>,
    /// Auctions from here on are surely in it. Those before may be: where retention cut the beginning off, nobody knows any more.
    pub(super) sure_from: u64,
    /// Auctions from here on may be in it: what was seen of the logs' ends does not tell. `None` where all are in it.
    sure_end: Option<u64>,
    pub(super) begins: Vec<Begin>,
    pub(super) start: Known,
    pub(super) end: Known,
}

/// Where a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// With the window.
    Window,
    /// With its first record that retention has left.
    At(Position),
    /// Retention has left nothing.
    Nothing,
}

impl Begin {
    /// Whether a record of this position is to be there.
    pub(super) fn is_before(self, position: Position) -> bool {
        match self {
            Self::Window => true,
            Self::At(first) => position >= first,
            Self::Nothing => false,
        }
    }
}

/// How a window's start or end is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It was asked for.
    Asked,
    /// From the logs: they hold a window, with all that follows from its auctions.
    Log,
    /// From the logs: they hold all records up to one place, as after a signal.
    Stopped,
    /// From the logs, whose beginning retention has cut off.
    Cut,
    /// None of the records is of this stream.
    Nothing,
}

impl ExpectedRange {
    /// What is expected of logs whose first and last records are known.
    pub(super) fn infer(
        stream: &Stream,
        places: &[LogPlace],
        asked: Option<Window>,
        heads: &Edge,
        tails: Option<&Edge>,
    ) -> Self {
        let is_cut = places.iter().any(|place| place.log_start_offset.is_some());
        let first = heads.all().map(|position| position.ordinal).min();
        let begins = places.iter().enumerate().map(|(log, place)| {
            let first = heads.of(log).iter().min().filter(|_| place.log_start_offset.is_some());
            match first {
                _ if place.log_start_offset.is_some() && place.is_empty => Begin::Nothing,
                Some(&first) => Begin::At(first),
                None => Begin::Window,
            }
        });
        let (start, sure_from, known) = match (asked, first) {
            (Some(window), _) => (window.start(), window.start(), Known::Asked),
            (None, Some(first)) if is_cut => (0, first, Known::Cut),
            (None, Some(first)) => (first, first, Known::Log),
            (None, None) => (0, 0, Known::Nothing),
        };
        let mut span = Self {
            window: Window::auctions(start, 0),
            last: None,
            sure_from,
            sure_end: None,
            begins: begins.collect(),
            start: known,
            end: Known::Nothing,
        };
        let index = LogIndex::new(places);
        let last = tails.and_then(|tails| tails.all().max());
        match (asked.and_then(|window| window.end()), tails, last) {
            (Some(end), _, _) => {
                span.window = Window::auctions(start, end.saturating_sub(start));
                span.end = Known::Asked;
            }
            (None, Some(tails), Some(last)) => {
                if known == Known::Log {
                    span.infer_start(stream, &index, heads, last);
                }
                span.infer_end(stream, &index, tails, last);
            }
            (None, _, _) => {}
        }
        span
    }

    /// Auctions before the first one that was seen may be in the window, too, where all of their records are held back for longer
    /// than was looked.
    fn infer_start(&mut self, stream: &Stream, index: &LogIndex, heads: &Edge, last: Position) {
        let is_absent = |&position: &Position| {
            let log = index.of(position.stage, stream.partition(position));
            position <= last && heads.shows(log, position) == Some(false)
        };
        let before = (self.sure_from.saturating_sub(UNSURE_MAX)..self.sure_from).rev();
        let is_in_doubt = |ordinal: &u64| !stream.positions_of_auction(*ordinal).iter().any(is_absent);
        let start = before.take_while(is_in_doubt).last().unwrap_or(self.sure_from);
        self.window = self.window.starting_at(start);
    }

    /// Logs either hold a window whole, or all records up to one place. Which of the two is told by what would be missing at
    /// their ends; only records that are due after the last auction's request tell the two apart.
    fn infer_end(&mut self, stream: &Stream, index: &LogIndex, tails: &Edge, last: Position) {
        let Some(ordinal) = tails.all().map(|p| p.ordinal).max() else { return };
        let start = self.window.start();
        let request_ms = stream.auctions().plan(ordinal).request_ms;
        let end_ms = request_ms.saturating_add(stream.auctions().spec().lag_ms_max());
        let begin = Position { emit_ms: request_ms, ordinal: 0, stage: Stage::Request, copy: 0 };
        let mut records = stream.records_from(Window::unbounded(start), begin);
        let (mut of_window, mut of_stop) = (0u64, 0u64);
        while let Some(position) = records.next_position().filter(|position| position.emit_ms <= end_ms) {
            if self.is_absent(stream, index, tails, position) {
                of_window += u64::from(position.ordinal <= ordinal);
                of_stop += u64::from(position <= last);
            }
        }
        if of_stop < of_window {
            self.window = Window::unbounded(start);
            self.last = Some(last);
            self.end = Known::Stopped;
            return;
        }
        // Where nothing is missing either way, it takes the other records to tell.
        self.last = Some(last).filter(|_| of_stop == 0);
        let end = self.unsure_end(stream, index, tails, (ordinal + 1, last));
        self.window = Window::auctions(start, end.saturating_sub(start));
        self.sure_end = Some(ordinal + 1);
        self.end = Known::Log;
    }

    fn is_absent(&self, stream: &Stream, index: &LogIndex, tails: &Edge, position: Position) -> bool {
        let log = index.of(position.stage, stream.partition(position));
        self.begins[log].is_before(position) && tails.shows(log, position) == Some(false)
    }

    /// The end of the auctions that may be in the window although none of their records is among the last ones of its log: up to one
    /// that would have a record there.
    fn unsure_end(&self, stream: &Stream, index: &LogIndex, tails: &Edge, (from, last): (u64, Position)) -> u64 {
        let bound = stream.auctions().first_from_ms(last.emit_ms.saturating_add(1)).max(from);
        let is_absent = |&position: &Position| {
            let is_due = position <= last || self.last.is_none();
            is_due && self.is_absent(stream, index, tails, position)
        };
        let mut unsure = from..bound.min(from.saturating_add(UNSURE_MAX));
        unsure.find(|&ordinal| stream.positions_of_auction(ordinal).iter().any(is_absent)).unwrap_or(bound)
    }

    /// Whether a record that belongs to it must be there.
    pub(super) fn is_sure(&self, position: Position) -> bool {
        position.ordinal >= self.sure_from && self.sure_end.is_none_or(|end| position.ordinal < end)
    }

    /// Takes over which of the auctions in doubt were found: from the first to the last one of them the window is sure.
    pub(super) fn settle(&mut self, stream: &Stream, found: Option<(u64, u64)>) {
        let (first, last) = found.unwrap_or((u64::MAX, 0));
        if self.start == Known::Log {
            self.sure_from = self.sure_from.min(first);
            self.window = self.window.starting_at(self.sure_from);
        }
        let Some(end) = self.sure_end.map(|end| end.max(last.saturating_add(1))) else { return };
        let start = self.window.start();
        let whole = Window::auctions(start, end.saturating_sub(start));
        let owes = |last: Position| {
            let mut records = stream.records_from(whole, Position { copy: last.copy + 1, ..last });
            records.next_position().is_some()
        };
        if self.last.is_some_and(owes) {
            self.end = Known::Stopped;
            self.window = Window::unbounded(start);
            self.sure_end = None;
        } else {
            self.last = None;
            self.window = whole;
            self.sure_end = Some(end);
        }
    }

    /// Whether a record belongs to it.
    pub(super) fn contains(&self, position: Position) -> bool {
        let has_begun = position.ordinal >= self.window.start();
        let has_ended = self.window.end().is_some_and(|end| position.ordinal >= end);
        has_begun && !has_ended && self.last.is_none_or(|last| position <= last)
    }

    /// Where the first expected record can be, if that is known to lie behind the window's start.
    pub(super) fn first(&self, stream: &Stream) -> Option<Position> {
        let of_log = |begin: &Begin| match begin {
            Begin::At(position) => Some(*position),
            // Logs that are not cut hold what follows from the auctions that are surely in the window.
            Begin::Window if self.start == Known::Cut => {
                let emit_ms = stream.auctions().plan(self.sure_from).request_ms;
                Some(Position { emit_ms, ordinal: self.sure_from, stage: Stage::Request, copy: 0 })
            }
            Begin::Window | Begin::Nothing => None,
        };
        let begins = self.begins.iter().filter(|&&begin| begin != Begin::Nothing);
        begins.map(of_log).collect::<Option<Vec<Position>>>()?.into_iter().min()
    }
}
