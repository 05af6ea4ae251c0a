//! Looking at the brokers before the first record: reachable, topics there, their partition counts and end offsets.

mod metadata;

use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::ends::{end_offsets, watermarks};
use super::last_error::LastError;
use super::topics::{self, Existing, Times, TopicSettings};
use super::{KafkaError, Property, properties};
use crate::sink::Stop;
use crate::spec::{Layout, Partitions, Stage, Topic, TopicName};

/// The address of the product document's compose file.
pub const DEFAULT_BROKERS: &str = "kafka:9092";
/// How long the first answer of a broker is waited for.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// A broker that does not answer is asked again this often, so that a signal is seen in time.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How long a new topic may take to get its leaders.
pub(super) const READY: Duration = Duration::from_secs(30);
/// A topic that is not ready is looked at this often.
pub(super) const SETTLING_WAIT: Duration = Duration::from_millis(50);

/// How records travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// librdkafka's `compression.type`.
    pub compression: &'static str,
    /// How long a batch may wait for more records, in milliseconds.
    pub linger_ms: u32,
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
    pub stop: &'a Stop,
}

/// What a topic is before a run.
#[derive(Debug)]
pub struct TopicState {
    /// Its name.
    pub topic: TopicName,
    /// Its partition count; `None` if it does not exist, or has no leaders.
    pub partitions: Option<Partitions>,
    /// Offsets between its beginning and its end: its records, and what transactions left between them.
    pub records: u64,
    /// Settings that would not keep a run's records as they are, each with the command that mends it.
    pub misfits: Vec<KafkaError>,
}

/// A cluster that was looked at: its four topics exist.
#[derive(Debug)]
pub struct Cluster {
    brokers: String,
    properties: Vec<Property>,
    transfer: Transfer,
    layout: Layout,
    created: Vec<TopicName>,
    end_offsets: [Vec<i64>; 4],
    /// Whether the brokers call themselves by addresses of this machine.
    is_local: bool,
}

impl Cluster {
    /// Connects, looks at the topics that exist, creates those that are missing, waits for their leaders, and reads where each
    /// partition ends. A topic that exists brings its own partition count. Nothing is created before all else is well.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, a topic that exists does not fit, or one cannot be created.
    pub fn prepare(target: &Target<'_>) -> Result<Self, KafkaError> {
        let mut cluster = Self::unseen(target);
        let config = cluster.client_config();
        let client: BaseConsumer<LastError> = config.create_with_context(LastError::default())?;
        let counts = cluster.partition_counts(&client, target.stop)?;
        let existing = target.layout.topics().iter().zip(counts).filter(|&(_, count)| count > 0);
        cluster.look_at_existing(&client, &existing.collect::<Vec<_>>(), target)?;
        let missing = target.layout.topics().iter().zip(counts).filter(|&(_, count)| count == 0);
        let missing: Vec<&Topic> = missing.map(|(topic, _)| topic).collect();
        cluster.created = topics::create(&config, &missing, target.topics, target.stop)?;
        let missing: Vec<&Topic> = missing.into_iter().filter(|topic| !cluster.created.contains(&topic.name)).collect();
        let counts = cluster.wait_for_leaders(&client, target.stop)?;
        // Topics that were there without leaders are looked at now.
        cluster.look_at_existing(&client, &missing.iter().map(|&topic| (topic, 1)).collect::<Vec<_>>(), target)?;
        cluster.layout = target.layout.with_partitions(counts);
        let metadata = cluster.metadata(&client, target.stop)?;
        cluster.is_local = metadata.brokers().iter().all(|broker| is_loopback(broker.host()));
        for stage in Stage::ALL {
            let topic = cluster.layout.topic(stage);
            let count = topic.partitions.count();
            cluster.end_offsets[stage.index()] = end_offsets(client.client(), topic, count, target.stop)?;
        }
        Ok(cluster)
    }

    /// Looks at the topics and leaves everything as it is.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, or one refuses to tell.
    pub fn look(target: &Target<'_>) -> Result<[TopicState; 4], KafkaError> {
        let cluster = Self::unseen(target);
        let config = cluster.client_config();
        let client: BaseConsumer<LastError> = config.create_with_context(LastError::default())?;
        let counts = cluster.partition_counts(&client, target.stop)?;
        let mut states = Stage::ALL.map(|stage| TopicState {
            topic: target.layout.topic(stage).name.clone(),
            partitions: Partitions::new(counts[stage.index()]).ok(),
            records: 0,
            misfits: Vec::new(),
        });
        for (state, topic) in states.iter_mut().zip(target.layout.topics()) {
            let Some(partitions) = state.partitions else { continue };
            for partition in 0..partitions.count().cast_signed() {
                let (low, end) = watermarks(client.client(), topic.name.as_str(), partition, || target.stop.asked())?;
                state.records += end.saturating_sub(low).unsigned_abs();
            }
        }
        let mut times = target.topics.times;
        if target.topics.existing == Existing::Resumed && states.iter().any(|state| state.records > 0) {
            // What a run writes behind them is younger than they are; how old, only the run finds out.
            times.first_ms = times.first_ms.max(times.now_ms);
        }
        for (state, topic) in
            states.iter_mut().zip(target.layout.topics()).filter(|(state, _)| state.partitions.is_some())
        {
            state.misfits = topics::misfits(&config, &cluster.brokers, &[topic], times, target.stop)?;
        }
        Ok(states)
    }

    fn unseen(target: &Target<'_>) -> Self {
        Self {
            brokers: target.brokers.to_owned(),
            properties: target.properties.to_vec(),
            transfer: target.transfer,
            layout: target.layout.clone(),
            created: Vec::new(),
            end_offsets: Default::default(),
            is_local: false,
        }
    }

    /// Refuses topics whose settings would not keep records as they are, and a topic that is gone beside others that are to be gone
    /// on with. What the run writes behind those is not known yet, so the age of its first record is checked later.
    fn look_at_existing(
        &self,
        client: &BaseConsumer<LastError>,
        existing: &[(&Topic, u32)],
        target: &Target<'_>,
    ) -> Result<(), KafkaError> {
        if target.topics.existing == Existing::Ours {
            return Ok(());
        }
        let mut times = target.topics.times;
        if target.topics.existing == Existing::Resumed
            && let Some(held) = first_that_holds_records(client, existing, target.stop)?
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

    /// Refuses topics whose settings would not keep records of these times.
    ///
    /// # Errors
    /// Names the topic, its setting and the command that mends it.
    pub fn check(&self, times: Times, stop: &Stop) -> Result<(), KafkaError> {
        let topics: Vec<&Topic> = self.layout.topics().iter().collect();
        self.check_topics(&topics, times, stop)
    }

    fn check_topics(&self, topics: &[&Topic], times: Times, stop: &Stop) -> Result<(), KafkaError> {
        let misfits = topics::misfits(&self.client_config(), &self.brokers, topics, times, stop)?;
        misfits.into_iter().next().map_or(Ok(()), Err)
    }

    /// Whether all brokers are on this machine: what is asked there, and what they call themselves. A tunnel may lead elsewhere.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let hosts = self.brokers.split(',').map(str::trim);
        self.is_local
            && hosts.map(|address| address.rsplit_once("://").map_or(address, |(_, host)| host)).all(is_loopback)
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
    pub fn set_end_offsets(&mut self, end_offsets: [Vec<i64>; 4]) {
        self.end_offsets = end_offsets;
    }

    /// Where each partition ended when the cluster was looked at.
    #[must_use]
    pub fn end_offsets(&self) -> &[Vec<i64>; 4] {
        &self.end_offsets
    }

    /// A client's settings: the user's properties, and what every client of the run shares.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        self.configure(&mut config);
        config
    }

    /// Adds those settings. They beat what `config` holds already, and are beaten by what is set later.
    pub(super) fn configure(&self, config: &mut ClientConfig) {
        config.set("client.id", "mock-data-gen").set("socket.keepalive.enable", "true");
        properties::apply(&self.properties, config);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("allow.auto.create.topics", "false")
            .set_log_level(RDKafkaLogLevel::Warning);
    }

    pub(super) fn transfer(&self) -> Transfer {
        self.transfer
    }
}

/// Whether a host, with a port or without, is this machine.
fn is_loopback(host: &str) -> bool {
    let is = |name: &str| host.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    is("localhost") || is("[::1]") || host == "::1" || host.starts_with("127.")
}

/// The first of some topics in which a partition does not end at offset 0.
fn first_that_holds_records(
    client: &BaseConsumer<LastError>,
    topics: &[(&Topic, u32)],
    stop: &Stop,
) -> Result<Option<TopicName>, KafkaError> {
    for &(topic, count) in topics {
        if end_offsets(client.client(), topic, count, stop)?.iter().any(|&end_offset| end_offset > 0) {
            return Ok(Some(topic.name.clone()));
        }
    }
    Ok(None)
}

/// Passes librdkafka's log on. Broken connections are told by the error callback already.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(target: "librdkafka", "{facility}: {message}");
        }
        _ => tracing::debug!(target: "librdkafka", "{facility}: {message}"),
    }
}

/// An error's text without "(after 0ms in state CONNECT, 1 identical error(s) suppressed)", which helps nobody.
pub(super) fn without_statistics(reason: &str) -> &str {
    reason.split(" (after").next().unwrap_or(reason)
}
