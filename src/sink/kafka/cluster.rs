//! Looking at the brokers before the first record: reachable, topics there, their partition counts and end offsets.

mod existing;
mod metadata;
mod named;
mod state;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::BaseConsumer;

use self::named::{Named, is_loopback};
pub use self::state::TopicState;
use super::ends::{Edge, Ends, partitions};
use super::last_error::LastError;
use super::timeouts::{CONNECTION, CREATION, READY};
use super::topics::{self, Existing, TopicSettings};
use super::{KafkaError, Property, properties};
use crate::generator::spec::{Layout, Partitions, Stage, Topic, TopicName};
use crate::log::shutdown::Shutdown;

/// The address of the product document's compose file.
pub const DEFAULT_BROKERS: &str = "kafka:9092";

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

/// A client that looks.
pub(super) type Looker = Arc<BaseConsumer<LastError>>;

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
    brokers: String,
    properties: Vec<Property>,
    transfer: Transfer,
    layout: Layout,
    created: Vec<TopicName>,
    end_offsets: [Vec<i64>; 4],
    /// The largest batch that all topics take, as far as that is known.
    batch_bytes_max: Option<u64>,
    /// Whether it is the embedded broker, which says of every batch that it has the broker's own time.
    is_embedded: bool,
    /// What the brokers call themselves.
    named: Named,
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
            Err(error) => Err(cluster.named.explain(error)),
        }
    }

    fn prepare_for(&mut self, target: &Target<'_>) -> Result<(), KafkaError> {
        let config = self.client_config();
        let client = self.looker()?;
        let counts = self.partition_counts(&client, target.stop)?;
        self.require_visible(counts, target.stop)?;
        let existing = target.layout.topics().iter().zip(counts).filter(|&(_, count)| count > 0);
        self.look_at_existing(&client, &existing.collect::<Vec<_>>(), target)?;
        let missing = target.layout.topics().iter().zip(counts).filter(|&(_, count)| count == 0);
        let missing: Vec<&Topic> = missing.map(|(topic, _)| topic).collect();
        let broker = self.broker_settings(&missing, target.stop)?;
        if broker.is_hidden && target.topics.without_end {
            tracing::warn!(
                target: "mock_data_gen::sink::kafka::cluster",
                "the brokers do not show how long they keep records (DescribeConfigs on the cluster): created topics keep them for ever"
            );
        }
        self.takes_batches_of(broker.batch_bytes_max);
        self.created = topics::create(&config, &missing, target.topics, broker.retention_ms, target.stop)?;
        let missing: Vec<&Topic> = missing.into_iter().filter(|topic| !self.created.contains(&topic.name)).collect();
        let counts = self.wait_for_leaders(&client, target.stop)?;
        // Topics that were there without leaders are looked at now.
        self.look_at_existing(&client, &missing.iter().map(|&topic| (topic, 1)).collect::<Vec<_>>(), target)?;
        self.layout = target.layout.with_partitions(counts);
        self.metadata(&client, target.stop)?;
        let created = self.layout.topics().iter().filter(|topic| self.created.contains(&topic.name));
        let partitions = created.map(|topic| topic.partitions.count()).sum::<u32>();
        let within = self.patience().max(if partitions > 0 { READY + CREATION * partitions } else { Duration::ZERO });
        let ends = Ends::new(&client, within);
        self.end_offsets = ends.of_layout(&self.layout, Edge::End, || target.stop.is_requested())?;
        Ok(())
    }

    /// Looks at the topics and leaves everything as it is.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, or one refuses to tell.
    pub fn look(target: &Target<'_>) -> Result<[TopicState; 4], KafkaError> {
        let mut cluster = Self::unseen(target);
        cluster.look_at(target).map_err(|error| cluster.named.explain(error))
    }

    fn look_at(&mut self, target: &Target<'_>) -> Result<[TopicState; 4], KafkaError> {
        let client = self.looker()?;
        let counts = self.partition_counts(&client, target.stop)?;
        self.require_visible(counts, target.stop)?;
        let missing = target.layout.topics().iter().zip(counts).filter(|&(_, count)| count == 0);
        // A run would ask this, and not all brokers that are found can be reached.
        self.broker_settings(&missing.map(|(topic, _)| topic).collect::<Vec<_>>(), target.stop)?;
        let mut states = Stage::ALL.map(|stage| TopicState {
            topic: target.layout.topic(stage).name.clone(),
            partitions: Partitions::new(counts[stage.index()]).ok(),
            offsets: 0,
            end_offsets: 0,
            misfits: Vec::new(),
            warnings: Vec::new(),
        });
        let there = |state: &TopicState| Some(Topic { name: state.topic.clone(), partitions: state.partitions? });
        let topics: Vec<Topic> = states.iter().filter_map(there).collect();
        let (partitions, ends) = (topics.iter().flat_map(partitions).collect::<Vec<_>>(), self.ends(&client));
        let begins = ends.of(&partitions, Edge::Beginning, || target.stop.is_requested())?;
        let ends = ends.of(&partitions, Edge::End, || target.stop.is_requested())?;
        for ((&(topic, _), begin), end) in partitions.iter().zip(begins).zip(ends) {
            if let Some(state) = states.iter_mut().find(|state| state.topic == *topic) {
                state.offsets += end.saturating_sub(begin).max(0).unsigned_abs();
                state.end_offsets += end.max(0).unsigned_abs();
            }
        }
        let mut times = target.topics.times;
        if target.topics.existing == Existing::Resumed && states.iter().any(|state| state.end_offsets > 0) {
            // What a run writes behind them is younger than they are; how old, only the run finds out.
            times.first_ms = times.first_ms.max(times.now_ms);
        }
        for (state, topic) in
            states.iter_mut().zip(target.layout.topics()).filter(|(state, _)| state.partitions.is_some())
        {
            let judged = self.judge(&[topic], times, target.stop)?;
            (state.misfits, state.warnings) = (judged.misfits, judged.warnings);
        }
        Ok(states)
    }

    /// A cluster that nobody has looked at yet.
    pub(super) fn unseen(target: &Target<'_>) -> Self {
        Self {
            brokers: target.brokers.to_owned(),
            properties: target.properties.to_vec(),
            transfer: target.transfer,
            layout: target.layout.clone(),
            created: Vec::new(),
            end_offsets: Default::default(),
            batch_bytes_max: None,
            is_embedded: target.topics.existing == Existing::Ours,
            named: Named::default(),
        }
    }

    /// Whether all brokers are on this machine: what is asked there, and what they call themselves. A tunnel may lead elsewhere.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let hosts = self.brokers.split(',').map(str::trim);
        self.named.are_local()
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

    /// The settings of a client that looks or reads: the user's properties, and what every client of the run shares.
    pub(crate) fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // An address that swallows everything is told of while answers are still waited for.
        config.set("socket.connection.setup.timeout.ms", CONNECTION.as_millis().to_string());
        self.configure(&mut config);
        config
    }

    pub(super) fn looker(&self) -> Result<Looker, KafkaError> {
        Ok(Arc::new(self.client_config().create_with_context(LastError::default())?))
    }

    /// Asks by this client where partitions begin and end, as patiently as the brokers are slow.
    pub(crate) fn ends(&self, client: &Looker) -> Ends {
        Ends::new(client, self.patience())
    }

    /// The largest batch that all topics take, as far as that is known.
    pub(super) fn batch_bytes_max(&self) -> Option<u64> {
        self.batch_bytes_max
    }

    /// Whether it is the embedded broker.
    pub(super) fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// The longest that a first answer took.
    pub(super) fn first_answer(&self) -> Duration {
        self.named.took_max()
    }

    /// How long a broker's answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        self.named.patience()
    }

    /// Adds those settings. They beat what `config` holds already, and are beaten by what is set later.
    pub(super) fn configure(&self, config: &mut ClientConfig) {
        config.set("client.id", "mock-data-gen").set("socket.keepalive.enable", "true");
        properties::apply(&self.properties, config);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("allow.auto.create.topics", "false")
            .set_log_level(self.log_level());
    }

    /// The client tells of connections that break at `Info`; its debugging, where the user asks for it by `-X debug=…`, at `Debug`.
    fn log_level(&self) -> RDKafkaLogLevel {
        let debugs = self.properties.iter().any(|property| property.key() == "debug");
        if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info }
    }

    /// Adds to the error of a silent broker where it was asked.
    pub(crate) fn explain(&self, error: KafkaError) -> KafkaError {
        self.named.explain(error)
    }

    pub(super) fn transfer(&self) -> Transfer {
        self.transfer
    }
}
