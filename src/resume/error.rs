//! Why a log is not resumed.

use crate::generator::spec::{Stage, TopicName};
use crate::generator::stream::{Position, WindowError};
use crate::generator::timestamp::Timestamp;
use crate::kafka::KafkaError;

/// Why a run cannot begin behind what the topics hold.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResumeError {
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// The window that follows from the log does not exist.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A signal came while the log was looked at.
    #[error("stopped by a signal before anything was written")]
    Stopped,
    /// A record that was to be read is there no more.
    #[error(
        "retention removes the topics' first records faster than they can be read\n\
         raise the topics' retention.ms and retention.bytes, then give the same command again"
    )]
    Removed,
    /// End offsets do not stand still.
    #[error(
        "another writer is at work: topic `{topic}`, partition {partition} has not stood still for {seconds} s\n\
         wait until it has ended, or give each its own topics"
    )]
    Unsettled {
        /// A topic that grows.
        topic: TopicName,
        /// Its partition that grows.
        partition: u32,
        /// How long was waited.
        seconds: u64,
    },
    /// Somebody's transaction does not end.
    #[error(
        "topic `{topic}`, partition {partition} holds a transaction that has been open for {seconds} s, and no reader sees what stands behind it\n\
         stop its writer, or wait until the brokers end it (its transaction.timeout.ms), then give the same command again"
    )]
    OpenTransaction {
        /// The topic.
        topic: TopicName,
        /// The partition.
        partition: u32,
        /// How long was waited.
        seconds: u64,
    },
    /// There is nothing to go on with.
    #[error("the topics hold no records to resume after")]
    NothingHeld,
    /// Planned faults leave no request by which the window's start could be told afterwards.
    #[error(
        "a window from now begins with a request that no planned fault touches, and none of the next million is one"
    )]
    NoPlainRequest,
    /// A partition holds something that does not fit.
    #[error("topic `{topic}`, partition {partition}{}: {why}", at(*.offset))]
    Refused {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: u32,
        /// The record, where it is about one.
        offset: Option<i64>,
        /// What does not fit.
        why: Box<Mismatch>,
    },
    /// The log no longer shows where a window from `now` began, and something depends on that.
    #[error(
        "the topics' first records are removed already, so where a window from `now` began cannot be told, nor {what}"
    )]
    StartUnknown {
        /// What depends on it.
        what: &'static str,
    },
}

fn at(offset: Option<i64>) -> String {
    offset.map_or_else(String::new, |offset| format!(", offset {offset}"))
}

/// How something in the log does not fit into the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Not a record of the stream.
    #[error(
        "the record with key {key} and time {} is not of this stream: another program wrote it, or another seed, rate, epoch or key policy",
        Timestamp(*.timestamp_ms)
    )]
    Foreign {
        /// Its key.
        key: String,
        /// Its time, in milliseconds since 1970.
        timestamp_ms: i64,
    },
    /// A record of the stream, in another partition.
    #[error("{found} belongs to partition {expected} of {partitions}: were partitions added?")]
    Elsewhere {
        /// The record.
        found: RecordRef,
        /// Where it belongs.
        expected: u32,
        /// How many partitions the topic has.
        partitions: u32,
    },
    /// A record of the stream with other bytes.
    #[error("{found} has another {part} than the stream's: was it written with other options, or altered?")]
    Altered {
        /// The record.
        found: RecordRef,
        /// `value` or `headers`.
        part: &'static str,
    },
    /// A record from before the window.
    #[error(
        "{found} stands before the window, which starts with auction {start}: a run with an earlier start wrote it"
    )]
    BeforeWindow {
        /// The record.
        found: RecordRef,
        /// The window's first ordinal.
        start: u64,
    },
    /// A record from behind the window.
    #[error("{found} stands behind the window, which ends before auction {end}: a larger window wrote it")]
    BehindWindow {
        /// The record.
        found: RecordRef,
        /// The ordinal behind the window's last one.
        end: u64,
    },
    /// The log begins with another record than the window.
    #[error(
        "it begins with {found}, but the window begins there with {expected}: a run with another start, other rates or other planned faults wrote it, or its first records are lost"
    )]
    OtherStart {
        /// The first record.
        found: RecordRef,
        /// What should be the first.
        expected: RecordRef,
    },
    /// A record is missing.
    #[error("{found} stands where {expected} should: records are missing, or other rates or planned faults wrote it")]
    Missing {
        /// The record.
        found: RecordRef,
        /// What should stand there.
        expected: RecordRef,
    },
    /// Planned faults repeat its last record, and too little is left before it to tell which of the two it is.
    #[error(
        "{one} is its last record, which this stream has twice, due {} and {}, and retention has left too few records before it to tell which one \
         it is",
        Timestamp(.emit_ms[0]),
        Timestamp(.emit_ms[1])
    )]
    Ambiguous {
        /// The record.
        one: RecordRef,
        /// When the two are due, in milliseconds since 1970.
        emit_ms: [i64; 2],
    },
    /// A bounded window was drained here.
    #[error(
        "{found} stands where {expected} should: this log was written by a window that ends at auction {end} ({}), whose last funnels are \
         complete, so it cannot be extended",
        Timestamp(*.end_ms)
    )]
    Drained {
        /// The record.
        found: RecordRef,
        /// What the larger window has there.
        expected: RecordRef,
        /// The first auction that the log's window does not have.
        end: u64,
        /// When that one arrives, in milliseconds since 1970.
        end_ms: i64,
    },
    /// A record stands twice, or too late.
    #[error(
        "{found} stands here although the log has gone past it: it is repeated, or out of order. A second writer does that, and under idempotent \
         delivery a broker that stores a batch twice after a change of leaders (librdkafka issue 4953; exactly-once delivery undoes such a batch)"
    )]
    Repeated {
        /// The record.
        found: RecordRef,
    },
    /// Retention removed everything, and the start is not known.
    #[error(
        "retention has removed all of its records, and a window from `now` cannot tell how many they were meant to be"
    )]
    Emptied,
    /// Retention removed everything, and its offsets count more than records.
    #[error(
        "retention has removed all of its records, and where transactions were written its offsets count their ends too, so nothing \
         tells how many records there were: keep records longer than a partition stays silent (retention.ms)"
    )]
    Uncounted,
    /// It ended further than the window goes.
    #[error("it had {end} records before retention removed them, but the window has only {expected} for it")]
    TooMany {
        /// How many it had.
        end: i64,
        /// How many the window has.
        expected: i64,
    },
    /// A topic is empty beside topics that are far.
    #[error(
        "the topic is empty, although {expected} should be its first record and the others have come to {furthest}: was it deleted and recreated?"
    )]
    NewTopic {
        /// What should be there.
        expected: RecordRef,
        /// How far the others are.
        furthest: RecordRef,
    },
}

impl Mismatch {
    /// Whether another value of an option may be all that is wrong.
    #[must_use]
    pub fn may_be_of_options(&self) -> bool {
        use Mismatch::{Altered, Elsewhere, Foreign, Missing, OtherStart, Repeated};
        matches!(
            self,
            Foreign { .. } | Altered { .. } | OtherStart { .. } | Missing { .. } | Repeated { .. } | Elsewhere { .. }
        )
    }

    /// Whether somebody has written it; other misfits are what retention leaves, or follow from the options.
    #[must_use]
    pub fn is_of_a_writer(&self) -> bool {
        use Mismatch::{Altered, BehindWindow, Elsewhere, Foreign, Missing, Repeated};
        matches!(
            self,
            Foreign { .. } | Elsewhere { .. } | Altered { .. } | BehindWindow { .. } | Missing { .. } | Repeated { .. }
        )
    }
}

/// A record of the stream, named for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef {
    stage: Stage,
    ordinal: u64,
    emit_ms: i64,
}

impl From<Position> for RecordRef {
    fn from(position: Position) -> Self {
        Self { stage: position.stage, ordinal: position.ordinal, emit_ms: position.emit_ms }
    }
}

impl std::fmt::Display for RecordRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} of auction {} ({})", self.stage, self.ordinal, Timestamp(self.emit_ms))
    }
}
