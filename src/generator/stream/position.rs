//! Positions: where a record stands in the stream's total order, and how a record that was read finds its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Window;
use super::plans::Plans;
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

/// A position in 16 bytes, whose order as a number is the total order: the time, the ordinal, which lies below 2^58, two bits of stage
/// and three of copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackedPosition(u64, u64);

impl PackedPosition {
    /// Times before 1970 come first, too.
    const SIGN: u64 = 1 << 63;

    #[inline]
    pub(super) fn emit_ms(self) -> i64 {
        (self.0 ^ Self::SIGN).cast_signed()
    }
}

impl From<Position> for PackedPosition {
    #[inline]
    fn from(Position { emit_ms, ordinal, stage, copy }: Position) -> Self {
        debug_assert!(ordinal < 1 << 58 && copy < 8, "no position of auction {ordinal}, copy {copy}");
        let low = ordinal << 5 | (stage.index() as u64) << 3 | u64::from(copy);
        Self(emit_ms.cast_unsigned() ^ Self::SIGN, low)
    }
}

impl From<PackedPosition> for Position {
    #[inline]
    fn from(packed: PackedPosition) -> Self {
        let low = packed.1;
        let stage = Stage::ALL[(low >> 3 & 3) as usize];
        Self { emit_ms: packed.emit_ms(), ordinal: low >> 5, stage, copy: (low & 7) as u32 }
    }
}

/// The positions of a planned auction's records: by stage and copy, not in their order.
pub(super) fn positions_of<'p>(
    plan: &'p Plan,
    faults: Option<&'p PlannedFaults>,
) -> impl Iterator<Item = Position> + use<'p> {
    Stage::ALL.into_iter().flat_map(move |stage| positions_of_stage(plan, faults, stage))
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
    let mut found = Vec::new();
    for (plan, faults) in
        Plans::new(auctions, first, end).filter(|(plan, _)| plan.event_ms(stage) == Some(timestamp_ms))
    {
        let positions = positions_of_stage(&plan, faults.as_ref(), stage);
        found.extend(positions.filter(|&position| is_it(&plan, position)));
    }
    found
}

/// A cursor over the positions of one stage in a window, in order.
#[derive(Debug, Clone)]
pub struct Positions<'a> {
    stage: Stage,
    /// The least lag of the stage, in milliseconds.
    lag_ms_min: i64,
    /// The auctions whose positions are not in `due`.
    plans: Plans<'a>,
    due: BinaryHeap<Reverse<PackedPosition>>,
}

impl<'a> Positions<'a> {
    /// The positions of a stage in a window. It draws plans and faults, and nothing else.
    pub(super) fn new(auctions: &'a Auctions, stage: Stage, window: Window) -> Self {
        let end = window.end().unwrap_or(u64::MAX).min(auctions.clock().auctions());
        let (lag_ms_min, _) = event_lag_ms(&auctions.spec().faults, stage);
        Self { stage, lag_ms_min, plans: Plans::new(auctions, window.start(), end), due: BinaryHeap::new() }
    }
}

impl Iterator for Positions<'_> {
    type Item = Position;

    fn next(&mut self) -> Option<Position> {
        while let Some((plan, faults)) = self.plans.peek() {
            if self.due.peek().is_some_and(|Reverse(head)| head.emit_ms() < plan.request_ms + self.lag_ms_min) {
                break;
            }
            let positions = positions_of_stage(plan, faults.as_ref(), self.stage);
            self.due.extend(positions.map(|position| Reverse(position.into())));
            self.plans.pass();
        }
        self.due.pop().map(|Reverse(position)| position.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        (any::<i64>(), 0..1u64 << 58, prop::sample::select(Stage::ALL.to_vec()), 0..6u32)
            .prop_map(|(emit_ms, ordinal, stage, copy)| Position { emit_ms, ordinal, stage, copy })
    }

    proptest! {
        /// forall positions: packed they are the same, and in the same order.
        #[test]
        fn a_packed_position_stands_where_it_stood(a in position(), b in position(), is_alike: bool) {
            let b = if is_alike { Position { emit_ms: a.emit_ms, ..b } } else { b };
            let packed = |position| PackedPosition::from(position);
            prop_assert_eq!(Position::from(packed(a)), a);
            prop_assert_eq!(packed(a).cmp(&packed(b)), a.cmp(&b));
        }
    }
}
