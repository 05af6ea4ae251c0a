//! What brokers say of their topics: whether they are there, and how many partitions they have.

use std::thread;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::super::last_error::LastError;
use super::super::{KafkaError, Property};
use super::named::{Named, is_named};
use super::{CONNECT, Cluster, DEFAULT_BROKERS, LOOK, READY, SETTLING_WAIT, Transfer};
use crate::sink::Stop;
use crate::spec::{Layout, LayoutError, Partitions, Stage};

impl Cluster {
    /// Looks for topics that are to be read. Each brings its own partition count; nothing is created.
    ///
    /// # Errors
    /// If no broker answers within 10 seconds, or a topic does not exist.
    pub fn connect(brokers: &str, properties: &[Property], layout: &Layout, stop: &Stop) -> Result<Self, KafkaError> {
        let mut cluster = Self {
            brokers: brokers.to_owned(),
            properties: properties.to_vec(),
            transfer: Transfer { compression: "none", linger_ms: 0, queue_kbytes: 1 },
            layout: layout.clone(),
            created: Vec::new(),
            end_offsets: Default::default(),
            named: Named::default(),
        };
        let client: BaseConsumer<LastError> = cluster.client_config().create_with_context(LastError::default())?;
        let counts = cluster.partition_counts(&client, stop)?;
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
    pub(super) fn partition_counts(
        &mut self,
        client: &BaseConsumer<LastError>,
        stop: &Stop,
    ) -> Result<[u32; 4], KafkaError> {
        let metadata = self.metadata(client, stop)?;
        let ready = |topic: &MetadataTopic| topic.partitions().iter().all(|p| p.leader() >= 0);
        let count = |stage: Stage| {
            let name = self.layout.topic(stage).name.as_str();
            let found = metadata.topics().iter().find(|topic| topic.name() == name && ready(topic));
            found.map_or(0, |topic| topic.partitions().len() as u32)
        };
        Ok(Stage::ALL.map(count))
    }

    /// What the brokers say of themselves and of all topics.
    pub(in super::super) fn metadata(
        &mut self,
        client: &BaseConsumer<LastError>,
        stop: &Stop,
    ) -> Result<Metadata, KafkaError> {
        let begin = Instant::now();
        loop {
            match client.fetch_metadata(None, LOOK) {
                Ok(metadata) => {
                    self.named.learn(&metadata, begin.elapsed());
                    return Ok(metadata);
                }
                Err(_) if stop.asked() => return Err(KafkaError::Stopped),
                Err(_) if begin.elapsed() < CONNECT => {}
                Err(error) => return Err(self.unreachable(client, &error)),
            }
        }
    }

    fn unreachable(&self, client: &BaseConsumer<LastError>, error: &ClientError) -> KafkaError {
        let advice = if self.brokers == DEFAULT_BROKERS {
            "kafka:9092 is the default, for use inside docker compose. From the host try --bootstrap-servers localhost:29092; \
             without any Kafka try --bootstrap-servers embedded"
        } else {
            "check --bootstrap-servers (KAFKA_BOOTSTRAP_SERVERS) and that the broker runs; without any Kafka try \
             --bootstrap-servers embedded"
        };
        // What the client saw while it tried waits to be polled.
        while client.poll(SETTLING_WAIT).is_some() {}
        let detail = client.context().last().unwrap_or_else(|| error.to_string());
        let (brokers, seconds) = (self.brokers.clone(), CONNECT.as_secs());
        if is_named(&detail) {
            let action = format!("asking {brokers} for its topics");
            return KafkaError::Unanswered { action, seconds, detail: format!(": {detail}") };
        }
        KafkaError::Unreachable { brokers, seconds, detail, advice }
    }

    pub(super) fn wait_for_leaders(
        &mut self,
        client: &BaseConsumer<LastError>,
        stop: &Stop,
    ) -> Result<[Partitions; 4], KafkaError> {
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
