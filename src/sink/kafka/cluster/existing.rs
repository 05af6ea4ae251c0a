//! What a run asks of topics that are there, and of the broker where some are missing.

use super::super::KafkaError;
use super::super::ends::{At, Edge};
use super::super::topics::{self, BrokerSettings, Existing, Judged, Times};
use super::{Cluster, Looker, Target};
use crate::generator::spec::{Topic, TopicName};
use crate::log::shutdown::Shutdown;

impl Cluster {
    /// What the broker's own settings mean for topics that are missing, if any is missing.
    pub(super) fn broker_settings(&self, missing: &[&Topic], stop: &Shutdown) -> Result<BrokerSettings, KafkaError> {
        let Some(broker) = self.named.first().filter(|_| !missing.is_empty()) else {
            return Ok(BrokerSettings::default());
        };
        topics::of_broker(&self.client_config(), broker, self.patience(), stop)
    }

    /// Refuses topics whose settings would not keep records as they are, and a topic that is gone beside others that are to be gone
    /// on with. What the run writes behind those is not known yet, so the age of its first record is checked later.
    pub(super) fn look_at_existing(
        &mut self,
        client: &Looker,
        existing: &[(&Topic, u32)],
        target: &Target<'_>,
    ) -> Result<(), KafkaError> {
        if target.topics.existing == Existing::Ours {
            return Ok(());
        }
        let mut times = target.topics.times;
        if target.topics.existing == Existing::Resumed
            && let Some(held) = self.first_that_holds_records(client, existing, target.stop)?
        {
            let metadata = self.metadata(client, target.stop)?;
            let exists = |name: &TopicName| metadata.topics().iter().any(|topic| topic.name() == name.as_str());
            if let Some(missing) = self.layout.topics().iter().find(|topic| !exists(&topic.name)) {
                return Err(KafkaError::Deleted { missing: missing.name.clone(), held });
            }
            times.first_ms = times.first_ms.max(times.now_ms);
        }
        let existing: Vec<&Topic> = existing.iter().map(|&(topic, _)| topic).collect();
        let judged = self.judge(&existing, times, target.stop)?;
        for warning in judged.warnings {
            tracing::warn!(target: "mock_data_gen::sink::kafka::cluster::existing", "{warning}");
        }
        self.takes_batches_of(judged.batch_bytes_max);
        judged.misfits.into_iter().next().map_or(Ok(()), Err)
    }

    /// The first of some topics in which a partition does not end at offset 0.
    fn first_that_holds_records(
        &self,
        client: &Looker,
        topics: &[(&Topic, u32)],
        stop: &Shutdown,
    ) -> Result<Option<TopicName>, KafkaError> {
        let mut partitions: Vec<At<'_>> = Vec::new();
        for &(topic, count) in topics {
            partitions.extend((0..count.cast_signed()).map(|partition| (&topic.name, partition)));
        }
        let offsets = self.ends(client).of(&partitions, Edge::End, || stop.is_requested())?;
        let held = partitions.iter().zip(offsets).find(|&(_, end_offset)| end_offset > 0);
        Ok(held.map(|(&(topic, _), _)| topic.clone()))
    }

    /// Refuses topics whose settings would not keep records of these times.
    ///
    /// # Errors
    /// Names the topic, its setting and the command that mends it.
    pub fn check(&self, times: Times, stop: &Shutdown) -> Result<(), KafkaError> {
        let topics: Vec<&Topic> = self.layout.topics().iter().collect();
        self.judge(&topics, times, stop)?.misfits.into_iter().next().map_or(Ok(()), Err)
    }

    pub(super) fn judge(&self, topics: &[&Topic], times: Times, stop: &Shutdown) -> Result<Judged, KafkaError> {
        topics::judge(&self.client_config(), &self.brokers, topics, times, self.patience(), stop)
    }

    /// Takes over how large a batch some topics take at most.
    pub(super) fn takes_batches_of(&mut self, bytes_max: Option<u64>) {
        self.batch_bytes_max = self.batch_bytes_max.into_iter().chain(bytes_max).min();
    }
}
