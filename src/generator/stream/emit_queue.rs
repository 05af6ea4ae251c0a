//! The order in which records become due, and the words that each of them is made of.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::position::{Position, positions_of};
use crate::generator::auction::{Auctions, Plan};
use crate::generator::random::Words;

/// The records of some auctions that follow one another, by position, in order.
#[derive(Debug, Clone)]
pub(super) struct EmitQueue<'a> {
    auctions: &'a Auctions,
    /// The first auction whose records are not in `due`.
    next: Option<(Plan, Words)>,
    /// The ordinal behind the last one.
    end: u64,
    /// Positions, each with the place of its auction in `pending`.
    due: BinaryHeap<Reverse<(Position, usize)>>,
    /// Auctions of which records are in `due`, and free places.
    pending: Vec<Pending>,
    free: Vec<usize>,
}

/// An auction that has records to come.
#[derive(Debug, Clone)]
struct Pending {
    words: Words,
    left: usize,
}

impl<'a> EmitQueue<'a> {
    /// The records of the auctions `start..end`, which lie in the stream.
    pub(super) fn new(auctions: &'a Auctions, start: u64, end: u64) -> Self {
        let mut records =
            Self { auctions, next: None, end, due: BinaryHeap::new(), pending: Vec::new(), free: Vec::new() };
        records.next = records.draw(start);
        records
    }

    fn draw(&self, ordinal: u64) -> Option<(Plan, Words)> {
        (ordinal < self.end).then(|| {
            let words = self.auctions.words(ordinal);
            (self.auctions.plan_of_words(ordinal, &words), words)
        })
    }

    /// Where the next record stands, and the words of its auction.
    pub(super) fn next(&mut self) -> Option<(Position, &Words)> {
        self.admit();
        let Reverse((position, place)) = self.due.pop()?;
        let pending = &mut self.pending[place];
        pending.left -= 1;
        if pending.left == 0 {
            self.free.push(place);
        }
        Some((position, &pending.words))
    }

    /// Where the next record stands.
    pub(super) fn peek(&mut self) -> Option<Position> {
        self.admit();
        self.due.peek().map(|Reverse((position, _))| *position)
    }

    /// Moves into the heap every auction that could have the next record: all that arrive no later than its head is due.
    fn admit(&mut self) {
        while let Some((plan, _)) = &self.next {
            if self.due.peek().is_some_and(|Reverse((head, _))| head.emit_ms < plan.request_ms) {
                break;
            }
            let following = self.draw(plan.ordinal + 1);
            let Some((plan, words)) = std::mem::replace(&mut self.next, following) else { break };
            let place = self.free.pop().unwrap_or(self.pending.len());
            let before = self.due.len();
            self.due.extend(positions_of(self.auctions, &plan).map(|position| Reverse((position, place))));
            let pending = Pending { words, left: self.due.len() - before };
            if pending.left == 0 {
                // All its records are dropped.
                self.free.extend((place < self.pending.len()).then_some(place));
                continue;
            }
            match self.pending.get_mut(place) {
                Some(free) => *free = pending,
                None => self.pending.push(pending),
            }
        }
    }
}
