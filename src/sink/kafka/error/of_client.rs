//! What the client's errors mean for a run.

use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use super::super::ends::is_silence;
use super::{KafkaError, Obstacle, is_denied};
use crate::spec::TopicName;

impl From<ClientError> for KafkaError {
    fn from(error: ClientError) -> Self {
        match error {
            // It checks no more than the properties then, and that the system gives it threads.
            ClientError::ClientCreation(reason) if !reason.starts_with("Failed to create thread") => {
                Self::Properties(reason)
            }
            ClientError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Obstacle::on_reading().into()
            }
            error => Self::Client(Box::new(error)),
        }
    }
}

impl KafkaError {
    /// An answer that was not given, or was a refusal.
    pub(in super::super) fn refused(action: &str, error: ClientError, waited: Duration) -> Self {
        let action = action.to_owned();
        if is_silence(&error) {
            Self::Unanswered { action, seconds: waited.as_secs(), detail: String::new() }
        } else {
            Self::Refused { action, source: Box::new(error) }
        }
    }

    /// A topic that could not be created.
    pub(in super::super) fn cannot_create(topic: TopicName, code: RDKafkaErrorCode) -> Self {
        let advice = match code {
            RDKafkaErrorCode::InvalidTopic => {
                "a topic whose name differs from it only by `.` and `_` is there already, or is created with it: the two would be one in Kafka's \
                 metrics. Choose another name (--topic-bid-requests …), with only one of the two characters"
            }
            _ => "create it yourself, or change --partitions or --replication-factor",
        };
        Self::CreateTopic { topic, reason: code.to_string(), advice }
    }

    /// A record, or a partition's end, is not where it should be. Another writer moves offsets on, and only a lost log moves
    /// them back.
    pub(in super::super) fn misplaced(topic: TopicName, partition: i32, expected: i64, found: i64) -> Self {
        if found < expected {
            Self::LostRecords { topic, partition, expected, found }
        } else {
            Self::AnotherWriter { topic, partition, expected, found }
        }
    }

    /// A record that the client or the broker did not take. `fatal` is what the client says of it, where it cannot go on: of a
    /// whole batch, it then knows more than the record's own report.
    pub(in super::super) fn not_stored(
        topic: TopicName,
        partition: i32,
        key: String,
        error: &ClientError,
        fatal: Option<(RDKafkaErrorCode, String)>,
    ) -> Self {
        use RDKafkaErrorCode::{MessageSizeTooLarge, UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
        let code = error.rdkafka_error_code();
        let cause = fatal.as_ref().map(|(code, _)| *code).or(code);
        let reason = match fatal {
            // What it had not sent yet, a client that was fenced throws away, and says only that of those records.
            Some((code, _)) if is_fence(code) => return Self::Fenced,
            Some((_, reason)) => reason,
            None => error.to_string(),
        };
        let advice = match code {
            Some(UnknownPartition | UnknownTopic | UnknownTopicOrPartition) => {
                return Self::TopicGone { topic, partition };
            }
            _ if cause.is_some_and(is_denied) => {
                "\ngrant the right to write: kafka-acls.sh --bootstrap-server … --add --allow-principal User:… --operation Write --topic … \
                 (brokers before 2.8 also want --operation IdempotentWrite --cluster), then go on with the same command"
            }
            Some(MessageSizeTooLarge) => "\nraise the topic's max.message.bytes, then go on with the same command",
            _ if reason.contains("Invalid timestamp") => {
                "\nwiden the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms (before Kafka 3.6: \
                 message.timestamp.difference.max.ms), then go on with the same command"
            }
            _ => "",
        };
        Self::Rejected { topic, partition, key, reason, advice, code: cause }
    }

    /// A transaction could not be begun or committed.
    pub(in super::super) fn of_transactions(error: &ClientError) -> Self {
        match error.rdkafka_error_code() {
            Some(code) if is_fence(code) => Self::Fenced,
            Some(RDKafkaErrorCode::TransactionalIdAuthorizationFailed) => Obstacle::on_transactions().into(),
            Some(code) if lasts(code) => {
                Self::Refused { action: "writing a transaction".to_owned(), source: Box::new(error.clone()) }
            }
            _ => Self::Uncertain { reason: error.to_string() },
        }
    }

    /// The same where transactions are written: what is only this client's trouble, or this transaction's, is over with them. So
    /// is a batch that a broker stored twice; if somebody else wrote, the log says so.
    pub(in super::super) fn of_transaction(self) -> Self {
        match self {
            Self::AnotherWriter { topic, partition, expected, found }
            | Self::LostRecords { topic, partition, expected, found } => Self::Uncertain {
                reason: format!("topic `{topic}`, partition {partition}: expected offset {expected}, got {found}"),
            },
            Self::Fatal { code, .. } | Self::Rejected { code: Some(code), .. } if is_fence(code) => Self::Fenced,
            Self::Rejected { code: Some(code), .. } if lasts(code) => self,
            Self::Fatal { .. } | Self::Rejected { .. } => Self::Uncertain { reason: self.to_string() },
            Self::NotAcked => Self::NotCommitted,
            error => error,
        }
    }
}

/// Whether an answer means that another client has taken over our transactions. Brokers give the same answer to one whose transaction
/// they have ended for its age.
fn is_fence(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{Fenced, InvalidProducerEpoch, ProducerFenced};
    matches!(code, Fenced | InvalidProducerEpoch | ProducerFenced)
}

/// Whether another client would get the same answer.
fn lasts(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        ClusterAuthorizationFailed, InvalidMessageSize, InvalidTimestamp, InvalidTransactionTimeout,
        MessageSizeTooLarge, PolicyViolation, TopicAuthorizationFailed, TransactionalIdAuthorizationFailed,
        UnsupportedVersion,
    };
    matches!(
        code,
        ClusterAuthorizationFailed
            | InvalidMessageSize
            | InvalidTimestamp
            | InvalidTransactionTimeout
            | MessageSizeTooLarge
            | PolicyViolation
            | TopicAuthorizationFailed
            | TransactionalIdAuthorizationFailed
            | UnsupportedVersion
    )
}
