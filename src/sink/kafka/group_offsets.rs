//! Group offsets: what a log that retention has cut cannot tell is kept in Kafka's own offset store, as metadata of the offsets
//! of a group that is named after the run.
//!
//! ```text
//! sent ──> mark: offsets, position ──> acknowledged ──> commit          (idempotent, every few seconds)
//!   └────────────────────────────────> all acknowledged ──> in the transaction ──> commit   (exactly-once)
//! ```
//!
//! Nobody joins the group, so its offsets are those of a consumer that assigns its own partitions. Only a run whose log is silent
//! reads them (`resume::remembered`).

mod committer;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError as ClientError, KafkaResult};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaErrorCode;

use self::committer::{Client, Committer};
use super::deliveries::Deliveries;
use crate::generator::record::Record;
use crate::generator::spec::{ByStage, Layout, Stage};
use crate::generator::stream::{Assignment, Position, Progress};
use crate::kafka::{Cluster, KafkaError, group_consumer};
use crate::log::shutdown::Shutdown;

/// Idempotent delivery commits this often. After a crash, records that were stored since are counted, where the log has lost them.
const EVERY: Duration = Duration::from_secs(5);
/// Within transactions only partitions that got records are committed, and all of them this often, so that none expires.
const ALL_EVERY: Duration = Duration::from_secs(60);
/// After a signal, where everything is stored already, a commit is waited for so long, or as long as the brokers took for their first
/// answer.
const LAST_PATIENCE: Duration = Duration::from_secs(2);
/// Answers are looked for this often.
const STEP: Duration = Duration::from_millis(20);

/// Commits how far each partition of a run holds its sequence.
pub(super) struct GroupOffsets {
    group: String,
    consumer: Arc<Client>,
    committer: Committer,
    layout: Layout,
    part: Assignment,
    is_exact: bool,
    /// How long the first commit is waited for, and the last one.
    patience: (Duration, Duration),
    /// By stage and partition the offset after all that was sent, and the one that was committed last.
    sent_to: ByStage<Vec<i64>>,
    committed_to: ByStage<Vec<i64>>,
    /// The record that was sent last.
    upto: Option<Position>,
    /// What is committed once it is acknowledged.
    mark: Option<(ByStage<Vec<i64>>, Option<Position>)>,
    committed: Option<Instant>,
    all_committed: Option<Instant>,
}

impl GroupOffsets {
    /// Nothing is committed yet: each partition ends at its offset, and holds what the part says.
    pub(super) fn new(cluster: &Cluster, group: &str, part: &Assignment, is_exact: bool) -> Result<Self, KafkaError> {
        let consumer = Arc::new(group_consumer(cluster, group)?);
        Ok(Self {
            group: group.to_owned(),
            committer: Committer::start(Arc::clone(&consumer)),
            consumer,
            layout: cluster.layout().clone(),
            part: part.clone(),
            is_exact,
            patience: (cluster.client().patience(), cluster.client().first_answer().max(LAST_PATIENCE)),
            sent_to: ByStage::default(),
            committed_to: ByStage::default(),
            upto: None,
            mark: None,
            committed: None,
            all_committed: None,
        })
    }

    /// Another client goes on with a part, behind these offsets.
    pub(super) fn begin(&mut self, part: &Assignment, end_offsets: &ByStage<Vec<i64>>) {
        self.part = part.clone();
        self.sent_to.clone_from(end_offsets);
        self.committed_to.clone_from(end_offsets);
        (self.upto, self.mark, self.all_committed) = (None, None, None);
    }

    /// A record was handed to the client.
    pub(super) fn sent(&mut self, record: &Record) {
        if let Some(offset) = self.sent_to[record.stage].get_mut(record.partition as usize) {
            *offset += 1;
        }
        self.upto = Some(record.into());
    }

    /// Commits where a run begins, and waits for it.
    pub(super) fn commit_first(&mut self, stop: &Shutdown) -> KafkaResult<()> {
        let begin = Instant::now();
        self.all_committed = Some(begin);
        self.commit(self.offsets(&self.sent_to, None));
        let (patience, _) = self.patience;
        self.wait(|| stop.is_requested() || begin.elapsed() >= patience)
    }

    /// Commits what is acknowledged, where that is due; what fails is told and tried again.
    pub(super) fn commit_if_due(&mut self, are_acked: impl FnOnce(&ByStage<Vec<i64>>) -> bool) {
        if self.is_exact {
            return;
        }
        if let Some(Err(error)) = self.committer.answer() {
            self.tell(&error);
        }
        let is_due = self.committed.is_none_or(|committed| committed.elapsed() >= EVERY);
        if self.mark.is_none() && is_due && !self.committer.is_under_way {
            self.mark = Some((self.sent_to.clone(), self.upto));
        }
        let Some((ends, upto)) = self.mark.take_if(|(ends, _)| are_acked(ends)) else { return };
        self.commit(self.offsets(&ends, upto));
    }

    /// Commits everything at the end of a run, all of it acknowledged. One that has come to its window's end has the time for it.
    pub(super) fn commit_last(&mut self, complete: bool, stop: &Shutdown) {
        if self.is_exact {
            return;
        }
        let (begin, (first, last)) = (Instant::now(), self.patience);
        let has_time = || complete && !stop.is_requested();
        let is_over = || begin.elapsed() >= if has_time() { first } else { last };
        let committed = self.wait(is_over).and_then(|()| {
            self.commit(self.offsets(&self.sent_to, self.upto));
            self.wait(is_over)
        });
        if let Err(error) = committed {
            self.tell(&error);
        }
    }

    /// What belongs into the open transaction, all of whose records are acknowledged: partitions that got records since the last
    /// one, from time to time all of them. `None` if there is nothing to say.
    pub(super) fn of_transaction(
        &mut self,
        deliveries: &Deliveries,
    ) -> Option<(TopicPartitionList, ConsumerGroupMetadata)> {
        let all = self.all_committed.is_none_or(|committed| committed.elapsed() >= ALL_EVERY);
        if all {
            self.all_committed = Some(Instant::now());
        }
        self.sent_to = deliveries.next_offsets();
        let before = if all { ByStage::default() } else { self.committed_to.clone() };
        let offsets = self.offsets_since(&before, &self.sent_to, self.upto);
        self.committed_to.clone_from(&self.sent_to);
        let metadata = self.consumer.group_metadata()?;
        (offsets.count() > 0).then_some((offsets, metadata))
    }

    fn offsets(&self, ends: &ByStage<Vec<i64>>, upto: Option<Position>) -> TopicPartitionList {
        self.offsets_since(&ByStage::default(), ends, upto)
    }

    fn offsets_since(
        &self,
        before: &ByStage<Vec<i64>>,
        ends: &ByStage<Vec<i64>>,
        upto: Option<Position>,
    ) -> TopicPartitionList {
        let mut offsets = TopicPartitionList::new();
        for (stage, partition) in owned(&self.layout, &self.part) {
            let of = |offsets: &ByStage<Vec<i64>>| offsets[stage].get(partition as usize).copied();
            let Some(end) = of(ends).filter(|&end| of(before) != Some(end)) else { continue };
            // A partition that was further than the others holds more than what was sent.
            let upto = upto.max(self.part.held(stage, partition));
            let progress = Progress { start: self.part.window().start(), upto, is_exact: self.is_exact };
            let topic = self.layout.topic(stage).name.as_str();
            let mut element = offsets.add_partition(topic, partition.cast_signed());
            // Both fail only for what these are not: an offset without a number, a text with a zero byte.
            if element.set_offset(Offset::Offset(end)).is_ok() {
                element.set_metadata(progress.to_string());
            }
        }
        offsets
    }

    fn commit(&mut self, offsets: TopicPartitionList) {
        self.committed = Some(Instant::now());
        self.committer.commit(offsets);
    }

    /// Waits for the answer to a commit under way.
    fn wait(&mut self, give_up: impl Fn() -> bool) -> KafkaResult<()> {
        while self.committer.is_under_way {
            if let Some(answer) = self.committer.answer().or_else(|| self.denied().map(Err)) {
                return answer;
            }
            if give_up() {
                return Err(ClientError::ConsumerCommit(RDKafkaErrorCode::OperationTimedOut));
            }
            thread::sleep(STEP);
        }
        Ok(())
    }

    /// The client asks for the group's coordinator again and again where it may not, and the commit waits for that.
    fn denied(&self) -> Option<ClientError> {
        let error = self.consumer.poll(Duration::ZERO)?.err()?;
        (error.rdkafka_error_code() == Some(RDKafkaErrorCode::GroupAuthorizationFailed)).then_some(error)
    }

    fn tell(&self, error: &ClientError) {
        let group = &self.group;
        tracing::warn!(target: "kafka", "offsets of group `{group}` are not committed ({error}): records are stored all the same");
    }
}

impl std::fmt::Debug for GroupOffsets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupOffsets").field("group", &self.group).finish_non_exhaustive()
    }
}

fn owned<'a>(layout: &'a Layout, part: &'a Assignment) -> impl Iterator<Item = (Stage, u32)> + 'a {
    let of_stage = |stage| (0..layout.topic(stage).partitions.count()).map(move |partition| (stage, partition));
    Stage::ALL.into_iter().flat_map(of_stage).filter(|&(_, partition)| part.shard().owns(partition))
}

/// Says that the right to commit is missing.
pub(super) fn tell_without(group: &str, error: &ClientError) {
    tracing::warn!(
        target: "kafka",
        "offsets of group `{group}` cannot be committed ({error}): the run goes on without; once retention has cut these topics, \
         it may be impossible to resume it"
    );
}
