//! Kafka's topics as a [`Log`], read by a plain consumer, read-committed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::ResumeError;
use super::log::{Each, Log, Offsets, Range};
use super::read::{Feed, Show, read_ranges};
use crate::generator::spec::{ByStage, Layout, Stage};
use crate::kafka::{
    Cluster, Edge, Ends, GroupCommitted, KafkaError, LastError, Obstacle, consumer_config, even_share_kbytes, fill,
    is_restamped, read_group_offsets, unless_passing,
};
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;

/// A dead process has nothing more to send, but its kernel may have: what was in the socket when it died. That is on its way for
/// as long as a packet may be lost three times in a row (0.2, 0.4 and 0.8 s until it is sent again) and the broker takes to store
/// it. A broker's request queue is in order, so an answer about end offsets comes from behind what had arrived.
const SETTLE: Duration = Duration::from_secs(3);
/// Nothing is lost on the loopback interface; what is left is the broker's own time, on a busy machine.
const SETTLE_LOOPBACK: Duration = Duration::from_millis(500);
/// A wait for the next record.
const POLL: Duration = Duration::from_millis(100);

/// The four topics of a cluster.
pub struct TopicLog<'a> {
    /// Reads committed records.
    consumer: Arc<BaseConsumer<LastError>>,
    /// Sees partitions end where the first open transaction begins.
    committed: Ends,
    /// Sees where they end.
    uncommitted: Ends,
    cluster: &'a Cluster,
    layout: &'a Layout,
    /// Where an earlier run committed what a cut log does not tell.
    group: Option<String>,
    stop: &'a Shutdown,
    settle_time: Duration,
}

impl std::fmt::Debug for TopicLog<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicLog").field("layout", self.layout).finish_non_exhaustive()
    }
}

impl<'a> TopicLog<'a> {
    /// The log of a cluster that was looked at.
    ///
    /// # Errors
    /// If librdkafka refuses the configuration.
    pub fn new(cluster: &'a Cluster, stop: &'a Shutdown) -> Result<Self, KafkaError> {
        let topics = cluster.layout().topics();
        let partitions = topics.iter().map(|topic| u64::from(topic.partitions.count())).sum();
        let mut config = consumer_config(cluster, even_share_kbytes(partitions));
        let settle_time = if cluster.client().is_loopback() { SETTLE_LOOPBACK } else { SETTLE };
        let consumer = Arc::new(config.create_with_context(LastError::default())?);
        config.set("isolation.level", "read_uncommitted");
        let uncommitted = Arc::new(config.create_with_context(LastError::default())?);
        let (committed, uncommitted) = (cluster.client().ends(&consumer), cluster.client().ends(&uncommitted));
        let layout = cluster.layout();
        Ok(Self { consumer, committed, uncommitted, cluster, layout, group: None, stop, settle_time })
    }

    /// The same, with the offsets of a group beside it.
    #[must_use]
    pub fn beside(self, group: String) -> Self {
        Self { group: Some(group), ..self }
    }

    fn stage_of(&self, topic: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|&stage| self.layout.topic(stage).name.as_str() == topic)
    }

    fn assign(&self, ranges: &[Range]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::with_capacity(ranges.len());
        for range in ranges {
            let topic = self.layout.topic(range.stage).name.as_str();
            list.add_partition_offset(topic, range.partition.cast_signed(), Offset::Offset(range.from))?;
        }
        Ok(self.consumer.assign(&list)?)
    }
}

impl Log for TopicLog<'_> {
    fn bounds(&mut self) -> Result<ByStage<Vec<Offsets>>, ResumeError> {
        let stop = || self.stop.is_requested();
        let begins = self.uncommitted.of_layout(self.layout, Edge::Beginning, stop)?;
        let last_stable = self.committed.of_layout(self.layout, Edge::End, stop)?;
        let ends = self.uncommitted.of_layout(self.layout, Edge::End, stop)?;
        Ok(ByStage::from_fn(|stage| {
            let edges = begins[stage].iter().zip(&ends[stage]).zip(&last_stable[stage]);
            edges.map(|((&log_start, &log_end), &last_stable)| Offsets { log_start, log_end, last_stable }).collect()
        }))
    }

    fn read(&mut self, ranges: &[Range], each: &mut Each<'_>) -> Result<(), ResumeError> {
        let open: Vec<Range> = ranges.iter().copied().filter(|range| range.from < range.end).collect();
        if open.is_empty() {
            return Ok(());
        }
        self.assign(&open)?;
        let stop = self.stop;
        read_ranges(&mut Consuming(self), open, stop, each)?;
        self.consumer.unassign().map_err(KafkaError::from)?;
        Ok(())
    }

    fn committed(&mut self) -> Result<GroupCommitted, ResumeError> {
        let Some(group) = &self.group else { return Ok(GroupCommitted::default()) };
        match read_group_offsets(self.cluster, group, self.stop) {
            Err(KafkaError::Stopped) => Err(ResumeError::Stopped),
            Err(error) => {
                tracing::warn!(target: "kafka", "the offsets of group `{group}` cannot be read: {error}");
                Ok(GroupCommitted::default())
            }
            Ok(committed) => Ok(committed),
        }
    }

    fn pause(&mut self, span: Duration) {
        thread::sleep(span);
    }

    fn settle_time(&self) -> Duration {
        self.settle_time
    }
}

/// The consumer, assigned what is to be read.
struct Consuming<'a, 'b>(&'a TopicLog<'b>);

impl Feed for Consuming<'_, '_> {
    fn poll(&mut self, show: &mut Show<'_>) -> Result<bool, ResumeError> {
        let polled = self.0.consumer.poll(POLL);
        if let Some(Err(ClientError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) = polled {
            return Err(ResumeError::Removed);
        }
        let topics = self.0.layout.topics().iter().map(|topic| &topic.name);
        let passed = polled.map(|message| unless_passing(message, topics)).transpose()?;
        let Some(message) = passed.flatten() else { return Ok(false) };
        if let Some(stage) = self.0.stage_of(message.topic()) {
            if is_restamped(&message) {
                let topic = self.0.layout.topic(stage).name.clone();
                return Err(KafkaError::from(Obstacle::Restamped { topic, partition: message.partition() }).into());
            }
            let mut record = LogRecord::default();
            fill(&mut record, &message);
            show(stage, record.partition, &record)?;
        }
        Ok(true)
    }

    fn positions(&mut self, ranges: &[Range]) -> Result<Vec<Option<i64>>, ResumeError> {
        let positions = self.0.consumer.position().map_err(KafkaError::from)?;
        let of = |range: &Range| {
            let topic = self.0.layout.topic(range.stage).name.as_str();
            positions.find_partition(topic, range.partition.cast_signed())?.offset().to_raw()
        };
        Ok(ranges.iter().map(of).collect())
    }
}
