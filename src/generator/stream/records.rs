//! Cursors over records, in the total order.

use super::emit_queue::EmitQueue;
use super::record_builder::{AssignedBuilder, DueRecord, RecordBuilder};
use super::{Assignment, Position};
use crate::generator::record::Record;

/// A cursor over the records of a window, in the total order.
///
/// As an iterator it gives each record in buffers of its own; [`Records::next_into`] reuses one record's buffers.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    builder: &'a RecordBuilder,
    queue: EmitQueue<'a>,
}

impl<'a> Records<'a> {
    /// The records of the auctions `start..end`, which lie in the stream.
    pub(super) fn new(builder: &'a RecordBuilder, start: u64, end: u64) -> Self {
        Self { builder, queue: EmitQueue::new(builder.auctions(), start, end) }
    }

    /// Fills `record` with the next record; false when the window is complete.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        let Some((position, words)) = self.queue.next() else { return false };
        self.builder.fill_of_words(position, words, record);
        true
    }

    /// Passes over the next record, and says where it stands; `None` when the window is complete.
    pub fn next_position(&mut self) -> Option<Position> {
        self.queue.next().map(|(position, _)| position)
    }

    /// Where the next record stands; `None` when the window is complete.
    pub fn peek_position(&mut self) -> Option<Position> {
        self.queue.peek()
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}

/// A cursor over the records of an assignment, in the total order.
///
/// What belongs to another assignment costs a plan and at most a key, never a document. As an iterator it gives each record in
/// buffers of its own.
#[derive(Debug, Clone)]
pub struct AssignedRecords<'a> {
    records: Records<'a>,
    assignment: &'a Assignment,
    least_held: [Option<Position>; 4],
}

/// One step of [`AssignedRecords`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next record of the assignment was filled in.
    Record,
    /// Records here belong to other assignments, and were skipped.
    Skipped {
        /// Where the last of them stands.
        to: Position,
        /// How many they are, from 1.
        count: usize,
    },
    /// The assignment is complete.
    End,
}

impl<'a> AssignedRecords<'a> {
    /// The records of an assignment, of which each stage holds everything up to `least_held`.
    pub(super) fn new(records: Records<'a>, assignment: &'a Assignment, least_held: [Option<Position>; 4]) -> Self {
        Self { records, assignment, least_held }
    }

    /// Takes one step: fills `record` with the next record if it belongs to the assignment, or skips it.
    pub fn step(&mut self, record: &mut Record) -> Step {
        let builder = self.builder();
        let Some((position, words)) = self.records.queue.next() else { return Step::End };
        let is_held = Some(position) <= self.least_held[position.stage.index()];
        let is_filled = !is_held && builder.fill_of_words(position, words, record);
        if is_filled { Step::Record } else { Step::Skipped { to: position, count: 1 } }
    }

    /// Walks over the next `count` records, and takes over into `due` what those are made of that may belong to the assignment. Says
    /// how many there were, and where the last one stands; `None` if there was none.
    pub(super) fn walk(&mut self, count: usize, due: &mut Vec<DueRecord>) -> (usize, Option<Position>) {
        due.clear();
        let (mut walked, mut last) = (0, None);
        for _ in 0..count {
            let Some((position, words)) = self.records.queue.next() else { break };
            if Some(position) > self.least_held[position.stage.index()] {
                due.push(DueRecord { position, words: words.clone() });
            }
            (walked, last) = (walked + 1, Some(position));
        }
        (walked, last)
    }

    /// What builds the records that are walked over.
    pub(super) fn builder(&self) -> AssignedBuilder<'a> {
        AssignedBuilder { builder: self.records.builder, assignment: self.assignment }
    }
}

impl Iterator for AssignedRecords<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        loop {
            match self.step(&mut record) {
                Step::Record => return Some(record),
                Step::Skipped { .. } => {}
                Step::End => return None,
            }
        }
    }
}
