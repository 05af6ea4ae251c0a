//! Why topics could not be deleted and created again.

use rdkafka::error::RDKafkaErrorCode;

use crate::generator::spec::TopicName;

/// Why a topic could not be deleted and created again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecreationError {
    /// It could not be deleted.
    #[error("topic `{topic}` could not be deleted: {reason}{deleted}\n{advice}")]
    Undeletable {
        /// Which.
        topic: TopicName,
        /// Why not.
        reason: String,
        /// What was deleted all the same, behind a semicolon.
        deleted: String,
        /// A way out.
        advice: String,
    },
    /// A deleted topic did not go in time.
    #[error(
        "topic `{topic}` was deleted, but its brokers have not let it go after {seconds} s\nnothing was written. The same command tries again"
    )]
    NotDeleted {
        /// Which.
        topic: TopicName,
        /// How long was waited.
        seconds: u64,
    },
}

impl RecreationError {
    /// A topic that could not be deleted, beside others that are deleted now.
    pub(crate) fn cannot_delete(topic: TopicName, code: RDKafkaErrorCode, deleted: &[String], brokers: &str) -> Self {
        let advice = match code {
            RDKafkaErrorCode::TopicAuthorizationFailed => format!(
                "grant the right to delete it: kafka-acls.sh --bootstrap-server {brokers} --add --allow-principal User:… --operation Delete --topic {topic}"
            ),
            RDKafkaErrorCode::TopicDeletionDisabled => {
                "its brokers allow that only with delete.topic.enable=true: name other topics (--topic-bid-requests …)"
                    .to_owned()
            }
            _ => "delete it yourself, or name other topics (--topic-bid-requests …)".to_owned(),
        };
        let gone = format!("; deleted are {}", deleted.join(", "));
        let deleted = if deleted.is_empty() { "; none was".to_owned() } else { gone };
        Self::Undeletable { topic, reason: code.to_string(), deleted, advice }
    }
}
