//! Where partitions begin and end: all of them in one request a broker.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use super::beside::beside;
use super::client_context::LastError;
use super::error::{KafkaError, Obstacle, is_denial, is_silence};
use super::timeouts::{READY, SETTLING_WAIT};
use crate::generator::spec::{ByStage, Layout, Topic, TopicName};

/// A partition whose transaction is being ended is looked at this often.
const MARKING_WAIT: Duration = Duration::from_millis(5);
/// However little is left of the patience, a request is given this much.
const REQUEST_MIN: Duration = Duration::from_secs(1);

/// Which offset of a partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// That of its first record.
    Beginning,
    /// The one that its next record will have; for a read-committed client, that of the first record of the first open transaction.
    End,
}

impl Edge {
    /// librdkafka hands these on as the times that Kafka knows them by.
    fn offset(self) -> Offset {
        match self {
            Self::Beginning => Offset::Beginning,
            Self::End => Offset::End,
        }
    }
}

/// A client that is asked where partitions begin and end.
#[derive(Clone)]
pub(crate) struct Ends {
    client: Arc<BaseConsumer<LastError>>,
    /// For how long an answer is waited for.
    patience: Duration,
}

impl std::fmt::Debug for Ends {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ends").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// A partition by its topic's name.
pub(crate) type At<'a> = (&'a TopicName, i32);

impl Ends {
    pub(crate) fn new(client: &Arc<BaseConsumer<LastError>>, patience: Duration) -> Self {
        Self { client: Arc::clone(client), patience }
    }

    /// Such an offset of each of a layout's partitions, by stage.
    pub(crate) fn of_layout(
        &self,
        layout: &Layout,
        edge: Edge,
        give_up: impl Fn() -> bool,
    ) -> Result<ByStage<Vec<i64>>, KafkaError> {
        let partitions: Vec<At<'_>> = layout.topics().iter().flat_map(partitions).collect();
        let mut offsets = self.of(&partitions, edge, give_up)?.into_iter();
        Ok(ByStage::from_fn(|stage| offsets.by_ref().take(layout.topic(stage).partitions.count() as usize).collect()))
    }

    /// The same of some partitions, in their order. Those whose leaders were only just elected are asked again until they answer, and so
    /// is a broker that is slow; [`KafkaError::Stopped`] if `give_up` says so meanwhile.
    pub(crate) fn of(
        &self,
        partitions: &[At<'_>],
        edge: Edge,
        give_up: impl Fn() -> bool,
    ) -> Result<Vec<i64>, KafkaError> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let begin = Instant::now();
        loop {
            let left = self.patience.saturating_sub(begin.elapsed()).max(REQUEST_MIN);
            let error = match self.ask(partitions, edge, left, &give_up)? {
                Ok(offsets) => return Ok(offsets),
                Err(error) => error,
            };
            if give_up() {
                return Err(KafkaError::Stopped);
            }
            if is_settling(&error) && begin.elapsed() < READY.max(self.patience) {
                self.forget_leaders(left, &give_up)?;
            } else if !is_silence(&error) || begin.elapsed() >= self.patience {
                return Err(self.explain(partitions, edge, error, &give_up)?);
            }
            thread::sleep(SETTLING_WAIT);
        }
    }

    fn ask(
        &self,
        partitions: &[At<'_>],
        edge: Edge,
        within: Duration,
        give_up: &impl Fn() -> bool,
    ) -> Result<KafkaResult<Vec<i64>>, KafkaError> {
        let mut asked = TopicPartitionList::with_capacity(partitions.len());
        for &(topic, partition) in partitions {
            asked.add_partition_offset(topic.as_str(), partition, edge.offset())?;
        }
        let client = Arc::clone(&self.client);
        beside(within, give_up, move || {
            let answered = client.offsets_for_times(asked, within)?;
            let offset = |partition: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
                partition.error()?;
                // What was asked comes back where a broker left a partition out of its answer.
                let left_out = ClientError::OffsetFetch(RDKafkaErrorCode::OffsetNotAvailable);
                partition.offset().to_raw().filter(|&offset| offset >= 0).ok_or(left_out)
            };
            answered.elements().iter().map(offset).collect()
        })
    }

    /// A client remembers that a partition had no leader, and asks nobody again by itself.
    fn forget_leaders(&self, within: Duration, give_up: &impl Fn() -> bool) -> Result<(), KafkaError> {
        let client = Arc::clone(&self.client);
        beside(within, give_up, move || client.fetch_metadata(None, within)).map(drop)
    }

    /// What a request means that failed for good. Answers of many partitions at once do not say whose error it is, so that is looked for
    /// by halves.
    fn explain(
        &self,
        mut partitions: &[At<'_>],
        edge: Edge,
        mut error: ClientError,
        give_up: &impl Fn() -> bool,
    ) -> Result<KafkaError, KafkaError> {
        while partitions.len() > 1 && !is_silence(&error) {
            let (front, back) = partitions.split_at(partitions.len() / 2);
            partitions = match self.ask(front, edge, self.patience, give_up)? {
                Ok(_) => back,
                Err(of_front) => {
                    error = of_front;
                    front
                }
            };
        }
        let (topic, partition) = partitions[0];
        if is_denial(&error) {
            let action = format!("asking `{topic}` where it begins and ends");
            return Ok(Obstacle::on_topic(&action, "Describe", topic.as_str()).into());
        }
        if has_no_leader(&error) {
            let (topic, seconds, source) = (topic.to_string(), READY.as_secs(), Box::new(error));
            return Ok(KafkaError::NoLeader { topic, partition, seconds, source });
        }
        let what = match edge {
            Edge::Beginning => "where it begins",
            Edge::End => "where it ends",
        };
        let action = format!("asking `{topic}`, partition {partition}, {what}");
        Ok(KafkaError::refused(&action, error, self.patience))
    }

    /// Where partitions end for a read-committed reader. Where one ends before what is expected of it all are asked again for so long:
    /// the control records of a transaction that has ended are on their way.
    pub(crate) fn at_least(
        &self,
        partitions: &[At<'_>],
        expected: &[i64],
        patience: Duration,
        give_up: impl Fn() -> bool,
    ) -> Result<Vec<i64>, KafkaError> {
        let begin = Instant::now();
        loop {
            let found = self.of(partitions, Edge::End, &give_up)?;
            let are_there = found.iter().zip(expected).all(|(found, expected)| found >= expected);
            if are_there || begin.elapsed() >= patience {
                return Ok(found);
            }
            if give_up() {
                return Err(KafkaError::Stopped);
            }
            thread::sleep(MARKING_WAIT);
        }
    }
}

/// A topic's partitions.
pub(crate) fn partitions(topic: &Topic) -> impl Iterator<Item = At<'_>> {
    (0..topic.partitions.count().cast_signed()).map(|partition| (&topic.name, partition))
}

/// Whether an answer means that a new leader is not at work yet.
fn is_settling(error: &ClientError) -> bool {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    let code = error.rdkafka_error_code();
    matches!(code, Some(UnknownTopicOrPartition | UnknownTopic | UnknownPartition)) || has_no_leader(error)
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
