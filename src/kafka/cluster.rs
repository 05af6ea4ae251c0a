//! Looking at the brokers before the first record: reachable, topics there, their partition counts and end offsets.

use std::time::Duration;

use super::client::missing;
use super::client::{Client, Looker};
use super::create_topics::{self, Existing, TopicSettings};
use super::error::KafkaError;
use super::judge_settings::{self, BrokerSettings, Judged, Times};
use super::offsets::{At, Edge, Ends, partitions};
use super::properties::Property;
use super::timeouts::{CREATION, READY};
use super::topic_state::TopicState;
use crate::generator::spec::{ByStage, Layout, Partitions, Topic, TopicName};
use crate::log::shutdown::Shutdown;

/// How records travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// librdkafka's `compression.type`.
    pub compression: &'static str,
    /// How long a batch may wait for more records, in milliseconds.
    pub linger_ms: u32,
    /// How many KiB of records may be sent and not yet acknowledged. The client takes about twice as much memory for them.
    pub queue_kbytes: u32,
}

/// What a run wants to write to.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Addresses, as librdkafka's `bootstrap.servers`.
    pub brokers: &'a str,
    /// librdkafka properties that the user set.
    pub properties: &'a [Property],
    /// How records travel.
    pub transfer: Transfer,
    /// Topics, and the partition counts of those that do not exist yet.
    pub layout: &'a Layout,
    /// What existing topics may be, and how missing ones are created.
    pub topics: TopicSettings,
    /// The wish to end, which ends the wait for a broker too.
    pub stop: &'a Shutdown,
}

/// A cluster that was looked at: its four topics exist.
#[derive(Debug)]
pub struct Cluster {
    client: Client,
    transfer: Transfer,
    layout: Layout,
    created: Vec<TopicName>,
    end_offsets: ByStage<Vec<i64>>,
    /// The largest batch that all topics take, as far as that is known.
    batch_bytes_max: Option<u64>,
    /// Whether it is the embedded broker, which says of every batch that it has the broker's own time.
    is_embedded: bool,
}

impl Cluster {
    /// Connects, looks at the topics that exist, creates those that are missing, waits for their leaders, and reads where each
    /// partition ends. A topic that exists brings its own partition count. Nothing is created before all else is well.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, a topic that exists does not fit, or one cannot be created.
    pub fn prepare(target: &Target<'_>) -> Result<Self, KafkaError> {
        let mut cluster = Self::unseen(target);
        match cluster.prepare_for(target) {
            Ok(()) => Ok(cluster),
            Err(error) => Err(cluster.client.explain(error)),
        }
    }

    fn prepare_for(&mut self, target: &Target<'_>) -> Result<(), KafkaError> {
        let config = self.client.config();
        let client = self.client.looker()?;
        let counts = self.client.partition_counts(&self.layout, &client, target.stop)?;
        self.client.require_visible(&self.layout, counts, target.stop)?;
        let existing = counts.iter().filter(|&(_, count)| *count > 0);
        let existing = existing.map(|(stage, count)| (target.layout.topic(stage), *count));
        self.look_at_existing(&client, &existing.collect::<Vec<_>>(), target)?;
        let missing: Vec<&Topic> = missing(target.layout, counts).collect();
        let broker = self.broker_settings(&missing, target.stop)?;
        if broker.is_hidden && target.topics.without_end {
            tracing::warn!(
                target: "mock_data_gen::sink::kafka::cluster",
                "the brokers do not show how long they keep records (DescribeConfigs on the cluster): created topics keep them for ever"
            );
        }
        self.takes_batches_of(broker.batch_bytes_max);
        self.created = create_topics::create(&config, &missing, target.topics, broker.retention_ms, target.stop)?;
        let missing: Vec<&Topic> = missing.into_iter().filter(|topic| !self.created.contains(&topic.name)).collect();
        let counts = self.client.wait_for_leaders(&self.layout, &client, target.stop)?;
        // Topics that were there without leaders are looked at now.
        self.look_at_existing(&client, &missing.iter().map(|&topic| (topic, 1)).collect::<Vec<_>>(), target)?;
        self.layout = target.layout.with_partitions(counts);
        self.client.metadata(&client, target.stop)?;
        let created = self.layout.topics().iter().filter(|topic| self.created.contains(&topic.name));
        let partitions = created.map(|topic| topic.partitions.count()).sum::<u32>();
        let within =
            self.client.patience().max(if partitions > 0 { READY + CREATION * partitions } else { Duration::ZERO });
        let ends = Ends::new(&client, within);
        self.end_offsets = ends.of_layout(&self.layout, Edge::End, || target.stop.is_requested())?;
        Ok(())
    }

    /// Looks at the topics and leaves everything as it is.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, or one refuses to tell.
    pub fn look(target: &Target<'_>) -> Result<ByStage<TopicState>, KafkaError> {
        let mut cluster = Self::unseen(target);
        cluster.look_at(target).map_err(|error| cluster.client.explain(error))
    }

    fn look_at(&mut self, target: &Target<'_>) -> Result<ByStage<TopicState>, KafkaError> {
        let client = self.client.looker()?;
        let counts = self.client.partition_counts(&self.layout, &client, target.stop)?;
        self.client.require_visible(&self.layout, counts, target.stop)?;
        // A run would ask this, and not all brokers that are found can be reached.
        self.broker_settings(&missing(target.layout, counts).collect::<Vec<_>>(), target.stop)?;
        let mut states = ByStage::from_fn(|stage| TopicState {
            topic: target.layout.topic(stage).name.clone(),
            partitions: Partitions::new(counts[stage]).ok(),
            offsets: 0,
            end_offsets: 0,
            misfits: Vec::new(),
            warnings: Vec::new(),
        });
        let there = |state: &TopicState| Some(Topic { name: state.topic.clone(), partitions: state.partitions? });
        let topics: Vec<Topic> = states.values().filter_map(there).collect();
        let (partitions, ends) = (topics.iter().flat_map(partitions).collect::<Vec<_>>(), self.client.ends(&client));
        let begins = ends.of(&partitions, Edge::Beginning, || target.stop.is_requested())?;
        let ends = ends.of(&partitions, Edge::End, || target.stop.is_requested())?;
        for ((&(topic, _), begin), end) in partitions.iter().zip(begins).zip(ends) {
            if let Some(state) = states.values_mut().find(|state| state.topic == *topic) {
                state.offsets += end.saturating_sub(begin).max(0).unsigned_abs();
                state.end_offsets += end.max(0).unsigned_abs();
            }
        }
        let mut times = target.topics.times;
        if target.topics.existing == Existing::Resumed && states.values().any(|state| state.end_offsets > 0) {
            // What a run writes behind them is younger than they are; how old, only the run finds out.
            times.first_ms = times.first_ms.max(times.now_ms);
        }
        for (state, topic) in
            states.values_mut().zip(target.layout.topics()).filter(|(state, _)| state.partitions.is_some())
        {
            let judged = self.judge(&[topic], times, target.stop)?;
            (state.misfits, state.warnings) = (judged.misfits, judged.warnings);
        }
        Ok(states)
    }

    /// Looks for topics that are to be read. Each brings its own partition count; nothing is created.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, or a topic does not exist.
    pub fn connect(
        brokers: &str,
        properties: &[Property],
        layout: &Layout,
        stop: &Shutdown,
    ) -> Result<Self, KafkaError> {
        let mut cluster = Self {
            client: Client::new(brokers, properties),
            transfer: Transfer { compression: "none", linger_ms: 0, queue_kbytes: 1 },
            layout: layout.clone(),
            created: Vec::new(),
            end_offsets: ByStage::default(),
            batch_bytes_max: None,
            is_embedded: false,
        };
        let client = cluster.client.looker()?;
        let counts = cluster.client.partition_counts(layout, &client, stop)?;
        cluster.client.require_visible(layout, counts, stop)?;
        if let Some(topic) = missing(layout, counts).next() {
            return Err(KafkaError::NoTopic { topic: topic.name.clone(), brokers: brokers.to_owned() });
        }
        let counts: Vec<Partitions> = counts.values().filter_map(|&count| Partitions::new(count).ok()).collect();
        if let Ok(counts) = <[Partitions; 4]>::try_from(counts) {
            cluster.layout = layout.with_partitions(counts);
        }
        Ok(cluster)
    }

    /// A cluster that nobody has looked at yet.
    pub(crate) fn unseen(target: &Target<'_>) -> Self {
        Self {
            client: Client::new(target.brokers, target.properties),
            transfer: target.transfer,
            layout: target.layout.clone(),
            created: Vec::new(),
            end_offsets: ByStage::default(),
            batch_bytes_max: None,
            is_embedded: target.topics.existing == Existing::Ours,
        }
    }

    /// How its brokers are spoken to.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The layout with the partition counts that the topics really have.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Topics that did not exist before.
    #[must_use]
    pub fn created(&self) -> &[TopicName] {
        &self.created
    }

    /// Takes over where partitions end by a later look.
    pub fn set_end_offsets(&mut self, end_offsets: ByStage<Vec<i64>>) {
        self.end_offsets = end_offsets;
    }

    /// Where each partition ended when the cluster was looked at.
    #[must_use]
    pub fn end_offsets(&self) -> &ByStage<Vec<i64>> {
        &self.end_offsets
    }

    /// The largest batch that all topics take, as far as that is known.
    pub(crate) fn batch_bytes_max(&self) -> Option<u64> {
        self.batch_bytes_max
    }

    /// Whether it is the embedded broker.
    pub(crate) fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    pub(crate) fn transfer(&self) -> Transfer {
        self.transfer
    }

    /// What the broker's own settings mean for topics that are missing, if any is missing.
    pub(crate) fn broker_settings(&self, missing: &[&Topic], stop: &Shutdown) -> Result<BrokerSettings, KafkaError> {
        let Some(broker) = self.client.first_broker().filter(|_| !missing.is_empty()) else {
            return Ok(BrokerSettings::default());
        };
        judge_settings::of_broker(&self.client.config(), broker, self.client.patience(), stop)
    }

    /// Refuses topics whose settings would not keep records as they are, and a topic that is gone beside others that are to be gone
    /// on with. What the run writes behind those is not known yet, so the age of its first record is checked later.
    pub(crate) fn look_at_existing(
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
            let metadata = self.client.metadata(client, target.stop)?;
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
        let offsets = self.client.ends(client).of(&partitions, Edge::End, || stop.is_requested())?;
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

    pub(crate) fn judge(&self, topics: &[&Topic], times: Times, stop: &Shutdown) -> Result<Judged, KafkaError> {
        judge_settings::judge(&self.client.config(), self.client.brokers(), topics, times, self.client.patience(), stop)
    }

    /// Takes over how large a batch some topics take at most.
    pub(crate) fn takes_batches_of(&mut self, bytes_max: Option<u64>) {
        self.batch_bytes_max = self.batch_bytes_max.into_iter().chain(bytes_max).min();
    }
}
