//! Topics, read to their end by a plain consumer.

use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::sink::Stop;
use crate::sink::kafka::{Cluster, KafkaError};
use crate::spec::{Layout, Stage};

/// How long a partition may stay silent before its end.
const PATIENCE: Duration = Duration::from_secs(30);
/// A wait for the next record.
const POLL: Duration = Duration::from_millis(100);

/// A record as a log holds it.
#[derive(Debug)]
pub struct LogRecord<'a> {
    /// The stage whose topic it stands in.
    pub stage: Stage,
    /// Partition.
    pub partition: u32,
    /// The record's timestamp in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Value, if it has one.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

/// Reads the four topics of a cluster from their beginning to where they end now, and shows each record to `each`. Order is
/// kept within a partition.
///
/// # Errors
/// If a broker does not answer, a partition gives nothing for 30 seconds, or a signal's time to end is over.
pub fn read_to_end(cluster: &Cluster, stop: &Stop, mut each: impl FnMut(&LogRecord<'_>)) -> Result<(), KafkaError> {
    let layout = cluster.layout();
    let consumer: BaseConsumer = config(cluster).create()?;
    let mut open = unread_partitions(&consumer, layout)?;
    consumer.assign(&assignment(layout, &open)?)?;
    let mut last = Instant::now();
    while !open.is_empty() {
        if stop.drain_is_over() {
            return Err(KafkaError::Stopped);
        }
        match consumer.poll(POLL) {
            Some(message) => {
                let message = message?;
                last = Instant::now();
                let Some(stage) = stage_of(layout, message.topic()) else { continue };
                each(&log_record(stage, &message));
                let is_last = |p: &Unread| {
                    (p.stage, p.partition) == (stage, message.partition()) && message.offset() + 1 >= p.end
                };
                open.retain(|partition| !is_last(partition));
            }
            None if last.elapsed() > PATIENCE => {
                return Err(KafkaError::Silent { left: open.len(), seconds: PATIENCE.as_secs() });
            }
            None => {
                // A log may end in a control record, which is passed over silently: the position tells.
                let positions = consumer.position()?;
                let at = |p: &Unread| {
                    positions.find_partition(layout.topic(p.stage).name.as_str(), p.partition)?.offset().to_raw()
                };
                open.retain(|partition| at(partition).is_none_or(|position| position < partition.end));
            }
        }
    }
    Ok(())
}

/// A partition with records that were not read yet.
#[derive(Debug)]
struct Unread {
    stage: Stage,
    partition: i32,
    end: i64,
}

fn config(cluster: &Cluster) -> ClientConfig {
    let mut config = cluster.client_config();
    // A group is never joined; the client wants a name all the same.
    config
        .set("group.id", "mock-data-gen-reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed");
    config
}

fn unread_partitions(consumer: &BaseConsumer, layout: &Layout) -> Result<Vec<Unread>, KafkaError> {
    let mut unread = Vec::new();
    for stage in Stage::ALL {
        let topic = layout.topic(stage);
        for partition in 0..topic.partitions.count().cast_signed() {
            let (low, end) = consumer.fetch_watermarks(topic.name.as_str(), partition, PATIENCE)?;
            if low < end {
                unread.push(Unread { stage, partition, end });
            }
        }
    }
    Ok(unread)
}

fn assignment(layout: &Layout, partitions: &[Unread]) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for Unread { stage, partition, .. } in partitions {
        let topic = layout.topic(*stage).name.as_str();
        list.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    Ok(list)
}

fn stage_of(layout: &Layout, topic: &str) -> Option<Stage> {
    Stage::ALL.into_iter().find(|&stage| layout.topic(stage).name.as_str() == topic)
}

fn log_record<'a>(stage: Stage, message: &'a BorrowedMessage<'_>) -> LogRecord<'a> {
    let headers =
        message.headers().map(|headers| headers.iter().map(|header| (header.key.as_bytes(), header.value)).collect());
    LogRecord {
        stage,
        partition: message.partition().cast_unsigned(),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key(),
        value: message.payload(),
        headers: headers.unwrap_or_default(),
    }
}
