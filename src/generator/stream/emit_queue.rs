//! The order in which records become due, and the plans of their auctions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::plans::Plans;
use super::position::{PackedPosition, Position, positions_of};
use crate::generator::auction::{Auctions, CopyKind, Plan};
use crate::generator::spec::Stage;

/// The records of some auctions that follow one another, by position, in order.
#[derive(Debug, Clone)]
pub(super) struct EmitQueue<'a> {
    /// The auctions whose records are not in `due`.
    plans: Plans<'a>,
    /// Positions, each with the place of its auction in `pending`.
    due: BinaryHeap<Reverse<(PackedPosition, u32)>>,
    /// Auctions of which records are in `due`, and free places.
    pending: Vec<Pending>,
    free: Vec<u32>,
    /// Whether no fault is planned, and then the auction whose request was taken last.
    is_plain: bool,
    request: Plan,
}

/// An auction that has records to come.
#[derive(Debug, Clone)]
struct Pending {
    plan: Plan,
    left: u32,
}

impl<'a> EmitQueue<'a> {
    /// The records of the auctions `start..end`, which lie in the stream.
    pub(super) fn new(auctions: &'a Auctions, start: u64, end: u64) -> Self {
        let plans = Plans::new(auctions, start, end);
        let (due, pending, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { plans, due, pending, free, is_plain: auctions.is_plain(), request: Plan::default() }
    }

    /// Where the next record stands, and the plan of its auction.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(Position, &Plan)> {
        if self.is_plain {
            // Requests follow one another in their order, and so need not pass through the heap.
            let head = self.due.peek().map(|Reverse((head, _))| *head);
            if let Some((plan, _)) = self.plans.peek()
                && let request = request_of(plan)
                && head.is_none_or(|head| PackedPosition::from(request) < head)
            {
                self.request = *plan;
                self.plans.pass();
                self.push_children();
                return Some((request, &self.request));
            }
        } else {
            self.admit();
        }
        let Reverse((position, place)) = self.due.pop()?;
        let pending = &mut self.pending[place as usize];
        pending.left -= 1;
        if pending.left == 0 {
            self.free.push(place);
        }
        Some((position.into(), &pending.plan))
    }

    /// Where the next record stands, which stays.
    pub(super) fn peek(&mut self) -> Option<Position> {
        if !self.is_plain {
            self.admit();
        }
        let head = self.due.peek().map(|Reverse((position, _))| (*position).into());
        let request = self.plans.peek().filter(|_| self.is_plain).map(|(plan, _)| request_of(plan));
        head.into_iter().chain(request).min()
    }

    /// Moves into the heap what follows from a request that was taken, of an auction without faults.
    #[inline]
    fn push_children(&mut self) {
        let plan = &self.request;
        let place = self.free.last().map_or(self.pending.len(), |place| *place as usize);
        let mut left = 0;
        for (stage, emit_ms) in [
            (Stage::Response, plan.response_ms),
            (Stage::Impression, plan.impression_ms),
            (Stage::Click, plan.click_ms),
        ] {
            let Some(emit_ms) = emit_ms else { break };
            let position = Position { emit_ms, ordinal: plan.ordinal, stage, copy: CopyKind::Event.copy() };
            self.due.push(Reverse((position.into(), place as u32)));
            left += 1;
        }
        if left > 0 {
            self.occupy(place, Pending { plan: *plan, left });
        }
    }

    fn occupy(&mut self, place: usize, pending: Pending) {
        if self.free.pop().is_some() {
            self.pending[place] = pending;
        } else {
            self.pending.push(pending);
        }
    }

    /// Moves into the heap every auction that could have the next record: all that arrive no later than its head is due.
    fn admit(&mut self) {
        while let Some((plan, faults)) = self.plans.peek() {
            if self.due.peek().is_some_and(|Reverse((head, _))| head.emit_ms() < plan.request_ms) {
                break;
            }
            let place = self.free.last().map_or(self.pending.len(), |place| *place as usize);
            let before = self.due.len();
            for position in positions_of(plan, faults.as_ref()) {
                self.due.push(Reverse((position.into(), place as u32)));
            }
            let left = (self.due.len() - before) as u32;
            // An auction whose records are all dropped needs no place.
            if left > 0 {
                let pending = Pending { plan: *plan, left };
                self.occupy(place, pending);
            }
            self.plans.pass();
        }
    }
}

/// Where the request of an auction without faults stands.
fn request_of(plan: &Plan) -> Position {
    let (stage, copy) = (Stage::Request, CopyKind::Event.copy());
    Position { emit_ms: plan.request_ms, ordinal: plan.ordinal, stage, copy }
}
