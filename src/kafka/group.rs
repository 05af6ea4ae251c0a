//! The offsets of the group that is named after a run: what it committed beside its records.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::beside::beside;
use super::client_context::LastError;
use super::cluster::Cluster;
use super::error::{KafkaError, is_silence};
use super::timeouts::SETTLING_WAIT;
use crate::generator::digest::Digest;
use crate::generator::spec::{ByStage, Layout};
use crate::generator::stream::{Progress, Stream};
use crate::log::shutdown::Shutdown;

/// What was committed of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// What is true of the partition before it.
    pub progress: Progress,
}

/// What was committed of each partition, by stage; `None` where nothing was.
pub type GroupCommitted = ByStage<Vec<Option<Committed>>>;

/// The group of a stream on its topics: `mock-data-gen-` and 16 hex digits.
#[must_use]
pub fn group_name(stream: &Stream) -> String {
    let names: Vec<&str> = stream.layout().topics().iter().map(|topic| topic.name.as_str()).collect();
    let id = Digest::of(format!("{},{}", stream.auctions().spec().stream_id(), names.join(","))).to_string();
    format!("mock-data-gen-{}", &id[..16])
}

/// Reads what a group committed. Offsets that other programs committed have no metadata of ours, and count as none.
///
/// # Errors
/// If the brokers refuse to tell, or do not answer within 10 seconds.
pub fn read_group_offsets(cluster: &Cluster, group: &str, stop: &Shutdown) -> Result<GroupCommitted, KafkaError> {
    let consumer = Arc::new(group_consumer(cluster, group)?);
    let (begin, within) = (Instant::now(), cluster.client().patience());
    let found = loop {
        let (asking, partitions) = (Arc::clone(&consumer), all_partitions(cluster.layout()));
        match beside(within, || stop.is_requested(), move || asking.committed_offsets(partitions, within))? {
            Ok(found) => break found,
            Err(_) if stop.is_requested() => return Err(KafkaError::Stopped),
            Err(error) if is_silence(&error) && begin.elapsed() < within => thread::sleep(SETTLING_WAIT),
            Err(error) => return Err(KafkaError::refused("reading group offsets", error, within)),
        }
    };
    Ok(ByStage::from_fn(|stage| {
        let topic = cluster.layout().topic(stage);
        let committed = |partition: u32| {
            let element = found.find_partition(topic.name.as_str(), partition.cast_signed())?;
            let Offset::Offset(offset) = element.offset() else { return None };
            Some(Committed { offset, progress: element.metadata().parse().ok()? })
        };
        (0..topic.partitions.count()).map(committed).collect()
    }))
}

fn all_partitions(layout: &Layout) -> TopicPartitionList {
    let mut all = TopicPartitionList::new();
    for topic in layout.topics() {
        all.add_partition_range(topic.name.as_str(), 0, topic.partitions.count().cast_signed() - 1);
    }
    all
}

/// A consumer of a group that nobody joins: it commits and reads offsets, and nothing else.
pub(crate) fn group_consumer(cluster: &Cluster, group: &str) -> Result<BaseConsumer<LastError>, KafkaError> {
    let mut config = cluster.client().config();
    config.set("group.id", group).set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
    Ok(config.create_with_context(LastError::default())?)
}
