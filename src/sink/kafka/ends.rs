//! Where partitions begin and end.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::types::RDKafkaErrorCode;

use super::KafkaError;
use super::cluster::{CONNECT, LOOK, READY, SETTLING_WAIT};
use crate::sink::Stop;
use crate::spec::{Topic, TopicName};

/// A partition whose transaction is being ended is looked at this often.
const MARKING_WAIT: Duration = Duration::from_millis(5);

/// Where each of a topic's partitions ends.
pub(super) fn end_offsets<C: ClientContext>(
    client: &Client<C>,
    topic: &Topic,
    count: u32,
    stop: &Stop,
) -> Result<Vec<i64>, KafkaError> {
    let end = |partition| Ok(watermarks(client, topic.name.as_str(), partition, || stop.asked())?.1);
    (0..count.cast_signed()).map(end).collect()
}

/// The first of some topics in which a partition does not end at offset 0.
pub(super) fn first_that_holds_records<C: ClientContext>(
    client: &Client<C>,
    topics: &[(&Topic, u32)],
    stop: &Stop,
) -> Result<Option<TopicName>, KafkaError> {
    for &(topic, count) in topics {
        if end_offsets(client, topic, count, stop)?.iter().any(|&end_offset| end_offset > 0) {
            return Ok(Some(topic.name.clone()));
        }
    }
    Ok(None)
}

/// The offset of a partition's first record, and the one that its next record will have. A partition whose leader was only just
/// elected is asked again until it answers, and so is a broker that is slow; [`KafkaError::Stopped`] if `give_up` says so
/// meanwhile.
pub(crate) fn watermarks<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
    give_up: impl Fn() -> bool,
) -> Result<(i64, i64), KafkaError> {
    let begin = Instant::now();
    loop {
        match client.fetch_watermarks(topic, partition, LOOK) {
            Ok(watermarks) => return Ok(watermarks),
            Err(_) if give_up() => return Err(KafkaError::Stopped),
            Err(error) if is_settling(&error) && begin.elapsed() < READY => thread::sleep(SETTLING_WAIT),
            Err(error) if is_silence(&error) && begin.elapsed() < CONNECT => thread::sleep(SETTLING_WAIT),
            Err(error) if has_no_leader(&error) => {
                return Err(KafkaError::NoLeader {
                    topic: topic.to_owned(),
                    partition,
                    seconds: READY.as_secs(),
                    source: Box::new(error),
                });
            }
            Err(error) => {
                let action = format!("reading the end offset of `{topic}`, partition {partition}");
                return Err(KafkaError::refused(&action, error, CONNECT));
            }
        }
    }
}

/// Where a partition ends for a read-committed reader. Where it ends before `expected` it is asked again for so long: the control
/// records of a transaction that has ended are on their way.
pub(super) fn end_offset<C: ClientContext>(
    client: &Client<C>,
    topic: &str,
    partition: i32,
    (expected, patience): (i64, Duration),
    give_up: impl Fn() -> bool,
) -> Result<i64, KafkaError> {
    let begin = Instant::now();
    loop {
        let (_, found) = watermarks(client, topic, partition, &give_up)?;
        if found >= expected || begin.elapsed() >= patience {
            return Ok(found);
        }
        if give_up() {
            return Err(KafkaError::Stopped);
        }
        thread::sleep(MARKING_WAIT);
    }
}

/// Whether an answer means that a new leader is not at work yet.
fn is_settling(error: &ClientError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) || has_no_leader(error)
}

/// The same of a partition that is there: a new leader says so until it knows how far its followers are, or while it opens its log.
fn has_no_leader(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{
        KafkaStorageError, LeaderNotAvailable, NotLeaderForPartition, OffsetNotAvailable, ReplicaNotAvailable,
    };
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            KafkaStorageError | LeaderNotAvailable | NotLeaderForPartition | OffsetNotAvailable | ReplicaNotAvailable
        )
    })
}

/// Whether there was no answer, or none yet: a new client may try an address that is dead first, and says that all brokers are down
/// before it has tried the others.
pub(super) fn is_silence(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, RequestTimedOut, Resolve};
    let code = if let ClientError::AdminOp(code) = error { Some(*code) } else { error.rdkafka_error_code() };
    code.is_some_and(|code| {
        matches!(code, OperationTimedOut | RequestTimedOut | BrokerTransportFailure | AllBrokersDown | Resolve)
    })
}
