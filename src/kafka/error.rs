//! What can go wrong with Kafka.

mod classify;
mod codes;
mod obstacle;
mod reading;
mod recreation;
mod refusal_cause;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

pub(crate) use self::codes::{is_denial, is_denied, is_silence};
pub use self::obstacle::Obstacle;
pub use self::reading::Reading;
pub use self::recreation::RecreationError;
pub use self::refusal_cause::RefusalCause;
use crate::generator::spec::TopicName;

/// Why Kafka could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// librdkafka refused a setting or a call.
    #[error("Kafka client: {0}")]
    Client(#[source] Box<ClientError>),
    /// librdkafka cannot work with the properties that it was given.
    #[error("the Kafka client cannot work with its properties: {0}")]
    Properties(String),
    /// No broker answered.
    #[error("no Kafka broker answered at {brokers} within {seconds} s ({detail})")]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// For how long.
        seconds: u64,
        /// What the client saw last.
        detail: String,
    },
    /// A broker answered, and let nobody in.
    #[error("{cause}: {reason}")]
    NotLetIn {
        /// What that means.
        cause: RefusalCause,
        /// The address, and what the client says.
        reason: String,
    },
    /// A signal came before anything was written.
    #[error("stopped by a signal before anything was written")]
    Stopped,
    /// The broker answered, but refused.
    #[error("Kafka: {action}: {source}")]
    Refused {
        /// What was asked for.
        action: String,
        /// Why not.
        #[source]
        source: Box<ClientError>,
    },
    /// The offsets of the run's group can be read and not written: what stands there would soon be wrong.
    #[error(
        "the offsets of group `{group}` are an earlier run's and cannot be committed any more ({reason}): a later restart would believe them\n\
         grant the right (kafka-acls --add --allow-principal User:NAME --operation Read --group {group}), or delete the group \
         (kafka-consumer-groups --delete --group {group})"
    )]
    GroupOffsets {
        /// The group.
        group: String,
        /// Why not.
        reason: String,
    },
    /// A right or a setting of the brokers is in the way.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// A topic could not be created.
    #[error("topic `{topic}` could not be created: {code}")]
    CreateTopic {
        /// Which.
        topic: TopicName,
        /// Why not.
        code: RDKafkaErrorCode,
    },
    /// A topic would not keep the records as they are.
    #[error("topic `{topic}` has {setting}, which would not keep these records as they are\nmend it with: {mend}")]
    TopicSetting {
        /// Which.
        topic: TopicName,
        /// Its setting.
        setting: String,
        /// The command that changes it.
        mend: String,
    },
    /// A broker that was reached does not answer, or another one that it named.
    #[error(
        "{action}: no answer within {seconds} s{detail}\nbrokers tell at which addresses they are to be asked \
         (advertised.listeners), and these must be reachable from here: change that setting, or run where they are reachable"
    )]
    Unanswered {
        /// What was asked.
        action: String,
        /// How long was waited.
        seconds: u64,
        /// Which addresses they told, or what the client saw there, behind a colon.
        detail: String,
    },
    /// A topic that is to be read is not there.
    #[error("there is no topic `{topic}` at {brokers}, or it has no leaders")]
    NoTopic {
        /// Which.
        topic: TopicName,
        /// Where.
        brokers: String,
    },
    /// A topic did not become usable.
    #[error(
        "topic `{topic}` has no leader for each of its partitions after {seconds} s\nthe same command goes on when its brokers are back"
    )]
    NotReady {
        /// Which.
        topic: TopicName,
        /// How long was waited.
        seconds: u64,
    },
    /// The leader of a partition is not at work.
    #[error(
        "topic `{topic}`, partition {partition} had no leader at work for {seconds} s: {source}\nthe same command goes on when its broker is back"
    )]
    NoLeader {
        /// Which topic.
        topic: String,
        /// Which partition.
        partition: i32,
        /// How long was waited.
        seconds: u64,
        /// What its broker answers.
        #[source]
        source: Box<ClientError>,
    },
    /// A topic is missing beside others that hold records.
    #[error("topic `{missing}` does not exist, although `{held}` holds records: was it deleted?")]
    Deleted {
        /// The topic that does not exist.
        missing: TopicName,
        /// One that holds records.
        held: TopicName,
    },
    /// A topic could not be deleted and created again.
    #[error(transparent)]
    Recreation(#[from] RecreationError),
    /// A record was refused; nothing was sent behind it.
    #[error("topic `{topic}`, partition {partition}: the record with key {key} was not stored: {reason}{advice}")]
    Rejected {
        /// Its topic.
        topic: TopicName,
        /// Its partition.
        partition: i32,
        /// Its key.
        key: String,
        /// Why.
        reason: String,
        /// A way out, on a line of its own, where there is one.
        advice: String,
        /// librdkafka's code.
        code: Option<RDKafkaErrorCode>,
    },
    /// A topic, or a partition of it, has gone.
    #[error("topic `{topic}`, partition {partition} is there no more: the topic was deleted while it was written to")]
    TopicGone {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: i32,
    },
    /// Somebody else writes to the same partition, or a broker stored twice what the client sent again.
    #[error(
        "topic `{topic}`, partition {partition}: expected offset {expected}, got {found}: another writer is at work, or a batch was stored twice\n\
         if another one writes, stop one of the two, or give each its own topics. If none does, a broker stored twice what the client sent \
         again: after a change of the partition's leader (librdkafka issue 4953), or because it had forgotten the producer, whose record times \
         are older than its producer.id.expiration.ms (one day)"
    )]
    AnotherWriter {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: i32,
        /// The offset that our record should have had.
        expected: i64,
        /// The offset that it has.
        found: i64,
    },
    /// Somebody else has taken over our transactions.
    #[error(
        "another writer is at work: it has taken over the transactions of these topics, and nothing that was not committed is seen by \
         read-committed readers\n\
         stop one of the two, or give each its own topics. If there is none, this run stood still for longer than its transaction.timeout.ms"
    )]
    Fenced,
    /// The partition does not hold what it held a moment ago: no writer can move an offset back.
    #[error(
        "topic `{topic}`, partition {partition} lost records: expected offset {expected}, got {found}: the topic was deleted and \
         recreated, or its brokers lost what they had acknowledged"
    )]
    LostRecords {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: i32,
        /// The offset that our record should have had.
        expected: i64,
        /// The offset that it has.
        found: i64,
    },
    /// A signal left no time to look.
    #[error(
        "topic `{topic}`, partition {partition}: a broker acknowledged records without saying where, and did not answer in time \
         whether they are the last ones\n\
         the same command looks at what is there, and goes on when the brokers answer"
    )]
    Unsettled {
        /// Which topic.
        topic: TopicName,
        /// Which partition.
        partition: i32,
    },
    /// The client cannot go on.
    #[error(
        "the Kafka client cannot go on: {reason} ({code})\nthe same command starts another, which resumes after what is there"
    )]
    Fatal {
        /// librdkafka's code.
        code: RDKafkaErrorCode,
        /// Its reason.
        reason: String,
    },
    /// The run ended before everything was acknowledged.
    #[error(
        "records were sent but not acknowledged: they may or may not be in Kafka\nthe same command looks at what is there, and resumes after it"
    )]
    NotAcked,
    /// A commit was not answered before the run had to end.
    #[error(
        "the last transaction is not known to be committed: its records are seen by read-committed readers altogether or not at all\n\
         the same command resumes after what is committed"
    )]
    NotCommitted,
    /// A transaction ended nobody knows how, and this client cannot go on.
    #[error("how the last transaction ended is uncertain: {reason}\nthe same command resumes after what is committed")]
    Uncertain {
        /// What happened.
        reason: String,
    },
    /// A client has waited in vain for long; another one may do better.
    #[error("the brokers have acknowledged nothing for {seconds} s\nthe same command resumes after what is committed")]
    Standstill {
        /// How long was waited.
        seconds: u64,
    },
    /// An error that ended a run under way.
    #[error("{source}\n{acked} of {sent} records that were sent are acknowledged")]
    Ended {
        /// What happened.
        #[source]
        source: Box<Self>,
        /// Records handed to the client.
        sent: u64,
        /// Records acknowledged.
        acked: u64,
    },
    /// A reader came to no end.
    #[error(transparent)]
    Reading(#[from] Reading),
    /// The embedded broker is for a look, not for large layouts.
    #[error("the embedded broker takes at most {max} partitions a topic")]
    TooManyPartitions {
        /// The most it takes.
        max: u32,
    },
    /// The window is too large for the embedded broker.
    #[error("the window does not fit into the embedded broker, which keeps 5 MiB a partition")]
    TooLarge {
        /// A count that fits for sure, however the client batches.
        count_max: u64,
    },
}
