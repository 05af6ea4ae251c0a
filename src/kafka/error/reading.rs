//! Why a reader came to no end.

use crate::generator::spec::TopicName;

/// Why a reader came to no end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reading {
    /// Records were removed before they were read.
    #[error(
        "topic `{topic}`, partition {partition}, offset {offset}: records were removed from here on while they were read, by retention or by hand\n\
         give the same command again: it says what is not compared any more; to have all of it compared keep records for longer (retention.ms, retention.bytes)"
    )]
    Removed {
        /// Its topic.
        topic: TopicName,
        /// Its partition.
        partition: u32,
        /// The first offset that was to be read and is not there.
        offset: i64,
    },
    /// A reader waited in vain.
    #[error(
        "{left} partitions gave no record for {seconds} s although they have not ended\nlook after their brokers, and read them again"
    )]
    Silent {
        /// Partitions that were not read to their end.
        left: usize,
        /// How long was waited.
        seconds: u64,
    },
}
