//! A consumer with a queue for each partition.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use crate::generator::spec::TopicName;
use crate::kafka::{
    Cluster, KafkaError, LastError, LogConsumer, QUEUE_KBYTES, QUEUES_KBYTES, Reading, consumer, fill, is_restamped,
    unless_passing,
};
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;

/// How long a partition may stay silent before its end.
const PATIENCE: Duration = Duration::from_secs(30);
/// A wait for the next record; a signal is seen after it.
const POLL: Duration = Duration::from_millis(50);
/// A part of a partition, by offsets.
#[derive(Debug, Clone)]
pub(super) struct OffsetRange {
    topic: TopicName,
    partition: i32,
    /// Its first offset.
    pub(super) start: i64,
    /// The offset behind its last.
    end: i64,
}

impl OffsetRange {
    /// Some of a partition's offsets.
    pub(super) fn new(topic: &TopicName, partition: u32, offsets: Range<i64>) -> Self {
        Self { topic: topic.clone(), partition: partition.cast_signed(), start: offsets.start, end: offsets.end }
    }

    /// Its last so many offsets.
    pub(super) fn last(&self, count: i64) -> Self {
        Self { start: self.end.saturating_sub(count).max(self.start), ..self.clone() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start >= self.end
    }

    fn count(&self) -> u64 {
        self.end.saturating_sub(self.start).max(0).unsigned_abs()
    }

    /// Whether both are of one topic.
    pub(super) fn is_beside(&self, other: &Self) -> bool {
        self.topic == other.topic
    }
}

/// Reads spans, each at its own pace.
pub(super) struct Reader {
    logs: Vec<Log>,
    consumer: Arc<LogConsumer>,
    /// Whether a record had the time of a broker's clock.
    is_restamped: bool,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("logs", &self.logs.len()).finish_non_exhaustive()
    }
}

struct Log {
    topic: TopicName,
    partition: i32,
    /// The offset from which on it is still to be read.
    next: i64,
    end: i64,
    /// `None` when it is read to its end.
    queue: Option<PartitionQueue<LastError>>,
    /// Records that the client gave out before the queue was split off.
    early: VecDeque<LogRecord>,
}

impl Reader {
    /// Begins to read these of all spans. What their queues may hold is their share of all records: records of a rare stage wait
    /// long in theirs, and would fill larger ones in a long log.
    pub(super) fn start(cluster: &Cluster, spans: &[OffsetRange], all: &[OffsetRange]) -> Result<Self, KafkaError> {
        let unread = spans.iter().filter(|span| !span.is_empty());
        let records = |spans: &[OffsetRange]| spans.iter().map(OffsetRange::count).sum::<u64>();
        let kbytes = u128::from(QUEUES_KBYTES) * u128::from(records(spans)) / u128::from(records(all).max(1));
        let (least, most) = QUEUE_KBYTES;
        let queue_kbytes = (kbytes as u64 / unread.clone().count().max(1) as u64).clamp(least, most);
        let consumer = Arc::new(consumer(cluster, queue_kbytes)?);
        let mut assignment = TopicPartitionList::new();
        for span in unread {
            assignment.add_partition_offset(span.topic.as_str(), span.partition, Offset::Offset(span.start))?;
        }
        loop {
            consumer.assign(&assignment)?;
            let log = |span: &OffsetRange| {
                let queue = consumer.split_partition_queue(span.topic.as_str(), span.partition);
                let queue = queue.filter(|_| !span.is_empty());
                let OffsetRange { topic, partition, start, end } = span.clone();
                Log { topic, partition, next: start, end, queue, early: VecDeque::new() }
            };
            let (logs, consumer) = (spans.iter().map(log).collect(), Arc::clone(&consumer));
            let mut reader = Self { logs, consumer, is_restamped: false };
            if reader.take_early(spans)? {
                return Ok(reader);
            }
        }
    }

    /// The topics that are read, each once.
    pub(super) fn topics(&self) -> impl Iterator<Item = &TopicName> + Clone {
        let is_first = |&at: &usize| at == 0 || self.logs[at].topic != self.logs[at - 1].topic;
        (0..self.logs.len()).filter(is_first).map(|at| &self.logs[at].topic)
    }

    /// Whether a record that was read had the time of a broker's clock.
    pub(super) fn is_restamped(&self) -> bool {
        self.is_restamped
    }

    /// Takes what came on the common queue before a partition was split off; later ones cannot come there. False if it was a
    /// partition's end, which cannot be told whose it is.
    fn take_early(&mut self, spans: &[OffsetRange]) -> Result<bool, KafkaError> {
        while let Some(message) = self.consumer.poll(Duration::ZERO) {
            if matches!(message, Err(ClientError::PartitionEOF(_))) {
                return Ok(false);
            }
            let Some(message) = unless_passing(message, self.topics())? else { continue };
            let is_it =
                |span: &OffsetRange| (span.topic.as_str(), span.partition) == (message.topic(), message.partition());
            if let Some(log) = spans.iter().position(is_it) {
                let mut record = LogRecord::default();
                fill(&mut record, &message);
                self.is_restamped |= is_restamped(&message);
                self.logs[log].early.push_back(record);
            }
        }
        Ok(true)
    }

    /// Waits for the next record of a span; false behind its last.
    pub(super) fn next(&mut self, log: usize, record: &mut LogRecord, stop: &Shutdown) -> Result<bool, KafkaError> {
        let is_record = match self.logs[log].early.pop_front() {
            Some(early) => {
                *record = early;
                true
            }
            None => self.wait(log, record, stop)?,
        };
        let log = &mut self.logs[log];
        if is_record {
            log.next = record.offset + 1;
        }
        if !is_record || record.offset + 1 >= log.end {
            log.queue = None;
            log.early.clear();
        }
        Ok(is_record && record.offset < log.end)
    }

    fn wait(&mut self, log: usize, record: &mut LogRecord, stop: &Shutdown) -> Result<bool, KafkaError> {
        let Some(queue) = &self.logs[log].queue else { return Ok(false) };
        let mut begin = None;
        let mut wait = Duration::ZERO;
        loop {
            match queue.poll(wait) {
                Some(Err(ClientError::PartitionEOF(_))) => return Ok(false),
                Some(Err(ClientError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset))) => {
                    let Log { topic, partition, next, .. } = &self.logs[log];
                    let (topic, partition) = (topic.clone(), partition.cast_unsigned());
                    return Err(Reading::Removed { topic, partition, offset: *next }.into());
                }
                Some(message) => {
                    if let Some(message) = unless_passing(message, self.topics())? {
                        fill(record, &message);
                        self.is_restamped |= is_restamped(&message);
                        return Ok(true);
                    }
                }
                None if stop.is_requested() => return Err(KafkaError::Stopped),
                None if begin.get_or_insert_with(Instant::now).elapsed() > PATIENCE => {
                    let left = self.logs.iter().filter(|log| log.queue.is_some()).count();
                    return Err(Reading::Silent { left, seconds: PATIENCE.as_secs() }.into());
                }
                None => wait = POLL,
            }
            // Broken connections and the like are told on the common queue.
            if wait > Duration::ZERO
                && let Some(message) = self.consumer.poll(Duration::ZERO)
            {
                unless_passing(message, self.topics())?;
            }
        }
    }
}
