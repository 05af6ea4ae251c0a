//! A run commits its group offsets beside its records.

use rdkafka::error::KafkaError as ClientError;
use rdkafka::producer::Producer;

use super::GroupOffsets;
use crate::generator::stream::Assignment;
use crate::kafka::{Cluster, KafkaError, is_silence, read_group_offsets};
use crate::sink::kafka::Kafka;

impl Kafka {
    /// Commits group offsets beside the records of a part, from where the log ends now, as [`Kafka::append_behind`] was told. Where
    /// the right is missing the run goes on without, and says so.
    ///
    /// # Errors
    /// If an earlier run's offsets can be read and no longer committed.
    pub fn commit_offsets(&mut self, cluster: &Cluster, group: &str, part: &Assignment) -> Result<(), KafkaError> {
        let mut offsets = GroupOffsets::new(cluster, group, part, self.transactions.is_some())?;
        offsets.begin(part, &self.producer.context().deliveries().next_offsets());
        match offsets.commit_first(&self.stop) {
            Err(_) if self.stop.is_requested() => return Err(KafkaError::Stopped),
            // Whoever may not even look for the group's coordinator may not read its offsets either.
            Err(error @ ClientError::MessageConsumption(_)) => {
                tell_without(group, &error);
                return Ok(());
            }
            // A transaction whose offsets are refused is lost with them, so it must be known beforehand.
            Err(error) if self.transactions.is_some() || !is_silence(&error) => {
                return self.without_offsets(cluster, group, &error);
            }
            // Brokers that do not answer now are asked again while the run goes on.
            Err(_) | Ok(()) => {}
        }
        self.offsets = Some(offsets);
        Ok(())
    }

    /// Another client goes on with a part, from where the log ends now, as [`Kafka::append_behind`] was told.
    pub fn renew_offsets(&mut self, part: &Assignment) {
        let ends = self.producer.context().deliveries().next_offsets();
        if let Some(offsets) = &mut self.offsets {
            offsets.begin(part, &ends);
        }
    }

    /// What a log that retention has cut does not tell stays unknown to later restarts.
    fn without_offsets(&self, cluster: &Cluster, group: &str, error: &ClientError) -> Result<(), KafkaError> {
        let committed = read_group_offsets(cluster, group, &self.stop).unwrap_or_default();
        if committed.iter().flatten().any(Option::is_some) {
            return Err(KafkaError::GroupOffsets { group: group.to_owned(), reason: error.to_string() });
        }
        tell_without(group, error);
        Ok(())
    }

    pub(in super::super) fn commit_offsets_if_due(&mut self) {
        let context = self.producer.context();
        if let Some(offsets) = &mut self.offsets {
            offsets.commit_if_due(|ends| context.deliveries().are_acked(ends));
        }
    }
}

fn tell_without(group: &str, error: &ClientError) {
    tracing::warn!(
        target: "kafka",
        "offsets of group `{group}` cannot be committed ({error}): the run goes on without; once retention has cut these topics, \
         it may be impossible to resume it"
    );
}
