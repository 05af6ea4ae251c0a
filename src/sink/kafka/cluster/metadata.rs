//! What brokers say of their topics: whether they are there, and how many partitions they have.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::metadata::{Metadata, MetadataTopic};
use rdkafka::types::RDKafkaRespErr;

use super::super::beside::beside;
use super::super::refusal::Refusal;
use super::super::timeouts::{CONNECT, CONNECT_FAR, READY, SETTLING_WAIT};
use super::super::{KafkaError, Obstacle, Property};
use super::named::{Named, is_named};
use super::{Cluster, DEFAULT_BROKERS, Looker, Transfer};
use crate::generator::spec::{Layout, LayoutError, Partitions, Stage};
use crate::log::shutdown::Shutdown;

impl Cluster {
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
            brokers: brokers.to_owned(),
            properties: properties.to_vec(),
            transfer: Transfer { compression: "none", linger_ms: 0, queue_kbytes: 1 },
            layout: layout.clone(),
            created: Vec::new(),
            end_offsets: Default::default(),
            batch_bytes_max: None,
            is_embedded: false,
            named: Named::default(),
        };
        let client = cluster.looker()?;
        let counts = cluster.partition_counts(&client, stop)?;
        cluster.require_visible(counts, stop)?;
        if let Some((topic, _)) = layout.topics().iter().zip(counts).find(|&(_, count)| count == 0) {
            return Err(KafkaError::NoTopic { topic: topic.name.clone(), brokers: brokers.to_owned() });
        }
        let counts: Vec<Partitions> = counts.into_iter().filter_map(|count| Partitions::new(count).ok()).collect();
        if let Ok(counts) = <[Partitions; 4]>::try_from(counts) {
            cluster.layout = layout.with_partitions(counts);
        }
        Ok(cluster)
    }

    /// The topics' partition counts; 0 where a topic does not exist, or is not ready.
    pub(super) fn partition_counts(&mut self, client: &Looker, stop: &Shutdown) -> Result<[u32; 4], KafkaError> {
        let metadata = self.metadata(client, stop)?;
        let ready = |topic: &MetadataTopic| topic.partitions().iter().all(|p| p.leader() >= 0);
        let count = |stage: Stage| {
            let name = self.layout.topic(stage).name.as_str();
            let found = metadata.topics().iter().find(|topic| topic.name() == name && ready(topic));
            found.map_or(0, |topic| topic.partitions().len() as u32)
        };
        Ok(Stage::ALL.map(count))
    }

    /// Refuses topics that are hidden from us: a list of all topics holds them as little as those that do not exist.
    pub(super) fn require_visible(&self, counts: [u32; 4], stop: &Shutdown) -> Result<(), KafkaError> {
        let missing = || self.layout.topics().iter().zip(counts).filter(|&(_, count)| count == 0);
        if missing().next().is_none() {
            return Ok(());
        }
        // A client of its own: it would not forget these names.
        let (client, within) = (self.looker()?, self.patience());
        for (topic, _) in missing() {
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

    /// What the brokers say of themselves and of all topics.
    pub(in super::super) fn metadata(&mut self, client: &Looker, stop: &Shutdown) -> Result<Metadata, KafkaError> {
        let begin = Instant::now();
        // Where something failed, no more is to be expected; a connection that is still being made may be to a broker that is far away.
        let has_failed = || begin.elapsed() >= CONNECT && last_error(client).is_some();
        loop {
            let left = CONNECT_FAR.saturating_sub(begin.elapsed());
            let asking = Arc::clone(client);
            let give_up = || stop.is_requested() || has_failed() || refusal(client).is_some();
            let error = match beside(left, give_up, move || asking.fetch_metadata(None, left)) {
                Ok(Ok(metadata)) => {
                    self.named.learn(&metadata, begin.elapsed());
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
            if has_failed() || begin.elapsed() >= CONNECT_FAR {
                return Err(self.unreachable(client, error.as_ref(), begin.elapsed()));
            }
            thread::sleep(SETTLING_WAIT);
        }
    }

    fn unreachable(&self, client: &Looker, error: Option<&ClientError>, waited: Duration) -> KafkaError {
        let advice = if self.brokers == DEFAULT_BROKERS {
            "kafka:9092 is the default, for use inside docker compose. From the host try --bootstrap-servers localhost:29092; \
             without any Kafka try --bootstrap-servers embedded"
        } else {
            "check --bootstrap-servers (KAFKA_BOOTSTRAP_SERVERS) and that the broker runs; without any Kafka try \
             --bootstrap-servers embedded"
        };
        let silent = || error.map_or_else(|| "no answer".to_owned(), ToString::to_string);
        let detail = last_error(client).unwrap_or_else(silent);
        let (brokers, seconds) = (self.brokers.clone(), waited.as_secs());
        if is_named(&detail) {
            let action = format!("asking {brokers} for its topics");
            return KafkaError::Unanswered { action, seconds, detail: format!(": {detail}") };
        }
        KafkaError::Unreachable { brokers, seconds, detail, advice }
    }

    pub(super) fn wait_for_leaders(&mut self, client: &Looker, stop: &Shutdown) -> Result<[Partitions; 4], KafkaError> {
        let begin = Instant::now();
        loop {
            let counts = self.partition_counts(client, stop)?;
            let partitions: Result<Vec<Partitions>, LayoutError> = counts.into_iter().map(Partitions::new).collect();
            if let Ok(Ok(partitions)) = partitions.map(<[Partitions; 4]>::try_from) {
                return Ok(partitions);
            }
            if begin.elapsed() > READY {
                let missing = self.layout.topics().iter().zip(counts).find(|&(_, count)| count == 0);
                let topic =
                    missing.map_or_else(|| self.layout.topics()[0].name.clone(), |(topic, _)| topic.name.clone());
                return Err(KafkaError::NotReady { topic, seconds: READY.as_secs() });
            }
            thread::sleep(SETTLING_WAIT);
        }
    }
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
