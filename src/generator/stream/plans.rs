//! The plans of auctions that follow one another, drawn several at a time.

use crate::generator::auction::{Auctions, Plan, PlannedFaults};
use crate::generator::simd::WIDTH;

/// A cursor over the plans of auctions that follow one another, each with what planned faults do with its records: what
/// [`Auctions::plan`] and [`Auctions::planned_faults`] say of one of them.
#[derive(Debug, Clone)]
pub(crate) struct Plans<'a> {
    auctions: &'a Auctions,
    /// The first auction that is not drawn, and the one after the last.
    next: u64,
    end: u64,
    drawn: Vec<(Plan, Option<PlannedFaults>)>,
    /// How many of them were taken.
    taken: usize,
}

impl<'a> Plans<'a> {
    /// The plans of the auctions `start..end`, which lie in the stream.
    pub(crate) fn new(auctions: &'a Auctions, start: u64, end: u64) -> Self {
        Self { auctions, next: start, end, drawn: Vec::new(), taken: 0 }
    }

    /// The plan that follows.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<&(Plan, Option<PlannedFaults>)> {
        if self.taken == self.drawn.len() {
            self.draw();
        }
        self.drawn.get(self.taken)
    }

    /// Passes over the plan that was looked at.
    #[inline]
    pub(super) fn pass(&mut self) {
        self.taken += 1;
    }

    fn draw(&mut self) {
        self.drawn.clear();
        self.taken = 0;
        let count = self.end.saturating_sub(self.next).min(WIDTH as u64);
        if count == 0 {
            return;
        }
        // What lies after the end is drawn for nothing; no auction has those ordinals.
        let ordinals = std::array::from_fn(|at| self.next + (at as u64).min(count - 1));
        let plans = self.auctions.plans_of(&ordinals);
        let faults = self.auctions.planned_faults_of(&ordinals);
        self.drawn.extend((0..count as usize).map(|at| (plans[at], faults.as_ref().map(|faults| faults[at]))));
        self.next += count;
    }
}

impl Iterator for Plans<'_> {
    type Item = (Plan, Option<PlannedFaults>);

    fn next(&mut self) -> Option<Self::Item> {
        let plan = self.peek().copied();
        self.taken += usize::from(plan.is_some());
        plan
    }
}
