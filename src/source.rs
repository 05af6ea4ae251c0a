//! The same records read back: from topics, from a folder of files, from memory.
//!
//! A source holds *logs*: sequences of records that are each in one order. In Kafka that is a partition; a file holds all
//! partitions of its topic in emit order, so there it is the whole topic.

pub mod files;
pub mod memory;
#[cfg(feature = "kafka")]
pub mod topics;

use crate::files::ReadError;
use crate::generator::spec::{ByStage, Layout, Stage, TopicName};
#[cfg(feature = "kafka")]
use crate::kafka::KafkaError;
use crate::log::record::LogRecord;

/// Logs that can be read, each from its beginning to where it ended when the source was opened.
pub trait Source {
    /// The topics as they are here, with their real partition counts.
    fn layout(&self) -> &Layout;

    /// The logs, by stage and partition.
    fn logs(&self) -> &[LogPlace];

    /// Fills `record` with the next record of a log; false at its end.
    ///
    /// # Errors
    /// If it cannot be read.
    fn next(&mut self, log: usize, record: &mut LogRecord) -> Result<bool, SourceError>;

    /// The last records of each log, `count` at most, in order. Reading on with [`Source::next`] is not disturbed.
    ///
    /// # Errors
    /// If they cannot be read.
    fn tails(&mut self, count: usize) -> Result<Vec<Vec<LogRecord>>, SourceError>;

    /// Topics of which a record was read whose time is that of a broker's clock (`LogAppendTime`).
    fn restamped(&self) -> Vec<TopicName> {
        Vec::new()
    }
}

/// Which log it is, and what is known of it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    /// The stage whose topic it belongs to.
    pub stage: Stage,
    /// Its partition; `None` if it holds all of them.
    pub partition: Option<u32>,
    /// Where its beginning was removed, by retention or by somebody: the offset that it begins at now.
    pub log_start_offset: Option<i64>,
    /// Whether it holds nothing. Where it holds offsets without records, as transactions leave them, only reading tells.
    pub is_empty: bool,
}

/// Why records could not be read back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Kafka.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A folder.
    #[error(transparent)]
    Files(#[from] ReadError),
    /// A signal came while records were read.
    #[error("stopped by a signal")]
    Stopped,
}

/// A log's index in a source of one log a partition or one a topic.
#[derive(Debug, Clone)]
pub struct LogIndex {
    first: ByStage<usize>,
    by_partition: bool,
}

impl LogIndex {
    /// The index of a source's logs.
    #[must_use]
    pub fn new(logs: &[LogPlace]) -> Self {
        let first = |stage| logs.iter().position(|log| log.stage == stage).unwrap_or(logs.len());
        Self { first: ByStage::from_fn(first), by_partition: logs.iter().any(|log| log.partition.is_some()) }
    }

    /// The log of a partition.
    #[must_use]
    pub fn of(&self, stage: Stage, partition: u32) -> usize {
        self.first[stage] + if self.by_partition { partition as usize } else { 0 }
    }
}
