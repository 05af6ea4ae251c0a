//! What a topic is before a run.

use super::error::KafkaError;
use crate::generator::spec::{Partitions, TopicName};

/// What a topic is before a run.
#[derive(Debug)]
pub struct TopicState {
    /// Its name.
    pub topic: TopicName,
    /// Its partition count; `None` if it does not exist, or has no leaders.
    pub partitions: Option<Partitions>,
    /// Offsets between its beginning and its end: its records, and what transactions left between them.
    pub offsets: u64,
    /// Offsets that it ever had.
    pub end_offsets: u64,
    /// Settings that would not keep a run's records as they are, each with the command that mends it.
    pub misfits: Vec<KafkaError>,
    /// What may not keep them, and what could not be seen.
    pub warnings: Vec<String>,
}
