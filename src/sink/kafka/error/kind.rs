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
        use KafkaError::{NoLeader, NotReady, Silent, Unanswered, Unreachable};
        let cause = self.cause();
        matches!(cause, Unreachable { .. } | Unanswered { .. } | Silent { .. } | NotReady { .. } | NoLeader { .. })
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
}
