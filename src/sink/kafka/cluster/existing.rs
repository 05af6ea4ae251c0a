//! What a run asks of topics that are there, and of the broker where some are missing.

use super::super::KafkaError;
use super::super::ends::{At, Edge};
use super::super::topics::{self, Existing, Times};
use super::{Cluster, Looker, Target};
use crate::sink::Stop;
use crate::spec::{Topic, TopicName};

impl Cluster {
    /// How long records of topics that are missing would be kept, if any is missing.
    pub(super) fn broker_retention_ms(&self, missing: &[&Topic], stop: &Stop) -> Result<Option<i64>, KafkaError> {
        let Some(broker) = self.named.first().filter(|_| !missing.is_empty()) else { return Ok(None) };
        topics::broker_retention_ms(&self.client_config(), broker, self.patience(), stop)
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
        self.check_topics(&existing, times, target.stop)
    }

    /// The first of some topics in which a partition does not end at offset 0.
    fn first_that_holds_records(
        &self,
        client: &Looker,
        topics: &[(&Topic, u32)],
        stop: &Stop,
    ) -> Result<Option<TopicName>, KafkaError> {
        let mut partitions: Vec<At<'_>> = Vec::new();
        for &(topic, count) in topics {
            partitions.extend((0..count.cast_signed()).map(|partition| (&topic.name, partition)));
        }
        let offsets = self.ends(client).of(&partitions, Edge::End, || stop.asked())?;
        let held = partitions.iter().zip(offsets).find(|&(_, end_offset)| end_offset > 0);
        Ok(held.map(|(&(topic, _), _)| topic.clone()))
    }

    /// Refuses topics whose settings would not keep records of these times.
    ///
    /// # Errors
    /// Names the topic, its setting and the command that mends it.
    pub fn check(&self, times: Times, stop: &Stop) -> Result<(), KafkaError> {
        let topics: Vec<&Topic> = self.layout.topics().iter().collect();
        self.check_topics(&topics, times, stop)
    }

    fn check_topics(&self, topics: &[&Topic], times: Times, stop: &Stop) -> Result<(), KafkaError> {
        let within = self.patience();
        let misfits = topics::misfits(&self.client_config(), &self.brokers, topics, times, within, stop)?;
        misfits.into_iter().next().map_or(Ok(()), Err)
    }
}
