//! What a log is to hold: asked for, or inferred from its heads and tails.

use super::identify::Identifier;
use crate::source::{LogIndex, LogPlace, LogRecord};
use crate::spec::Stage;
use crate::stream::{Position, Stream, Window};

/// The expected records: those of a window, up to a last one where it was left in the middle.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) window: Window,
    /// Where an unbounded run stopped.
    pub(super) last: Option<Position>,
    /// Auctions from here on are surely in it. Those before may be: where retention cut the beginning off, nobody knows any more.
    pub(super) sure_from: u64,
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

/// Which end of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Head,
    Tail,
}

/// Chooses one of the positions that each of some neighbouring records can have, so that they stand in order: from the inner one on
/// outwards the nearest. A record that planned faults repeat is told by its neighbours.
fn in_order(records: &[Vec<Position>], end: End) -> Vec<Position> {
    let mut chosen: Vec<Position> = Vec::new();
    let nearest = |can_be: &Vec<Position>, inner: Option<Position>| {
        let outwards = |p: &&Position| match end {
            End::Head => inner.is_none_or(|inner| **p < inner),
            End::Tail => inner.is_none_or(|inner| **p > inner),
        };
        let ordered = can_be.iter().filter(outwards);
        if end == End::Head { ordered.max().or(can_be.iter().max()) } else { ordered.min().or(can_be.iter().min()) }
            .copied()
    };
    let mut choose = |can_be: &Vec<Position>| {
        let inner = chosen.last().copied();
        chosen.extend(nearest(can_be, inner));
    };
    match end {
        End::Head => records.iter().rev().for_each(&mut choose),
        End::Tail => records.iter().for_each(&mut choose),
    }
    chosen
}

/// Positions at one end of the logs, as far as their first or last records are known and belong where they are.
#[derive(Debug, Clone)]
pub(super) struct Edge(pub(super) Vec<Vec<Position>>);

impl Edge {
    pub(super) fn new<'r>(
        stream: &Stream,
        identifier: &Identifier<'_>,
        places: &[LogPlace],
        end: End,
        records: impl Iterator<Item = Vec<&'r LogRecord>>,
    ) -> Self {
        let index = LogIndex::new(places);
        let known = |(log, records): (usize, Vec<&LogRecord>)| {
            let stage = places[log].stage;
            let is_here = |p: &Position| p.stage == stage && index.of(stage, stream.partition(*p)) == log;
            let here = |record: &LogRecord| identifier.positions(stage, record).into_iter().filter(is_here).collect();
            in_order(&records.into_iter().map(here).collect::<Vec<Vec<Position>>>(), end)
        };
        Self(records.enumerate().map(known).collect())
    }

    fn all(&self) -> impl Iterator<Item = Position> {
        self.0.iter().flatten().copied()
    }
}

impl Span {
    /// What is expected of logs whose first and last records are known.
    pub(super) fn infer(
        stream: &Stream,
        places: &[LogPlace],
        asked: Option<Window>,
        heads: &Edge,
        tails: Option<&Edge>,
    ) -> Self {
        let is_cut = places.iter().any(|place| place.cut_at.is_some());
        let first = heads.all().map(|position| position.ordinal).min();
        let begins = places.iter().zip(&heads.0).map(|(place, heads)| {
            let first = heads.iter().min().filter(|_| place.cut_at.is_some());
            match first {
                _ if place.cut_at.is_some() && place.is_empty => Begin::Nothing,
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
        let nothing = Window::auctions(start, 0);
        let mut span = Self {
            window: nothing,
            last: None,
            sure_from,
            begins: begins.collect(),
            start: known,
            end: Known::Nothing,
        };
        match (asked.and_then(|window| window.end()), tails) {
            (Some(end), _) => {
                span.window = Window::auctions(start, end.saturating_sub(start));
                span.end = Known::Asked;
            }
            (None, Some(tails)) => span.infer_end(stream, places, tails),
            (None, None) => {}
        }
        span
    }

    /// Logs either hold a window whole, or all records up to one place. Which of the two is told by what would be missing at
    /// their ends; only records that are due after the last auction's request tell the two apart.
    fn infer_end(&mut self, stream: &Stream, places: &[LogPlace], tails: &Edge) {
        let (Some(ordinal), Some(last)) = (tails.all().map(|p| p.ordinal).max(), tails.all().max()) else { return };
        let start = self.window.start();
        let request_ms = stream.auctions().plan(ordinal).request_ms;
        let end_ms = request_ms.saturating_add(stream.auctions().spec().lag_ms_max());
        let index = LogIndex::new(places);
        let mut records = stream.records_from(
            Window::unbounded(start),
            Position { emit_ms: request_ms, ordinal: 0, stage: last.stage, copy: 0 },
        );
        let (mut of_window, mut of_stop) = (0u64, 0u64);
        while let Some(position) = records.next_position().filter(|position| position.emit_ms <= end_ms) {
            let log = index.of(position.stage, stream.partition(position));
            let is_known = places[log].is_empty || !tails.0[log].is_empty();
            let is_absent = tails.0[log].iter().max().is_none_or(|last| *last < position);
            if is_known && is_absent && self.begins[log] != Begin::Nothing {
                of_window += u64::from(position.ordinal <= ordinal);
                of_stop += u64::from(position <= last);
            }
        }
        if of_window <= of_stop {
            self.window = Window::auctions(start, (ordinal + 1).saturating_sub(start));
            self.end = Known::Log;
        } else {
            self.window = Window::unbounded(start);
            self.last = Some(last);
            self.end = Known::Stopped;
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
