//! Positions: where a record stands in the stream's total order, and how a record that was read finds its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use uuid::Uuid;

use super::{Stream, Window};
use crate::auction::{Auctions, Fate, Form, Plan, event_lag_ms};
use crate::record::{Record, key_name};
use crate::spec::{KeyBy, Stage};

/// Where a record stands in the total order of its stream: the fields, in this order, are the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it is due on the virtual timeline, in milliseconds since 1970.
    pub emit_ms: i64,
    /// Its auction.
    pub ordinal: u64,
    /// Its stage.
    pub stage: Stage,
    /// Which copy of its event it is: the number of its [`Form`]; 0 but for planned faults.
    pub copy: u32,
}

impl From<&Record> for Position {
    fn from(record: &Record) -> Self {
        Self { emit_ms: record.emit_ms, ordinal: record.ordinal, stage: record.stage, copy: record.copy }
    }
}

impl Auctions {
    /// The positions of a planned auction's records: by stage and form, not in their order.
    pub(super) fn positions_of<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = Position> + use<'p> {
        let fate = self.fate_if_any(plan);
        Stage::ALL.into_iter().flat_map(move |stage| positions_of_stage(plan, fate.as_ref(), stage))
    }
}

/// The positions of a planned auction's records of a stage, by form, not in their order. Without a fate no fault is planned.
fn positions_of_stage<'p>(
    plan: &'p Plan,
    fate: Option<&Fate>,
    stage: Stage,
) -> impl Iterator<Item = Position> + use<'p> {
    let fate = fate.map(|fate| *fate.of(stage));
    let forms = if fate.is_some() { Form::ALL.as_slice() } else { &Form::ALL[..1] };
    let at = move |&form: &Form| {
        let event_ms = plan.event_ms(stage)?;
        let emit_ms = fate.map_or(Some(event_ms), |fate| fate.emit_ms(form, event_ms))?;
        Some(Position { emit_ms, ordinal: plan.ordinal, stage, copy: form.copy() })
    };
    forms.iter().filter_map(at)
}

impl Stream {
    /// The position of an auction's own record of a stage; `None` if the stage does not happen, its record is dropped, or the stream ends
    /// before the auction.
    #[must_use]
    pub fn position(&self, stage: Stage, ordinal: u64) -> Option<Position> {
        let own = |position: &Position| position.stage == stage && position.copy == Form::Event.copy();
        self.positions_of_auction(ordinal).into_iter().find(own)
    }

    /// The positions of all records of an auction, by stage and copy; none if the stream ends before it.
    #[must_use]
    pub fn positions_of_auction(&self, ordinal: u64) -> Vec<Position> {
        let auctions = self.auctions();
        if ordinal >= auctions.clock().auctions() {
            return Vec::new();
        }
        auctions.positions_of(&auctions.plan(ordinal)).collect()
    }

    /// The positions of one stage's records in a window, in order. It draws plans and faults, and nothing else.
    #[must_use]
    pub fn positions(&self, stage: Stage, window: Window) -> Positions<'_> {
        let end = window.end().unwrap_or(u64::MAX).min(self.auctions().clock().auctions());
        let next = (window.start() < end).then(|| self.auctions().plan(window.start()));
        let (lag_ms_min, _) = event_lag_ms(&self.auctions().spec().faults, stage);
        Positions { stream: self, stage, lag_ms_min, next, end, due: BinaryHeap::new() }
    }

    /// The positions of the records of a stage that carry this timestamp and key: one, or none, but where planned faults repeat a record or
    /// records are keyed by their user.
    ///
    /// Only auctions whose event can fall on the timestamp are looked at: at most rate × (largest − least lag of the stage).
    ///
    /// ```
    /// use mock_data_gen::spec::{Layout, Stage, StreamSpec};
    /// use mock_data_gen::stream::Stream;
    ///
    /// let stream = Stream::new(&StreamSpec::default(), &Layout::default());
    /// let key = b"63e8dea2-cc50-59e5-b81c-9da9621276bd";
    /// assert_eq!(stream.locate(Stage::Request, 1_767_225_600_082, key)[0].ordinal, 0);
    /// assert!(stream.locate(Stage::Request, 1_767_225_600_083, key).is_empty());
    /// ```
    #[must_use]
    pub fn locate(&self, stage: Stage, timestamp_ms: i64, key: &[u8]) -> Vec<Position> {
        self.locate_where(stage, timestamp_ms, |plan, position| self.key_of(position, || plan.user) == key)
    }

    /// As [`Stream::locate`], of the records whose documents carry this id as their own, whatever they are keyed by.
    #[must_use]
    pub fn locate_by_own_id(&self, stage: Stage, timestamp_ms: i64, id: Uuid) -> Vec<Position> {
        let ids = self.auctions().ids();
        self.locate_where(stage, timestamp_ms, |plan, position| {
            let form = Form::of(position.copy).unwrap_or(Form::Event);
            let (kind, number) = key_name(KeyBy::Id, stage, form, position.ordinal, || plan.user);
            ids.id(kind, number) == id
        })
    }

    fn locate_where(&self, stage: Stage, timestamp_ms: i64, is_it: impl Fn(&Plan, Position) -> bool) -> Vec<Position> {
        let auctions = self.auctions();
        let (lag_ms_min, lag_ms_max) = event_lag_ms(&auctions.spec().faults, stage);
        let first = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_max));
        let end = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_min).saturating_add(1));
        let plans = (first..end).map(|ordinal| auctions.plan(ordinal));
        let mut found = Vec::new();
        for plan in plans.filter(|plan| plan.event_ms(stage) == Some(timestamp_ms)) {
            let positions = positions_of_stage(&plan, auctions.fate_if_any(&plan).as_ref(), stage);
            found.extend(positions.filter(|&position| is_it(&plan, position)));
        }
        found
    }
}

/// A cursor over the positions of one stage in a window, in order.
#[derive(Debug, Clone)]
pub struct Positions<'a> {
    stream: &'a Stream,
    stage: Stage,
    /// The least lag of the stage, in milliseconds.
    lag_ms_min: i64,
    /// The first auction whose positions are not in `due`.
    next: Option<Plan>,
    end: u64,
    due: BinaryHeap<Reverse<Position>>,
}

impl Iterator for Positions<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        let auctions = self.stream.auctions();
        while let Some(plan) = self.next {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms < plan.request_ms + self.lag_ms_min) {
                break;
            }
            self.due.extend(positions_of_stage(&plan, auctions.fate_if_any(&plan).as_ref(), self.stage).map(Reverse));
            let following = plan.ordinal + 1;
            self.next = (following < self.end).then(|| auctions.plan(following));
        }
        self.due.pop().map(|Reverse(position)| position)
    }
}
