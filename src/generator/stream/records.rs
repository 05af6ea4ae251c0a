//! Cursors over records, in the total order.

use super::batch::{Batch, KeyedPosition};
use super::emit_queue::EmitQueue;
use super::record_builder::RecordBuilder;
use super::{Assignment, Position};
use crate::generator::record::Record;

/// Positions of the first batch: a window of a few auctions need not pay for more.
const FIRST_BATCH: usize = 16;

/// Positions of a batch: enough to fill the processor's vectors and that handing it from thread to thread does not show, few enough that
/// files by two threads take less than 16 MiB of memory.
pub(super) const BATCH: usize = 384;

/// A cursor over the records of a window, in the total order.
///
/// As an iterator it gives each record in buffers of its own; [`Records::next_into`] reuses one record's buffers.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    builder: &'a RecordBuilder,
    queue: EmitQueue<'a>,
    /// What was walked over and is ready, and how many of it were taken.
    batch: Batch,
    taken: usize,
    /// Positions of the next batch.
    size: usize,
}

impl<'a> Records<'a> {
    /// The records of the auctions `start..end`, which lie in the stream.
    pub(super) fn new(builder: &'a RecordBuilder, start: u64, end: u64) -> Self {
        let queue = EmitQueue::new(builder.auctions(), start, end);
        Self { builder, queue, batch: Batch::default(), taken: 0, size: FIRST_BATCH }
    }

    /// Fills `record` with the next record; false when the window is complete.
    pub fn next_into(&mut self, record: &mut Record) -> bool {
        if self.taken == self.batch.len() {
            self.refill(None, &[None; 4]);
        }
        self.take_ready(record)
    }

    /// Passes over the next record, and says where it stands; `None` when the window is complete.
    pub fn next_position(&mut self) -> Option<Position> {
        match self.batch.position(self.taken) {
            Some(position) => {
                self.taken += 1;
                Some(position)
            }
            None => self.queue.next().map(|(position, _)| position),
        }
    }

    /// Where the next record stands; `None` when the window is complete.
    pub fn peek_position(&mut self) -> Option<Position> {
        self.batch.position(self.taken).or_else(|| self.queue.peek())
    }

    /// Makes the next batch ready.
    fn refill(
        &mut self,
        assignment: Option<&Assignment>,
        least_held: &[Option<Position>; 4],
    ) -> (usize, Option<Position>) {
        let walked = self.batch.walk(&mut self.queue, self.size, least_held);
        self.batch.make_ready(self.builder, assignment);
        self.taken = 0;
        self.size = BATCH;
        walked
    }

    /// Fills `record` with the next record of the batch, if there is one.
    fn take_ready(&mut self, record: &mut Record) -> bool {
        let is_there = self.taken < self.batch.len();
        if is_there {
            self.batch.fill(self.taken, self.builder, record);
            self.taken += 1;
        }
        is_there
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut record = Record::default();
        self.next_into(&mut record).then_some(record)
    }
}

/// A cursor over the positions of a window's records, in the total order, each with its key and partition.
#[derive(Debug, Clone)]
pub struct KeyedPositions<'a> {
    builder: &'a RecordBuilder,
    queue: EmitQueue<'a>,
    batch: Batch,
    taken: usize,
}

impl<'a> KeyedPositions<'a> {
    /// Those of the auctions `start..end`, which lie in the stream.
    pub(super) fn new(builder: &'a RecordBuilder, start: u64, end: u64) -> Self {
        let queue = EmitQueue::new(builder.auctions(), start, end);
        Self { builder, queue, batch: Batch::default(), taken: 0 }
    }
}

impl Iterator for KeyedPositions<'_> {
    type Item = KeyedPosition;

    fn next(&mut self) -> Option<KeyedPosition> {
        if self.taken == self.batch.len() {
            self.batch.walk(&mut self.queue, BATCH, &[None; 4]);
            self.batch.write_keys(self.builder);
            self.taken = 0;
        }
        self.taken += 1;
        self.batch.keyed(self.taken - 1)
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

    /// Takes one step: fills `record` with the next record of the assignment, or skips a batch that holds none.
    pub fn step(&mut self, record: &mut Record) -> Step {
        if self.records.take_ready(record) {
            return Step::Record;
        }
        let (count, last) = self.records.refill(Some(self.assignment), &self.least_held);
        match last {
            None => Step::End,
            Some(_) if self.records.take_ready(record) => Step::Record,
            Some(to) => Step::Skipped { to, count },
        }
    }

    /// Walks over the next `count` records into a batch, as [`Batch::walk`] does.
    pub(super) fn walk(&mut self, count: usize, batch: &mut Batch) -> (usize, Option<Position>) {
        batch.walk(&mut self.records.queue, count, &self.least_held)
    }

    /// What builds the records that are walked over, and whose they are.
    pub(super) fn builder(&self) -> (&'a RecordBuilder, &'a Assignment) {
        (self.records.builder, self.assignment)
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
