//! What is read ahead of a log, and kept until its turn.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use super::context::Context;
use crate::generator::fingerprint::Fingerprints;
use crate::generator::spec::Stage;
use crate::generator::stream::Position;
use crate::log::record::LogRecord;
use crate::source::{Source, SourceError};

/// A record that was read, with what is known of it once it was asked for.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) record: LogRecord,
    /// The positions that it can have.
    pub(super) known: Option<Vec<Position>>,
}

/// The next records of a log. By index: the first is the next one.
#[derive(Debug)]
pub(super) struct ReadAhead {
    log: usize,
    stage: Stage,
    held: VecDeque<Held>,
    spare: Vec<LogRecord>,
    is_read: bool,
    records: u64,
    last_offset: Option<i64>,
}

impl ReadAhead {
    /// Of a source's log, which belongs to the topic of a stage.
    pub(super) fn new(log: usize, stage: Stage) -> Self {
        let (held, spare) = (VecDeque::new(), Vec::new());
        Self { log, stage, held, spare, is_read: false, records: 0, last_offset: None }
    }

    /// Its first records, which stay.
    pub(super) fn heads(&self) -> Vec<&LogRecord> {
        self.held.iter().map(|held| &held.record).collect()
    }

    /// Reads until `count` records are held; false if the log ends before.
    pub(super) fn hold(
        &mut self,
        source: &mut dyn Source,
        fingerprints: &mut Option<Fingerprints>,
        count: usize,
    ) -> Result<bool, SourceError> {
        while self.held.len() < count && !self.is_read {
            let mut record = self.spare.pop().unwrap_or_default();
            if source.next(self.log, &mut record)? {
                self.records += 1;
                if let Some(fingerprints) = fingerprints {
                    record.add_to(fingerprints, self.stage);
                }
                self.held.push_back(Held { record, known: None });
            } else {
                self.is_read = true;
            }
        }
        Ok(self.held.len() >= count)
    }

    /// The same while logs are compared, unless a signal asks to stop.
    pub(super) fn hold_for(&mut self, with: &mut Context<'_>, count: usize) -> Result<bool, SourceError> {
        if with.stop.is_requested() {
            return Err(SourceError::Stopped);
        }
        self.hold(with.source, &mut with.fingerprints, count)
    }

    /// Takes the next record away.
    pub(super) fn pass(&mut self) {
        if let Some(Held { record, .. }) = self.held.pop_front() {
            self.last_offset = Some(record.offset);
            if self.spare.len() < 2 {
                self.spare.push(record);
            }
        }
    }

    /// The next record, if it was read.
    pub(super) fn first(&self) -> Option<&LogRecord> {
        self.held.front().map(|held| &held.record)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many records were read.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// The offset of the record that was taken away last.
    pub(super) fn last_offset(&self) -> Option<i64> {
        self.last_offset
    }
}

impl Index<usize> for ReadAhead {
    type Output = Held;

    fn index(&self, at: usize) -> &Held {
        &self.held[at]
    }
}

impl IndexMut<usize> for ReadAhead {
    fn index_mut(&mut self, at: usize) -> &mut Held {
        &mut self.held[at]
    }
}
