//! What all clients of a run share: where the brokers are, how they are spoken to, and what they say of themselves.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;

use super::advertised::{Advertised, is_advertised, is_loopback};
use super::beside::beside;
use super::client_context::LastError;
use super::error::{KafkaError, Obstacle};
use super::offsets::Ends;
use super::properties::{self, Property};
use super::refusal::Refusal;
use super::timeouts::{CONNECTION, FIRST_ANSWER, FIRST_ANSWER_FAR, READY, SETTLING_WAIT};
use crate::generator::spec::{ByStage, Layout, LayoutError, Partitions, Stage, Topic};
use crate::log::shutdown::Shutdown;

/// The address of the product document's compose file.
pub const DEFAULT_BROKERS: &str = "kafka:9092";

/// A client that looks.
pub(crate) type Looker = Arc<BaseConsumer<LastError>>;

/// Brokers, and how a run speaks to them.
#[derive(Debug)]
pub struct Client {
    brokers: String,
    properties: Vec<Property>,
    /// What the brokers call themselves.
    advertised: Advertised,
}

impl Client {
    /// Brokers that nobody has looked at yet.
    pub(crate) fn new(brokers: &str, properties: &[Property]) -> Self {
        Self { brokers: brokers.to_owned(), properties: properties.to_vec(), advertised: Advertised::default() }
    }

    /// The addresses that were given.
    pub(crate) fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The id of a broker that has answered.
    pub(crate) fn first_broker(&self) -> Option<i32> {
        self.advertised.first()
    }

    /// Whether all brokers are on this machine: what is asked there, and what they call themselves. A tunnel may lead elsewhere.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let hosts = self.brokers.split(',').map(str::trim);
        self.advertised.are_local()
            && hosts.map(|address| address.rsplit_once("://").map_or(address, |(_, host)| host)).all(is_loopback)
    }

    /// The settings of a client that looks or reads: the user's properties, and what every client of the run shares.
    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // An address that swallows everything is told of while answers are still waited for.
        config.set("socket.connection.setup.timeout.ms", CONNECTION.as_millis().to_string());
        self.configure(&mut config);
        config
    }

    /// A client that looks.
    pub(crate) fn looker(&self) -> Result<Looker, KafkaError> {
        Ok(Arc::new(self.config().create_with_context(LastError::default())?))
    }

    /// Asks by this client where partitions begin and end, as patiently as the brokers are slow.
    pub(crate) fn ends(&self, client: &Looker) -> Ends {
        Ends::new(client, self.patience())
    }

    /// The longest that a first answer took.
    pub(crate) fn first_answer(&self) -> Duration {
        self.advertised.took_max()
    }

    /// How long a broker's answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.advertised.patience()
    }

    /// Adds those settings. They beat what `config` holds already, and are beaten by what is set later.
    pub(crate) fn configure(&self, config: &mut ClientConfig) {
        config.set("client.id", "mock-data-gen").set("socket.keepalive.enable", "true");
        properties::apply(&self.properties, config);
        config
            .set("bootstrap.servers", &self.brokers)
            .set("allow.auto.create.topics", "false")
            .set_log_level(self.log_level());
    }

    /// The client tells of connections that break at `Info`; its debugging, where the property `debug` asks for it, at `Debug`.
    fn log_level(&self) -> RDKafkaLogLevel {
        let debugs = self.properties.iter().any(|property| property.key() == "debug");
        if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info }
    }

    /// Adds to the error of a silent broker where it was asked.
    pub(crate) fn explain(&self, error: KafkaError) -> KafkaError {
        self.advertised.explain(error)
    }

    /// What the brokers say of themselves and of all topics.
    pub(crate) fn metadata(&mut self, client: &Looker, stop: &Shutdown) -> Result<Metadata, KafkaError> {
        let begin = Instant::now();
        // Where something failed, no more is to be expected; a connection that is still being made may be to a broker that is far away.
        let has_failed = || begin.elapsed() >= FIRST_ANSWER && last_error(client).is_some();
        loop {
            let left = FIRST_ANSWER_FAR.saturating_sub(begin.elapsed());
            let asking = Arc::clone(client);
            let give_up = || stop.is_requested() || has_failed() || refusal(client).is_some();
            let error = match beside(left, give_up, move || asking.fetch_metadata(None, left)) {
                Ok(Ok(metadata)) => {
                    self.advertised.learn(&metadata, begin.elapsed());
                    return Ok(metadata);
                }
                Err(KafkaError::Stopped) if !stop.is_requested() => None,
                Ok(Err(error)) => Some(error),
                Err(error) => return Err(error),
            };
            if stop.is_requested() {
                return Err(KafkaError::Stopped);
            }
            if let Some(refusal) = refusal(client) {
                return Err(refusal.into());
            }
            if has_failed() || begin.elapsed() >= FIRST_ANSWER_FAR {
                return Err(self.unreachable(client, error.as_ref(), begin.elapsed()));
            }
            thread::sleep(SETTLING_WAIT);
        }
    }

    fn unreachable(&self, client: &Looker, error: Option<&ClientError>, waited: Duration) -> KafkaError {
        let silent = || error.map_or_else(|| "no answer".to_owned(), ToString::to_string);
        let detail = last_error(client).unwrap_or_else(silent);
        let (brokers, seconds) = (self.brokers.clone(), waited.as_secs());
        if is_advertised(&detail) {
            let action = format!("asking {brokers} for its topics");
            return KafkaError::Unanswered { action, seconds, detail: format!(": {detail}") };
        }
        KafkaError::Unreachable { brokers, seconds, detail }
    }

    /// The topics' partition counts; 0 where a topic does not exist, or is not ready.
    pub(crate) fn partition_counts(
        &mut self,
        layout: &Layout,
        client: &Looker,
        stop: &Shutdown,
    ) -> Result<ByStage<u32>, KafkaError> {
        let metadata = self.metadata(client, stop)?;
        let ready = |topic: &MetadataTopic| topic.partitions().iter().all(|p| p.leader() >= 0);
        let count = |stage: Stage| {
            let name = layout.topic(stage).name.as_str();
            let found = metadata.topics().iter().find(|topic| topic.name() == name && ready(topic));
            found.map_or(0, |topic| topic.partitions().len() as u32)
        };
        Ok(ByStage::from_fn(count))
    }

    /// Refuses topics that are hidden from us: a list of all topics holds them as little as those that do not exist.
    pub(crate) fn require_visible(
        &self,
        layout: &Layout,
        counts: ByStage<u32>,
        stop: &Shutdown,
    ) -> Result<(), KafkaError> {
        let missing = || missing(layout, counts);
        if missing().next().is_none() {
            return Ok(());
        }
        // A client of its own: it would not forget these names.
        let (client, within) = (self.looker()?, self.patience());
        for topic in missing() {
            let (asking, name) = (Arc::clone(&client), topic.name.to_string());
            let found = beside(within, || stop.is_requested(), move || asking.fetch_metadata(Some(&name), within))?;
            let is_denied = |found: &MetadataTopic| {
                found.error() == Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
            };
            if found.is_ok_and(|metadata| metadata.topics().iter().any(is_denied)) {
                let action = format!("looking for topic `{}`", topic.name);
                return Err(Obstacle::on_topic(&action, "Describe", topic.name.as_str()).into());
            }
        }
        Ok(())
    }

    /// Waits until each partition of each topic has a leader, and says how many there are.
    pub(crate) fn wait_for_leaders(
        &mut self,
        layout: &Layout,
        client: &Looker,
        stop: &Shutdown,
    ) -> Result<[Partitions; 4], KafkaError> {
        let begin = Instant::now();
        loop {
            let counts = self.partition_counts(layout, client, stop)?;
            let partitions: Result<Vec<Partitions>, LayoutError> =
                counts.values().copied().map(Partitions::new).collect();
            if let Ok(Ok(partitions)) = partitions.map(<[Partitions; 4]>::try_from) {
                return Ok(partitions);
            }
            if begin.elapsed() > READY {
                let topic = missing(layout, counts).next().unwrap_or(layout.topic(Stage::Request)).name.clone();
                return Err(KafkaError::NotReady { topic, seconds: READY.as_secs() });
            }
            thread::sleep(SETTLING_WAIT);
        }
    }
}

/// The topics of which there are no partitions.
pub(super) fn missing(layout: &Layout, counts: ByStage<u32>) -> impl Iterator<Item = &Topic> {
    Stage::ALL.into_iter().filter(move |&stage| counts[stage] == 0).map(|stage| layout.topic(stage))
}

/// What a client saw last while it tried to connect, which waits to be polled.
fn last_error(client: &Looker) -> Option<String> {
    while client.poll(Duration::ZERO).is_some() {}
    client.context().last()
}

/// Why brokers let nobody in, if one has said so: that waits to be polled, too.
fn refusal(client: &Looker) -> Option<Refusal> {
    while client.poll(Duration::ZERO).is_some() {}
    client.context().likely_refusal()
}
