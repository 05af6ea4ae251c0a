//! A log, as far as resuming looks at it. Kafka's topics are one ([`super::TopicLog`]); tests script another.

use std::time::Duration;

use super::ResumeError;
use crate::generator::spec::{ByStage, Stage};
use crate::kafka::GroupCommitted;
use crate::log::record::LogRecord;

/// Four topics' partitions, which can be looked at and read.
pub trait Log {
    /// Where each partition begins and ends now, by stage.
    ///
    /// # Errors
    /// If a broker does not answer.
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError>;

    /// Shows the committed records of some ranges, in order within each, until `each` fails. A partition stands in one range at
    /// most. The ends of transactions, and the records of aborted ones, take offsets and are not shown.
    ///
    /// # Errors
    /// If a broker does not answer, or with what `each` says.
    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError>;

    /// What an earlier run committed of each partition beside the log, by stage; nothing where nobody can or may tell.
    ///
    /// # Errors
    /// If a signal comes.
    fn committed(&mut self) -> Result<GroupCommitted, ResumeError> {
        Ok(GroupCommitted::default())
    }

    /// Lets time pass.
    fn pause(&mut self, span: Duration);

    /// For how long end offsets must stand still before no request of a dead writer is expected any more.
    fn settle_time(&self) -> Duration;
}

/// Takes a record that was read.
pub type Each<'a> = dyn FnMut(&Range, &LogRecord) -> Result<(), ResumeError> + 'a;

/// Where a partition's log begins and ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offsets {
    /// Offset of its first record: above 0 once retention has removed some.
    pub log_start: i64,
    /// Offset that its next record will have.
    pub log_end: i64,
    /// Offset of the first record of the first transaction that has not ended; `log_end` if all have.
    pub last_stable: i64,
}

impl Offsets {
    /// Whether somebody's transaction is open there: what stands behind it no reader sees yet.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.last_stable < self.log_end
    }

    /// Whether it holds no record now.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.log_start >= self.log_end
    }
}

/// Offsets of one partition, from `from` up to but not including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The stage whose topic it is.
    pub stage: Stage,
    /// The partition.
    pub partition: u32,
    /// Its first offset.
    pub from: i64,
    /// The offset behind its last one.
    pub end: i64,
}
