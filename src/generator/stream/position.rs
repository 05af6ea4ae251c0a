//! Positions: where a record stands in the stream's total order, and how a record that was read finds its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Window;
use crate::generator::auction::{Auctions, CopyKind, Plan, PlannedFaults};
use crate::generator::record::Record;
use crate::generator::spec::Stage;
use crate::generator::spec::delays::event_lag_ms;

/// Where a record stands in the total order of its stream: the fields, in this order, are the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When it is due on the virtual timeline, in milliseconds since 1970.
    pub emit_ms: i64,
    /// Its auction.
    pub ordinal: u64,
    /// Its stage.
    pub stage: Stage,
    /// Which copy of its event it is: the number of its [`CopyKind`]; 0 but for planned faults.
    pub copy: u32,
}

impl From<&Record> for Position {
    fn from(record: &Record) -> Self {
        Self { emit_ms: record.emit_ms, ordinal: record.ordinal, stage: record.stage, copy: record.copy }
    }
}

/// The positions of a planned auction's records: by stage and copy, not in their order.
pub(super) fn positions_of<'p>(auctions: &Auctions, plan: &'p Plan) -> impl Iterator<Item = Position> + use<'p> {
    let faults = auctions.planned_faults_if_any(plan);
    Stage::ALL.into_iter().flat_map(move |stage| positions_of_stage(plan, faults.as_ref(), stage))
}

/// The positions of a planned auction's records of a stage, by copy, not in their order. Without faults none is planned.
fn positions_of_stage<'p>(
    plan: &'p Plan,
    faults: Option<&PlannedFaults>,
    stage: Stage,
) -> impl Iterator<Item = Position> + use<'p> {
    let faults = faults.map(|faults| *faults.of(stage));
    let kinds = if faults.is_some() { CopyKind::ALL.as_slice() } else { &CopyKind::ALL[..1] };
    let at = move |&kind: &CopyKind| {
        let event_ms = plan.event_ms(stage)?;
        let emit_ms = faults.map_or(Some(event_ms), |faults| faults.emit_ms(kind, event_ms))?;
        Some(Position { emit_ms, ordinal: plan.ordinal, stage, copy: kind.copy() })
    };
    kinds.iter().filter_map(at)
}

/// The positions of the records of a stage that carry this timestamp and are the ones looked for.
///
/// Only auctions whose event can fall on the timestamp are looked at: at most rate × (largest − least lag of the stage).
pub(super) fn locate(
    auctions: &Auctions,
    stage: Stage,
    timestamp_ms: i64,
    is_it: impl Fn(&Plan, Position) -> bool,
) -> Vec<Position> {
    let (lag_ms_min, lag_ms_max) = event_lag_ms(&auctions.spec().faults, stage);
    let first = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_max));
    let end = auctions.first_from_ms(timestamp_ms.saturating_sub(lag_ms_min).saturating_add(1));
    let plans = (first..end).map(|ordinal| auctions.plan(ordinal));
    let mut found = Vec::new();
    for plan in plans.filter(|plan| plan.event_ms(stage) == Some(timestamp_ms)) {
        let positions = positions_of_stage(&plan, auctions.planned_faults_if_any(&plan).as_ref(), stage);
        found.extend(positions.filter(|&position| is_it(&plan, position)));
    }
    found
}

/// A cursor over the positions of one stage in a window, in order.
#[derive(Debug, Clone)]
pub struct Positions<'a> {
    auctions: &'a Auctions,
    stage: Stage,
    /// The least lag of the stage, in milliseconds.
    lag_ms_min: i64,
    /// The first auction whose positions are not in `due`.
    next: Option<Plan>,
    end: u64,
    due: BinaryHeap<Reverse<Position>>,
}

impl<'a> Positions<'a> {
    /// The positions of a stage in a window. It draws plans and faults, and nothing else.
    pub(super) fn new(auctions: &'a Auctions, stage: Stage, window: Window) -> Self {
        let end = window.end().unwrap_or(u64::MAX).min(auctions.clock().auctions());
        let next = (window.start() < end).then(|| auctions.plan(window.start()));
        let (lag_ms_min, _) = event_lag_ms(&auctions.spec().faults, stage);
        Self { auctions, stage, lag_ms_min, next, end, due: BinaryHeap::new() }
    }
}

impl Iterator for Positions<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        let auctions = self.auctions;
        while let Some(plan) = self.next {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms < plan.request_ms + self.lag_ms_min) {
                break;
            }
            self.due.extend(
                positions_of_stage(&plan, auctions.planned_faults_if_any(&plan).as_ref(), self.stage).map(Reverse),
            );
            let following = plan.ordinal + 1;
            self.next = (following < self.end).then(|| auctions.plan(following));
        }
        self.due.pop().map(|Reverse(position)| position)
    }
}
