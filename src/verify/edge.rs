//! What the first or the last records of logs can be.

use crate::generator::stream::{Position, Stream};
use crate::log::identify::Identifier;
use crate::log::record::LogRecord;
use crate::source::{LogIndex, LogPlace};

/// Which end of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Head,
    Tail,
}

/// The records at one end of the logs, as far as they are known and belong where they are.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    end: End,
    logs: Vec<Seen>,
}

/// What was seen at one end of a log.
#[derive(Debug, Clone)]
struct Seen {
    /// The records' positions.
    positions: Vec<Position>,
    /// All positions that they can have, in order: records that planned faults repeat have several.
    can_be: Vec<Position>,
    /// The innermost place that its innermost record can have: what lies further outside was looked at.
    inner: Option<Position>,
    /// Whether these are all records of the log.
    is_whole: bool,
    /// Whether it holds no record.
    is_empty: bool,
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

impl Edge {
    /// Of each log the records at its end, at most so many.
    pub(super) fn new<'r>(
        stream: &Stream,
        identifier: &Identifier<'_>,
        places: &[LogPlace],
        (end, at_most): (End, usize),
        records: impl Iterator<Item = Vec<&'r LogRecord>>,
    ) -> Self {
        let index = LogIndex::new(places);
        let seen = |(log, records): (usize, Vec<&LogRecord>)| {
            let stage = places[log].stage;
            let is_here = |p: &Position| p.stage == stage && index.of(stage, stream.partition(*p)) == log;
            let here = |record: &LogRecord| identifier.positions(stage, record).into_iter().filter(is_here).collect();
            let (is_whole, is_empty) = (records.len() < at_most, records.is_empty());
            let records: Vec<Vec<Position>> = records.into_iter().map(here).collect();
            let mut known = records.iter().filter(|can_be| !can_be.is_empty());
            let inner = match end {
                End::Head => known.next_back().and_then(|can_be| can_be.iter().min()),
                End::Tail => known.next().and_then(|can_be| can_be.iter().max()),
            };
            let inner = inner.copied();
            let mut can_be = records.concat();
            can_be.sort_unstable();
            Seen { positions: in_order(&records, end), can_be, inner, is_whole, is_empty }
        };
        Self { end, logs: records.enumerate().map(seen).collect() }
    }

    /// The positions of a log's records.
    pub(super) fn of(&self, log: usize) -> &[Position] {
        &self.logs[log].positions
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Position> {
        self.logs.iter().flat_map(|seen| &seen.positions).copied()
    }

    /// Whether a log holds the record of a position; `None` where it would stand further inside than was looked, or nothing
    /// there is known.
    pub(super) fn shows(&self, log: usize, position: Position) -> Option<bool> {
        let Seen { can_be, inner, is_whole, is_empty, .. } = &self.logs[log];
        let is_in_view = inner.map(|inner| match self.end {
            End::Head => position <= inner,
            End::Tail => position >= inner,
        });
        let is_in_view = if *is_whole { *is_empty || is_in_view.is_some() } else { is_in_view == Some(true) };
        is_in_view.then(|| can_be.binary_search(&position).is_ok())
    }
}
