//! Positions: where a record stands in the stream's total order, and how a record that was read finds its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Stream, Window};
use crate::auction::{Plan, lag_ms};
use crate::record::Record;
use crate::spec::Stage;

/// Where a record stands in the total order of its stream: the fields, in this order, are the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it is due on the virtual timeline, in milliseconds since 1970.
    pub emit_ms: i64,
    /// Its auction.
    pub ordinal: u64,
    /// Its stage.
    pub stage: Stage,
    /// Which copy of its event it is; 0 but for planned duplicates.
    pub copy: u32,
}

impl Position {
    /// The position of a planned auction's record of a stage; `None` if the stage does not happen.
    pub(super) fn of(plan: &Plan, stage: Stage) -> Option<Self> {
        plan.event_ms(stage).map(|emit_ms| Self { emit_ms, ordinal: plan.ordinal, stage, copy: 0 })
    }
}

impl From<&Record> for Position {
    fn from(record: &Record) -> Self {
        Self { emit_ms: record.emit_ms, ordinal: record.ordinal, stage: record.stage, copy: record.copy }
    }
}

impl Stream {
    /// The position of an auction's record of a stage; `None` if the stage does not happen, or the stream ends before the auction.
    #[must_use]
    pub fn position(&self, stage: Stage, ordinal: u64) -> Option<Position> {
        let auctions = self.auctions();
        (ordinal < auctions.clock().auctions()).then(|| Position::of(&auctions.plan(ordinal), stage)).flatten()
    }

    /// The positions of one stage's records in a window, in order. It draws plans, and nothing else.
    #[must_use]
    pub fn positions(&self, stage: Stage, window: Window) -> Positions<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions().clock().auctions());
        let next = (window.start() < end).then(|| self.auctions().plan(window.start()));
        Positions { stream: self, stage, next, end, due: BinaryHeap::new() }
    }

    /// The position of the record of a stage that carries this timestamp and key; `None` if the stream holds none.
    ///
    /// Only auctions whose event can fall on the timestamp are looked at: at most rate × (largest − least lag of the stage).
    ///
    /// ```
    /// use mock_data_gen::spec::{Layout, Stage, StreamSpec};
    /// use mock_data_gen::stream::Stream;
    ///
    /// let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    /// let key = b"63e8dea2-cc50-59e5-b81c-9da9621276bd";
    /// assert_eq!(stream.locate(Stage::Request, 1_767_225_600_082, key).unwrap().ordinal, 0);
    /// assert_eq!(stream.locate(Stage::Request, 1_767_225_600_083, key), None);
    /// ```
    #[must_use]
    pub fn locate(&self, stage: Stage, timestamp_ms: i64, key: &[u8]) -> Option<Position> {
        let (lag_ms_min, lag_ms_max) = lag_ms(stage);
        let auctions = self.auctions();
        let first = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_max));
        let end = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_min).saturating_add(1));
        (first..end).find_map(|ordinal| {
            let position = Position::of(&auctions.plan(ordinal), stage)?;
            (position.emit_ms == timestamp_ms && self.key(stage, ordinal) == key).then_some(position)
        })
    }
}

/// A cursor over the positions of one stage in a window, in order.
#[derive(Debug, Clone)]
pub struct Positions<'a> {
    stream: &'a Stream,
    stage: Stage,
    /// The first auction whose position is not in `due`.
    next: Option<Plan>,
    end: u64,
    due: BinaryHeap<Reverse<Position>>,
}

impl Iterator for Positions<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        let (lag_ms_min, _) = lag_ms(self.stage);
        while let Some(plan) = self.next {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms < plan.request_ms + lag_ms_min) {
                break;
            }
            self.due.extend(Position::of(&plan, self.stage).map(Reverse));
            let following = plan.ordinal + 1;
            self.next = (following < self.end).then(|| self.stream.auctions().plan(following));
        }
        self.due.pop().map(|Reverse(position)| position)
    }
}
