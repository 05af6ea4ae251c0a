//! Where records go.
//!
//! A sink is fed by one thread, in order, and closed once. Only after a close without error is everything that was submitted
//! where it belongs.

pub mod counted;
pub mod files;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod null;
pub mod stdout;

use std::io;
use std::time::Duration;

use crate::files::FilesError;
use crate::generator::record::Record;
#[cfg(feature = "kafka")]
use crate::kafka::KafkaError;

/// A place that takes records.
pub trait Sink {
    /// Takes the next record. It may wait while the sink is busy.
    ///
    /// # Errors
    /// If the record, or an earlier one, cannot be stored. Nothing may be submitted after an error.
    fn submit(&mut self, record: &Record) -> Result<(), SinkError>;

    /// Lets `span` pass, because the next record is not due yet. What was submitted goes out meanwhile.
    ///
    /// # Errors
    /// If an earlier record turns out not to be stored.
    fn wait(&mut self, span: Duration) -> Result<(), SinkError>;

    /// Waits until everything submitted is stored. `complete` says whether the window ended by itself, not by a signal.
    ///
    /// # Errors
    /// If anything submitted is not stored; the error says what.
    fn close(&mut self, complete: bool) -> Result<(), SinkError>;

    /// Records that the other side acknowledged; `None` where nobody acknowledges.
    fn acked(&self) -> Option<u64> {
        None
    }

    /// Transactions that are committed so far. When this has grown, all that was submitted before is where it belongs.
    fn commits(&self) -> u64 {
        0
    }
}

/// Why a sink could not store a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SinkError {
    /// The sink was waiting when a signal came: the record was not taken, all before it were.
    #[error("stopped by a signal")]
    Stopped,
    /// Whoever reads our standard output has had enough: not a failure (`| head`).
    #[error("the reader of standard output has gone")]
    ReaderGone,
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[source] io::Error),
    /// A folder.
    #[error(transparent)]
    Files(FilesError),
    /// Kafka.
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

impl From<FilesError> for SinkError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Stopped => Self::Stopped,
            error => Self::Files(error),
        }
    }
}
