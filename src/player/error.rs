//! Why a run did not come to its end.

use std::io;
use std::path::PathBuf;

use super::gap::Gap;
use crate::files::FilesError;
use crate::generator::stream::Shard;
use crate::kafka::KafkaError;
use crate::resume::ResumeError;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::verify::Explanation;

/// Why a run did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The sink.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// What the topics hold does not fit.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// The same, and one option of the stream explains it.
    #[error("{error}\n{explanation}")]
    Explained {
        /// What does not fit.
        error: Box<ResumeError>,
        /// What explains it.
        explanation: Explanation,
    },
    /// In the middle of the run the topics turned out to hold something else.
    #[error("another writer is at work: {0}")]
    Intruded(#[source] ResumeError),
    /// The gap between what is there and now is too large to be filled unasked.
    #[error("the topics end at {} ms since 1970, and a gap of at most {} ms is filled unasked", .0.from_ms, .0.limit_ms)]
    Gap(Gap),
    /// The records of the topics could not be read back.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The shard owns nothing.
    #[error("shard {shard} owns no partition: no topic has more than {most}")]
    NoPartition {
        /// The shard.
        shard: Shard,
        /// The largest partition count.
        most: u32,
    },
    /// The broker inside this process cannot be reached at a port.
    #[error("the embedded broker cannot be reached at port {port}: {source}")]
    EmbeddedPort {
        /// Which.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What was read back is not what was sent.
    #[error("the topics do not hold what was sent")]
    ReadBack,
    /// A report could not be given.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A signal came before the window was complete.
    #[error("stopped by a signal before the window was complete")]
    Incomplete,
}

impl From<FilesError> for RunError {
    fn from(error: FilesError) -> Self {
        Self::Sink(error.into())
    }
}

impl RunError {
    /// Kafka's part of it, if that is what it is.
    fn kafka(&self) -> Option<&KafkaError> {
        match self {
            Self::Kafka(error) | Self::Sink(SinkError::Kafka(error)) | Self::Resume(ResumeError::Kafka(error)) => {
                Some(error.cause())
            }
            _ => None,
        }
    }

    /// Whether a signal came before the first record.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        matches!(self, Self::Resume(ResumeError::Stopped)) || matches!(self.kafka(), Some(KafkaError::Stopped))
    }

    /// Whether brokers did not answer.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.kafka().is_some_and(KafkaError::is_silence)
    }
}

/// Why a report could not be given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// Standard output.
    #[error(transparent)]
    Output(#[from] SinkError),
    /// Its file.
    #[error("cannot write the report to {path}: {source}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
