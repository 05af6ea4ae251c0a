//! Why topics could not be deleted and created again.

use rdkafka::error::RDKafkaErrorCode;

use crate::generator::spec::TopicName;

/// Why a topic could not be deleted and created again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecreationError {
    /// It could not be deleted.
    #[error("topic `{topic}` could not be deleted: {code}{}", told(.deleted))]
    Undeletable {
        /// Which.
        topic: TopicName,
        /// Why not.
        code: RDKafkaErrorCode,
        /// The topics that were deleted all the same.
        deleted: Vec<TopicName>,
        /// The brokers that were asked.
        brokers: String,
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

/// What was deleted all the same.
fn told(deleted: &[TopicName]) -> String {
    let names: Vec<String> = deleted.iter().map(|topic| format!("`{topic}`")).collect();
    if names.is_empty() { "; none was".to_owned() } else { format!("; deleted are {}", names.join(", ")) }
}
