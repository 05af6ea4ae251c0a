//! Why a command did not succeed, and its exit code.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::advice;
use crate::cli::config::ConfigurationError;
use crate::files::{FilesError, ReadError};
use crate::generator::stream::{Shard, WindowError};
use crate::generator::timestamp::Timestamp;
use crate::kafka::KafkaError;
use crate::player::{Gap, ReportError, RunError};
use crate::resume::ResumeError;
use crate::sink::SinkError;
use crate::source::SourceError;
use crate::verify::{Explanation, VerifyError};

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("{0}\nchange --from, --to, --count or --duration (or --epoch)")]
    Window(#[from] WindowError),
    #[error("{}", advice::sink(.0))]
    Sink(#[from] SinkError),
    #[error("{}", advice::kafka(.0))]
    Kafka(#[from] KafkaError),
    /// What `check` found.
    #[error("{}", .0.join("\n"))]
    Problems(Vec<String>),
    #[error("{}", resume(.0, None))]
    Resume(#[from] ResumeError),
    /// The log holds something else, and one option explains it.
    #[error("{}", resume(.error, Some(.explanation)))]
    Explained { error: Box<ResumeError>, explanation: Explanation },
    /// In the middle of a run the log turned out to hold something else. What it advises is for starts, before anything is written.
    #[error(
        "another writer is at work: {}\nstop it; what it wrote is there to stay, so name other topics (--topic-bid-requests …), or start over with --resume recreate, which deletes these",
        .0.to_string().lines().next().unwrap_or_default()
    )]
    Intruded(#[source] ResumeError),
    #[error("{}", gap(.0))]
    Gap(Gap),
    #[error("{}", advice::source(.0))]
    Source(SourceError),
    #[error("there are no records: say by --from and --count, --to or --duration what should be there")]
    Empty,
    #[error("what was read is not what the stream says")]
    Different,
    #[error(
        "nothing was compared, so nothing is proven: no record of these topics is left, or none is there yet\n\
         keep records for longer than until they are verified (retention.ms), or write the window again into other topics"
    )]
    NothingCompared,
    #[error(
        "{}: its run was ended before the window was complete\nadd --prefix to verify what is there, or write it anew into another folder",
        .0.display()
    )]
    Incomplete(PathBuf),
    #[error("signals cannot be listened for: {0}")]
    Signals(io::Error),
    #[error(
        "cannot listen on {address}: {source}\ngive --listen an address and a port of this machine that nobody else listens on"
    )]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot write the report to {path}: {source}\ngive --report-file a file that can be written", path = .path.display())]
    ReportFile { path: PathBuf, source: io::Error },
    #[error(
        "the embedded broker cannot be reached at port {port}: {source}\ngive --embedded-port another port, or omit it for a free one"
    )]
    EmbeddedPort { port: u16, source: io::Error },
    #[error("{url}: {reason}")]
    Unhealthy { url: String, reason: String },
    #[error("the topics do not hold what was sent")]
    ReadBack,
    #[error("stopped by a signal before the window was complete")]
    Stopped,
    /// The same, where somebody could try to go on.
    #[error("stopped by a signal before the window was complete\n{0}")]
    Unfinished(&'static str),
}

/// What is wrong, why, and then the ways out.
fn resume(error: &ResumeError, explanation: Option<&Explanation>) -> String {
    let (what, ways_out) = advice::resume(error);
    let why = explanation.map(advice::explanation);
    let lines = [Some(what), why, Some(ways_out.to_owned())];
    lines.into_iter().flatten().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

/// A gap that is too large, and what to do about it.
fn gap(gap: &Gap) -> String {
    let span = |ms: i64| humantime::format_duration(Duration::from_secs(ms.unsigned_abs() / 1_000));
    let (age, limit) = (span(gap.now_ms - gap.from_ms), span(gap.limit_ms));
    format!(
        "the topics end {age} ago, at {}: the gap is larger than --catch-up {limit}\n\
         nothing was written. To fill it at full speed give a larger --catch-up; to start over name other topics (--topic-bid-requests …) \
         or delete these",
        Timestamp(gap.from_ms)
    )
}

/// A shard that owns nothing.
fn no_partition(shard: Shard, most: u32) -> Failure {
    Failure::Usage(format!(
        "--shard {shard} owns no partition: no topic has more than {most}, so {most} workers are the most that have work"
    ))
}

/// Where something is wrong, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Place {
    pub(crate) topic: Option<String>,
    pub(crate) partition: Option<i64>,
    pub(crate) offset: Option<i64>,
}

impl From<FilesError> for Failure {
    fn from(error: FilesError) -> Self {
        Self::Sink(error.into())
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        Self::Source(error.into())
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Sink(error) => Self::Sink(error),
            RunError::Kafka(error) => Self::Kafka(error),
            RunError::Resume(error) => Self::Resume(error),
            RunError::Explained { error, explanation } => Self::Explained { error, explanation },
            RunError::Intruded(error) => Self::Intruded(error),
            RunError::Gap(gap) => Self::Gap(gap),
            RunError::Source(error) => error.into(),
            RunError::NoPartition { shard, most } => no_partition(shard, most),
            RunError::EmbeddedPort { port, source } => Self::EmbeddedPort { port, source },
            RunError::ReadBack => Self::ReadBack,
            RunError::Report(error) => error.into(),
            RunError::Incomplete => Self::Stopped,
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::File { path, source } => Self::ReportFile { path, source },
            ReportError::Output(error) => Self::Sink(error),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Kafka(KafkaError::Stopped) | SourceError::Stopped => Self::Stopped,
            SourceError::Kafka(error) => Self::Kafka(error),
            error => Self::Source(error),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Source(error) => error.into(),
            VerifyError::Empty => Self::Empty,
        }
    }
}

impl Failure {
    /// Kafka's part of it, if that is what it is.
    fn kafka(&self) -> Option<&KafkaError> {
        match self {
            Self::Kafka(error) | Self::Sink(SinkError::Kafka(error)) | Self::Resume(ResumeError::Kafka(error)) => {
                Some(error.cause())
            }
            _ => None,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Place {
        if let Self::Resume(ResumeError::Refused { topic, partition, offset, .. })
        | Self::Intruded(ResumeError::Refused { topic, partition, offset, .. }) = self
        {
            return Place { topic: Some(topic.to_string()), partition: Some(i64::from(*partition)), offset: *offset };
        }
        let (topic, partition, offset) = self.kafka().map_or((None, None, None), KafkaError::place);
        Place { topic, partition: partition.map(i64::from), offset }
    }

    /// Whether a signal came before the first record.
    pub(crate) fn is_stop(&self) -> bool {
        matches!(self, Self::Resume(ResumeError::Stopped)) || matches!(self.kafka(), Some(KafkaError::Stopped))
    }

    /// Whether brokers did not answer.
    pub(crate) fn is_silence(&self) -> bool {
        self.kafka().is_some_and(KafkaError::is_silence)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Configuration(_)
            | Self::Window(_)
            | Self::Resume(ResumeError::Window(_) | ResumeError::NoPlainRequest)
            | Self::Sink(SinkError::Files(
                FilesError::NotEmpty { .. }
                | FilesError::Foreign { .. }
                | FilesError::Other { .. }
                | FilesError::LongName(_),
            )) => 2,
            Self::Kafka(error) | Self::Sink(SinkError::Kafka(error)) | Self::Resume(ResumeError::Kafka(error)) => {
                match error.cause() {
                    KafkaError::TooLarge { .. } | KafkaError::TooManyPartitions { .. } | KafkaError::Properties(_) => 2,
                    KafkaError::Stopped => 5,
                    error if error.is_another_writer() => 4,
                    _ => 3,
                }
            }
            Self::Resume(ResumeError::Unsettled { .. }) | Self::Intruded(_) => 4,
            Self::Sink(SinkError::ReaderGone) => 0,
            Self::Unhealthy { .. } | Self::Different | Self::Incomplete(_) => 1,
            Self::Stopped
            | Self::Unfinished(_)
            | Self::Sink(SinkError::Stopped)
            | Self::Resume(ResumeError::Stopped) => 5,
            Self::Sink(_)
            | Self::Resume(_)
            | Self::Gap(_)
            | Self::Source(_)
            | Self::Empty
            | Self::Explained { .. }
            | Self::NothingCompared
            | Self::ReadBack
            | Self::Signals(_)
            | Self::Problems(_)
            | Self::ReportFile { .. }
            | Self::EmbeddedPort { .. }
            | Self::Listen { .. } => 3,
        }
    }
}
