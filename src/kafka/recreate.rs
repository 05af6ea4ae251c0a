//! Deleting topics and creating them again as they were, so that a stream begins anew in them.
//!
//! Brokers delete in their own time: a topic is gone when its name can be taken again, and new when it ends at offset 0.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, ConfigSource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::metadata::MetadataTopic;
use rdkafka::types::RDKafkaErrorCode;

use super::admin::{ask, options};
use super::client::{Client, Looker};
use super::client_context::LastError;
use super::cluster::Target;
use super::error::{KafkaError, Obstacle, RecreationError};
use super::offsets::{At, Edge, Ends};
use super::timeouts::READY;
use crate::generator::spec::TopicName;
use crate::log::shutdown::Shutdown;

/// Topics that are being deleted are looked at this often.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Brokers learn one after the other that a topic is gone; so many looks in a row must not find it.
const LOOKS: u32 = 10;

/// A topic that is to be empty.
#[derive(Debug)]
pub struct Former {
    /// Its name.
    pub topic: TopicName,
    /// How many offsets lie between its beginning and its end: its records, and what transactions left between them.
    pub offsets: u64,
    partitions: i32,
    replicas: i32,
    /// What was set for this topic alone.
    settings: Vec<(String, String)>,
}

/// The topics of a target that exist, about to be deleted and created again.
pub struct Recreation<'a> {
    target: &'a Target<'a>,
    config: ClientConfig,
    client: Looker,
    ends: Ends,
    /// For how long an answer is waited for.
    patience: Duration,
    /// What is there now.
    pub former: Vec<Former>,
}

impl std::fmt::Debug for Recreation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recreation").field("former", &self.former).finish_non_exhaustive()
    }
}

impl<'a> Recreation<'a> {
    /// Looks at what is there, and leaves it as it is.
    ///
    /// # Errors
    /// If the brokers do not answer, or do not tell what has to be kept.
    pub fn look(target: &'a Target<'a>) -> Result<Self, KafkaError> {
        let mut brokers = Client::new(target.brokers, target.properties);
        let config = brokers.config();
        let client = brokers.looker()?;
        let metadata = brokers.metadata(&client, target.stop)?;
        let mut former = Vec::new();
        for topic in target.layout.topics() {
            let found = metadata.topics().iter().find(|found| found.name() == topic.name.as_str());
            let Some(found) = found.filter(|found| !found.partitions().is_empty()) else { continue };
            former.push(look_at(&brokers.ends(&client), &topic.name, found, target.stop)?);
        }
        let (within, ends) = (brokers.patience(), brokers.ends(&client));
        for topic in &mut former {
            topic.settings = own_settings(&config, &topic.topic, within, target.stop)?;
        }
        Ok(Self { target, config, client, ends, patience: within, former })
    }

    /// Deletes the topics, waits until they are gone, and creates them again with the partitions, replicas and settings that they had.
    ///
    /// # Errors
    /// If the brokers refuse one of both, or take longer than 30 s; the error says what is deleted by then.
    pub fn run(self) -> Result<(), KafkaError> {
        if self.former.is_empty() {
            return Ok(());
        }
        self.delete()?;
        self.wait_until_gone()?;
        self.create()?;
        self.wait_until_new()
    }

    fn delete(&self) -> Result<(), KafkaError> {
        let admin: AdminClient<LastError> = self.config.create_with_context(LastError::default())?;
        let names: Vec<&str> = self.former.iter().map(|topic| topic.topic.as_str()).collect();
        let results = ask(
            "deleting topics",
            READY,
            (self.target.stop, admin.inner().context()),
            admin.delete_topics(&names, &options(READY)),
        )?;
        let mut deleted = Vec::new();
        let mut refused = None;
        for (topic, result) in self.former.iter().zip(results) {
            match result {
                // Somebody else deleted it.
                Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {
                    deleted.push(topic.topic.clone());
                }
                Err((_, code)) => refused = refused.or(Some((topic.topic.clone(), code))),
            }
        }
        let Some((topic, code)) = refused else { return Ok(()) };
        let brokers = self.target.brokers.to_owned();
        Err(RecreationError::Undeletable { topic, code, deleted, brokers }.into())
    }

    fn wait_until_gone(&self) -> Result<(), KafkaError> {
        let begin = Instant::now();
        let mut without = 0;
        while without < LOOKS {
            self.go_on(begin)?;
            let found = self.client.fetch_metadata(None, self.patience).is_ok_and(|metadata| {
                let is_there = |name: &TopicName| metadata.topics().iter().any(|topic| topic.name() == name.as_str());
                without += 1;
                self.former.iter().any(|topic| is_there(&topic.topic))
            });
            without = if found { 0 } else { without };
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// A name may still be taken although no broker shows its topic any more.
    fn create(&self) -> Result<(), KafkaError> {
        let admin: AdminClient<LastError> = self.config.create_with_context(LastError::default())?;
        let begin = Instant::now();
        let mut left: Vec<&Former> = self.former.iter().collect();
        while !left.is_empty() {
            self.go_on(begin)?;
            let new: Vec<NewTopic<'_>> = left.iter().map(|topic| self.again(topic)).collect();
            let results = ask(
                "creating topics",
                READY,
                (self.target.stop, admin.inner().context()),
                admin.create_topics(&new, &options(READY)),
            )?;
            let mut taken = Vec::new();
            for (topic, result) in left.into_iter().zip(results) {
                match result {
                    Ok(_) => {}
                    Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => taken.push(topic),
                    Err((_, code)) => {
                        return Err(KafkaError::CreateTopic { topic: topic.topic.clone(), code });
                    }
                }
            }
            left = taken;
            if !left.is_empty() {
                thread::sleep(LOOK_AGAIN);
            }
        }
        Ok(())
    }

    fn again<'b>(&self, topic: &'b Former) -> NewTopic<'b> {
        let replicas = self.target.topics.replication_factor.map_or(topic.replicas, i32::from);
        let new = NewTopic::new(topic.topic.as_str(), topic.partitions, TopicReplication::Fixed(replicas));
        topic.settings.iter().fold(new, |new, (name, value)| new.set(name, value))
    }

    /// A broker that has not heard of it yet may still show the log of before.
    fn wait_until_new(&self) -> Result<(), KafkaError> {
        let begin = Instant::now();
        let partitions: Vec<At<'_>> = self.former.iter().flat_map(Former::partitions).collect();
        let give_up = || self.target.stop.is_requested();
        while self.ends.of(&partitions, Edge::Beginning, give_up)?.iter().any(|&offset| offset > 0)
            || self.ends.of(&partitions, Edge::End, give_up)?.iter().any(|&offset| offset > 0)
        {
            self.go_on(begin)?;
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn go_on(&self, begin: Instant) -> Result<(), KafkaError> {
        if self.target.stop.is_requested() {
            return Err(KafkaError::Stopped);
        }
        if begin.elapsed() < READY {
            return Ok(());
        }
        Err(RecreationError::NotDeleted { topic: self.former[0].topic.clone(), seconds: READY.as_secs() }.into())
    }
}

impl Former {
    fn partitions(&self) -> impl Iterator<Item = At<'_>> {
        (0..self.partitions).map(|partition| (&self.topic, partition))
    }
}

fn look_at(ends: &Ends, topic: &TopicName, found: &MetadataTopic, stop: &Shutdown) -> Result<Former, KafkaError> {
    let partitions: Vec<At<'_>> = found.partitions().iter().map(|partition| (topic, partition.id())).collect();
    let begins = ends.of(&partitions, Edge::Beginning, || stop.is_requested())?;
    let ends = ends.of(&partitions, Edge::End, || stop.is_requested())?;
    let offsets = begins.iter().zip(ends).map(|(&begin, end)| end.saturating_sub(begin).max(0).unsigned_abs()).sum();
    let partitions = i32::try_from(found.partitions().len()).unwrap_or(i32::MAX);
    let replicas = found.partitions().iter().map(|partition| partition.replicas().len()).max().unwrap_or(1);
    let replicas = i32::try_from(replicas).unwrap_or(1);
    Ok(Former { topic: topic.clone(), offsets, partitions, replicas, settings: Vec::new() })
}

/// What was set for a topic alone: nothing tells it any more once the topic is deleted.
fn own_settings(
    config: &ClientConfig,
    topic: &TopicName,
    within: Duration,
    stop: &Shutdown,
) -> Result<Vec<(String, String)>, KafkaError> {
    let admin: AdminClient<LastError> = config.create_with_context(LastError::default())?;
    let action = format!("reading the settings of topic `{topic}`, which are to be kept");
    let resource = [ResourceSpecifier::Topic(topic.as_str())];
    let described =
        ask(&action, within, (stop, admin.inner().context()), admin.describe_configs(&resource, &options(within)))?;
    let described = described.into_iter().next();
    match described {
        Some(Ok(described)) if !described.entries.is_empty() => {
            let own = described.entries.into_iter().filter(|entry| entry.source == ConfigSource::DynamicTopic);
            Ok(own.filter_map(|entry| Some((entry.name, entry.value?))).collect())
        }
        // The client library shows a topic without any where the right is missing, and what is not seen would be lost.
        Some(Ok(_)) => Err(Obstacle::on_topic(&action, "DescribeConfigs", topic.as_str()).into()),
        Some(Err(code)) => Err(KafkaError::refused(&action, rdkafka::error::KafkaError::AdminOp(code), within)),
        None => Ok(Vec::new()),
    }
}
