//! What kind of trouble an error is.

use super::KafkaError;

impl KafkaError {
    /// Whether it means that another writer is at work (exit code 4).
    #[must_use]
    pub fn is_another_writer(&self) -> bool {
        matches!(self.cause(), Self::AnotherWriter { .. } | Self::Fenced)
    }

    /// Whether brokers did not answer, or not yet.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        use KafkaError::{NoLeader, NotLetIn, NotReady, Reading, Unanswered, Unreachable};
        let cause = self.cause();
        // A password that is refused now may be the right one once the brokers have learned of it.
        matches!(
            cause,
            NotLetIn { .. }
                | Unreachable { .. }
                | Unanswered { .. }
                | Reading(super::Reading::Silent { .. })
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
