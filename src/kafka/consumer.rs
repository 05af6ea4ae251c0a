//! Consumers that read topics: read committed, each partition at its own pace.

use rdkafka::config::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, Timestamp};
use rdkafka::types::RDKafkaErrorCode;

use super::client_context::LastError;
use super::cluster::Cluster;
use super::error::{KafkaError, Obstacle};
use crate::generator::spec::TopicName;
use crate::log::record::{LogRecord, Parts, refill};

/// What the queues of all partitions may hold together, and each of them at least and at most.
pub(crate) const QUEUES_KBYTES: u64 = 16 * 1024;
pub(crate) const QUEUE_KBYTES: (u64, u64) = (16, 1024);
/// What a broker may answer at once, all partitions together: the client takes an answer apart in one piece of memory.
const FETCH_BYTES: usize = 2 * 1024 * 1024;

/// Its errors reach who reads; that a partition is read to its end is none.
pub(crate) type LogConsumer = BaseConsumer<LastError>;

/// A message, but for errors that the client mends by itself: a broker that is away is asked again, and nothing is lost by it. Nor by a
/// group that we may not use: the client asks who coordinates it, though it is never joined.
pub(crate) fn unless_passing<'a, 'b>(
    message: KafkaResult<BorrowedMessage<'a>>,
    topics: impl Iterator<Item = &'b TopicName> + Clone,
) -> Result<Option<BorrowedMessage<'a>>, KafkaError> {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, GroupAuthorizationFailed, Resolve, TopicAuthorizationFailed,
    };
    match message {
        Ok(message) => Ok(Some(message)),
        Err(
            ClientError::PartitionEOF(_)
            | ClientError::MessageConsumption(
                AllBrokersDown | BrokerTransportFailure | Resolve | GroupAuthorizationFailed,
            ),
        ) => Ok(None),
        Err(ClientError::MessageConsumption(TopicAuthorizationFailed)) => {
            Err(Obstacle::on_one_of("reading the topics", "Read", topics).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A consumer that keeps so much of each partition.
pub(crate) fn consumer(cluster: &Cluster, queue_kbytes: u64) -> Result<LogConsumer, KafkaError> {
    Ok(consumer_config(cluster, queue_kbytes).create_with_context(LastError::default())?)
}

/// What the queue of each of so many partitions may hold, where all of them are read at the same pace.
pub(crate) fn even_share_kbytes(partitions: u64) -> u64 {
    let (least, most) = QUEUE_KBYTES;
    (QUEUES_KBYTES / partitions.max(1)).clamp(least, most)
}

/// Settings of a consumer that keeps so much of each partition, and reads committed records.
pub(crate) fn consumer_config(cluster: &Cluster, queue_kbytes: u64) -> ClientConfig {
    let mut config = cluster.client().config();
    // A group is never joined; the client wants a name all the same. Offsets that are gone are an error, not a place to go on.
    config
        .set("group.id", "mock-data-gen-reader")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("queued.max.messages.kbytes", queue_kbytes.to_string())
        .set("fetch.message.max.bytes", (queue_kbytes * 1024 / 2).to_string())
        .set("fetch.max.bytes", FETCH_BYTES.to_string())
        // A partition that is read to its end must not hold the others up, and a full queue is soon empty again.
        .set("fetch.wait.max.ms", "10")
        .set("fetch.queue.backoff.ms", "2");
    config
}

/// Whether the broker wrote the time of its own clock into it.
pub(crate) fn is_restamped(message: &BorrowedMessage<'_>) -> bool {
    matches!(message.timestamp(), Timestamp::LogAppendTime(_))
}

/// Takes over what a message holds.
pub(crate) fn fill(record: &mut LogRecord, message: &BorrowedMessage<'_>) {
    record.offset = message.offset();
    record.parts = Parts::All;
    record.partition = message.partition().cast_unsigned();
    record.timestamp_ms = message.timestamp().to_millis().unwrap_or(-1);
    refill(&mut record.key, message.key());
    refill(&mut record.value, message.payload());
    record.headers.clear();
    if let Some(headers) = message.headers() {
        let header = |header: Header<'_, &[u8]>| (header.key.as_bytes().to_vec(), header.value.map(<[u8]>::to_vec));
        record.headers.extend(headers.iter().map(header));
    }
}
