//! What the client's errors mean for a run.

use std::time::Duration;

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use super::codes::{is_denied, is_fence, is_silence, lasts};
use super::{KafkaError, Obstacle, Reading};
use crate::generator::spec::TopicName;

impl From<ClientError> for KafkaError {
    fn from(error: ClientError) -> Self {
        match error {
            // It checks no more than the properties then, and that the system gives it threads.
            ClientError::ClientCreation(reason) if !reason.starts_with("Failed to create thread") => {
                Self::Properties(reason)
            }
            error => Self::Client(Box::new(error)),
        }
    }
}

impl KafkaError {
    /// An answer that was not given, or was a refusal.
    pub(crate) fn refused(action: &str, error: ClientError, waited: Duration) -> Self {
        let action = action.to_owned();
        if is_silence(&error) {
            Self::Unanswered { action, seconds: waited.as_secs(), detail: String::new() }
        } else {
            Self::Refused { action, source: Box::new(error) }
        }
    }

    /// A record, or a partition's end, is not where it should be. Another writer moves offsets on, and only a lost log moves
    /// them back.
    pub(crate) fn misplaced(topic: TopicName, partition: i32, expected: i64, found: i64) -> Self {
        if found < expected {
            Self::LostRecords { topic, partition, expected, found }
        } else {
            Self::AnotherWriter { topic, partition, expected, found }
        }
    }

    /// A record that the client or the broker did not take. `fatal` is what the client says of it, where it cannot go on: of a
    /// whole batch, it then knows more than the record's own report.
    pub(crate) fn not_stored(
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
                let denied = Obstacle::on_one_of("writing records", "Write", std::iter::once(&topic));
                format!("\n{denied}\nthen run the same command again")
            }
            Some(MessageSizeTooLarge) => {
                "\nraise the topic's max.message.bytes, then run the same command again".to_owned()
            }
            _ if reason.contains("Invalid timestamp") => {
                "\nwiden the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms (before Kafka 3.6: \
                 message.timestamp.difference.max.ms), then run the same command again"
                    .to_owned()
            }
            _ => String::new(),
        };
        Self::Rejected { topic, partition, key, reason, advice, code: cause }
    }

    /// A transaction could not be begun or committed.
    pub(crate) fn from_transaction_error(error: &ClientError) -> Self {
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
    pub(crate) fn in_transaction(self) -> Self {
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

    /// Whether it means that another writer is at work (exit code 4).
    #[must_use]
    pub fn is_another_writer(&self) -> bool {
        matches!(self.cause(), Self::AnotherWriter { .. } | Self::Fenced)
    }

    /// Whether brokers did not answer, or not yet.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        use KafkaError::{NoLeader, NotLetIn, NotReady, Unanswered, Unreachable};
        let cause = self.cause();
        // A password that is refused now may be the right one once the brokers have learned of it.
        matches!(
            cause,
            NotLetIn { .. }
                | Unreachable { .. }
                | Unanswered { .. }
                | KafkaError::Reading(Reading::Silent { .. })
                | NotReady { .. }
                | NoLeader { .. }
        )
    }

    /// Whether the run can go on by itself, with another client, behind what the log holds then.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        matches!(self.cause(), Self::Uncertain { .. } | Self::Standstill { .. })
    }

    /// The error itself, without what was delivered until then.
    #[must_use]
    pub fn cause(&self) -> &Self {
        match self {
            Self::Ended { source, .. } => source,
            error => error,
        }
    }

    /// The topic, partition and offset that it is about, as far as they are known.
    #[must_use]
    pub fn place(&self) -> (Option<String>, Option<i32>, Option<i64>) {
        match self.cause() {
            Self::CreateTopic { topic, .. }
            | Self::TopicSetting { topic, .. }
            | Self::NoTopic { topic, .. }
            | Self::NotReady { topic, .. }
            | Self::Deleted { missing: topic, .. } => (Some(topic.to_string()), None, None),
            Self::NoLeader { topic, partition, .. } => (Some(topic.clone()), Some(*partition), None),
            Self::Rejected { topic, partition, .. }
            | Self::TopicGone { topic, partition }
            | Self::Unsettled { topic, partition } => (Some(topic.to_string()), Some(*partition), None),
            Self::AnotherWriter { topic, partition, expected, .. }
            | Self::LostRecords { topic, partition, expected, .. } => {
                (Some(topic.to_string()), Some(*partition), Some(*expected))
            }
            _ => (None, None, None),
        }
    }
}
