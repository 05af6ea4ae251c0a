//! What the broker acknowledged: plain bookkeeping, apart from the client.
//!
//! Each report's offset must be the partition's next one. A jump ahead means that somebody else writes there too, a jump back
//! that the log is not the one that we wrote to.
//!
//! After a duplicate-sequence answer the client reports success without knowing where. It then numbers the batch's records from
//! a negative base, -1 or -1001, up: the first has a negative offset, and the others seem to have small legal ones. All of them
//! count one each, and the partition's next known offset, or its end offset when the run closes, settles them. A real offset is
//! never taken for one of these: it is the expected one or, where another writer got in between, larger; they are smaller.

use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode};

use crate::generator::spec::{ByStage, Layout, Stage};
use crate::kafka::{KafkaError, Obstacle};

/// Acknowledgements of one run.
#[derive(Debug)]
pub struct Deliveries {
    partitions: ByStage<Vec<Partition>>,
    acked: u64,
    problem: Option<Problem>,
}

#[derive(Debug, Clone)]
struct Partition {
    first_offset: i64,
    next_offset: i64,
    acked: u64,
    /// What the next record of a batch without known offsets will seem to have; `None` if the last offset was known.
    unknown_next: Option<i64>,
    /// Whether the open transaction has records there, where there are transactions.
    is_open: bool,
    /// The broker's time that the last reports had, if they had one.
    broker_time: Option<BrokerTime>,
}

/// A time that a broker gives for a whole batch in place of its records' own. It does so where `LogAppendTime` makes it write its own
/// clock's time into them. It also does so of a batch that was sent again after a broken connection and is stored already: then it is
/// the latest time of the batch's own records, and they are stored as they are.
#[derive(Debug, Clone, Copy)]
struct BrokerTime {
    ms: i64,
    /// Whether a record of the batch has it.
    is_own: bool,
}

/// The first thing that went wrong; later ones follow from it.
#[derive(Debug, Clone)]
enum Problem {
    Misplaced { stage: Stage, partition: i32, expected: i64, found: i64 },
    NotStored { stage: Stage, partition: i32, key: String, error: ClientError },
    Restamped { stage: Stage, partition: i32 },
}

impl Problem {
    /// Records that go with an aborted transaction may be told before the one that it is aborted for.
    fn follows_from_another(&self) -> bool {
        use RDKafkaErrorCode::{PurgeInflight, PurgeQueue};
        let code = |error: &ClientError| error.rdkafka_error_code();
        matches!(self, Self::NotStored { error, .. } if matches!(code(error), Some(PurgeInflight | PurgeQueue)))
    }
}

impl Deliveries {
    /// Bookkeeping for partitions that end at these offsets now.
    #[must_use]
    pub fn new(end_offsets: &ByStage<Vec<i64>>) -> Self {
        let partition = |&end: &i64| Partition {
            first_offset: end,
            next_offset: end,
            acked: 0,
            unknown_next: None,
            is_open: false,
            broker_time: None,
        };
        Self {
            partitions: end_offsets.each_ref().map(|offsets| offsets.iter().map(partition).collect()),
            acked: 0,
            problem: None,
        }
    }

    /// A record was stored, at `offset` as the client says.
    pub fn acked(&mut self, stage: Stage, partition: i32, offset: i64) {
        self.acked += 1;
        let partitions = &mut self.partitions[stage];
        let Some(known) = usize::try_from(partition).ok().and_then(|index| partitions.get_mut(index)) else {
            let problem = Problem::Misplaced { stage, partition, expected: -1, found: offset };
            self.problem.get_or_insert(problem);
            return;
        };
        let expected = known.next_offset;
        known.next_offset += 1;
        known.acked += 1;
        known.is_open = true;
        if offset == expected {
            known.unknown_next = None;
        } else if offset < 0 || known.unknown_next == Some(offset) {
            known.unknown_next = Some(offset + 1);
        } else {
            self.problem.get_or_insert(Problem::Misplaced { stage, partition, expected, found: offset });
        }
    }

    /// The record that was just reported has its own time, or the broker gives one for its whole batch, which may be the record's own too.
    pub(super) fn timed(&mut self, stage: Stage, partition: i32, broker_ms: Option<i64>, is_own: bool) {
        let partitions = &mut self.partitions[stage];
        let Some(known) = usize::try_from(partition).ok().and_then(|index| partitions.get_mut(index)) else { return };
        let before = known.broker_time;
        known.broker_time = broker_ms.map(|ms| {
            let is_same_batch = before.is_some_and(|before| before.ms == ms && before.is_own);
            BrokerTime { ms, is_own: is_own || is_same_batch }
        });
        if before.is_some_and(|before| !before.is_own && Some(before.ms) != broker_ms) {
            self.problem.get_or_insert(Problem::Restamped { stage, partition });
        }
    }

    /// All reports are there, so batches whose time no record had were given it by the broker's clock.
    pub(super) fn end(&mut self) {
        for stage in Stage::ALL {
            let restamped = (0i32..).zip(&self.partitions[stage]).find_map(|(partition, known)| {
                known.broker_time.is_some_and(|time| !time.is_own).then_some(Problem::Restamped { stage, partition })
            });
            if let Some(problem) = restamped {
                self.problem.get_or_insert(problem);
            }
        }
    }

    /// The open transaction was committed: in each of its partitions a control record follows, which takes an offset.
    pub fn committed(&mut self) {
        for known in self.partitions.values_mut().flatten().filter(|known| known.is_open) {
            known.next_offset += 1;
            known.is_open = false;
        }
    }

    /// A record was not stored.
    pub(super) fn failed(&mut self, stage: Stage, partition: i32, key: Option<&[u8]>, error: &ClientError) {
        let key = || String::from_utf8_lossy(key.unwrap_or_default()).into_owned();
        if self.problem.as_ref().is_none_or(Problem::follows_from_another) {
            self.problem = Some(Problem::NotStored { stage, partition, key: key(), error: error.clone() });
        }
    }

    /// Whether the first problem follows from another one that is still to be told.
    pub(super) fn problem_follows_from_another(&self) -> bool {
        self.problem.as_ref().is_some_and(Problem::follows_from_another)
    }

    /// Records acknowledged so far.
    #[must_use]
    pub fn acked_total(&self) -> u64 {
        self.acked
    }

    /// Records acknowledged so far in each partition of a stage.
    pub(super) fn acked_in(&self, stage: Stage) -> impl Iterator<Item = u64> {
        self.partitions[stage].iter().map(|known| known.acked)
    }

    /// The first problem, if there was one. `fatal` is what the client says, where it cannot go on.
    #[must_use]
    pub fn problem(
        &self,
        layout: &Layout,
        fatal: impl FnOnce() -> Option<(RDKafkaErrorCode, String)>,
    ) -> Option<KafkaError> {
        let topic = |stage| layout.topic(stage).name.clone();
        Some(match self.problem.clone()? {
            Problem::Misplaced { stage, partition, expected, found } => {
                KafkaError::misplaced(topic(stage), partition, expected, found)
            }
            Problem::Restamped { stage, partition } => Obstacle::Restamped { topic: topic(stage), partition }.into(),
            Problem::NotStored { stage, partition, key, error } => {
                KafkaError::not_stored(topic(stage), partition, key, &error, fatal())
            }
        })
    }

    /// The offset that each partition's next record will have, by what is acknowledged, by stage.
    #[must_use]
    pub fn next_offsets(&self) -> ByStage<Vec<i64>> {
        self.partitions.each_ref().map(|partitions| partitions.iter().map(|known| known.next_offset).collect())
    }

    /// Whether everything before these offsets is acknowledged, by stage and partition.
    #[must_use]
    pub fn are_acked(&self, ends: &ByStage<Vec<i64>>) -> bool {
        let pairs = self.partitions.values().flatten().zip(ends.values().flatten());
        self.problem.is_none() && pairs.into_iter().all(|(known, &end)| known.next_offset >= end)
    }

    /// Partitions whose last report had no offset, with the end offset that they should have.
    #[must_use]
    pub fn unsettled(&self) -> Vec<(Stage, i32, i64)> {
        self.ends_where(|known| known.unknown_next.is_some())
    }

    /// Partitions that got records, with the end offset that they should have.
    #[must_use]
    pub fn written(&self) -> Vec<(Stage, i32, i64)> {
        self.ends_where(|known| known.next_offset > known.first_offset)
    }

    fn ends_where(&self, chosen: impl Fn(&Partition) -> bool) -> Vec<(Stage, i32, i64)> {
        let mut ends = Vec::new();
        for stage in Stage::ALL {
            let numbered = (0i32..).zip(&self.partitions[stage]);
            ends.extend(numbered.filter(|(_, known)| chosen(known)).map(|(p, known)| (stage, p, known.next_offset)));
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliveries() -> Deliveries {
        Deliveries::new(&[vec![0, 7], vec![0], vec![0], vec![0]].into())
    }

    fn problem(deliveries: &Deliveries) -> Option<String> {
        deliveries.problem(&Layout::default(), || None).map(|problem| problem.to_string())
    }

    /// Reports of a partition: their records' own times, and the brokers'.
    fn timed(reports: &[(i64, Option<i64>)]) -> Deliveries {
        let mut deliveries = deliveries();
        for (offset, &(own_ms, broker_ms)) in (7..).zip(reports) {
            deliveries.acked(Stage::Request, 1, offset);
            deliveries.timed(Stage::Request, 1, broker_ms, broker_ms == Some(own_ms));
        }
        deliveries
    }

    #[test]
    fn a_time_of_the_brokers_clock_is_a_problem_of_its_own() {
        let by_clock = [
            &[(1, Some(90)), (2, Some(90))][..],
            &[(1, Some(90)), (2, Some(91))],
            &[(1, Some(90)), (2, None)],
            // A batch that was sent again before it, and one after it.
            &[(1, Some(2)), (2, Some(2)), (3, Some(90))],
            &[(1, Some(90)), (2, Some(3)), (3, Some(3))],
        ];
        for reports in by_clock {
            let mut deliveries = timed(reports);
            deliveries.end();
            let problem = problem(&deliveries).unwrap();
            assert!(problem.contains("`bid-requests`, partition 1") && problem.contains("LogAppendTime"), "{problem}");
        }
    }

    #[test]
    fn the_time_of_a_batch_that_was_sent_again_is_none_of_the_brokers_clock() {
        let again = [
            &[(1, None), (2, Some(3)), (3, Some(3)), (4, None)][..],
            // The latest record need not be the last one, and several may have its time.
            &[(5, Some(5)), (2, Some(5)), (5, Some(5)), (4, Some(5))],
            &[(1, Some(2)), (2, Some(2)), (3, Some(4)), (4, Some(4))],
            &[(1, Some(1)), (2, Some(2))],
        ];
        for reports in again {
            let mut deliveries = timed(reports);
            deliveries.end();
            assert_eq!(problem(&deliveries), None, "{reports:?}");
        }
    }

    #[test]
    fn offsets_in_order_are_no_problem() {
        let mut deliveries = deliveries();
        for offset in 7..10 {
            deliveries.acked(Stage::Request, 1, offset);
        }
        assert_eq!((deliveries.acked_total(), problem(&deliveries)), (3, None));
        assert!(deliveries.unsettled().is_empty());
    }

    #[test]
    fn a_jump_is_another_writer() {
        let mut deliveries = deliveries();
        deliveries.acked(Stage::Request, 1, 7);
        deliveries.acked(Stage::Request, 1, 9);
        assert!(problem(&deliveries).unwrap().contains("expected offset 8, got 9"), "{:?}", problem(&deliveries));
    }

    #[test]
    fn a_jump_back_is_a_lost_log() {
        let mut deliveries = deliveries();
        deliveries.acked(Stage::Request, 1, 7);
        deliveries.acked(Stage::Request, 1, 0);
        let problem = problem(&deliveries).unwrap();
        assert!(problem.contains("lost records: expected offset 8, got 0"), "{problem}");
    }

    #[test]
    fn a_report_without_an_offset_counts_one_and_the_next_known_one_settles_it() {
        let mut deliveries = deliveries();
        deliveries.acked(Stage::Request, 1, 7);
        deliveries.acked(Stage::Request, 1, -1001);
        assert_eq!(deliveries.unsettled(), [(Stage::Request, 1, 9)]);
        deliveries.acked(Stage::Request, 1, 9);
        assert!(deliveries.unsettled().is_empty());
        assert_eq!(problem(&deliveries), None);
        deliveries.acked(Stage::Request, 1, -1);
        deliveries.acked(Stage::Request, 1, 12);
        assert!(problem(&deliveries).is_some());
    }

    #[test]
    fn a_commit_takes_an_offset_in_each_partition_that_it_is_about() {
        let mut deliveries = deliveries();
        deliveries.acked(Stage::Request, 1, 7);
        deliveries.committed();
        deliveries.committed();
        deliveries.acked(Stage::Request, 0, 0);
        deliveries.acked(Stage::Request, 1, 9);
        assert_eq!(problem(&deliveries), None);
        deliveries.committed();
        assert_eq!(deliveries.written(), [(Stage::Request, 0, 2), (Stage::Request, 1, 11)]);
        // Somebody else's transaction ended between ours.
        deliveries.acked(Stage::Request, 1, 12);
        assert!(problem(&deliveries).unwrap().contains("expected offset 11, got 12"));
    }

    #[test]
    fn partitions_that_got_records_should_end_behind_them() {
        let mut deliveries = deliveries();
        assert!(deliveries.written().is_empty());
        deliveries.acked(Stage::Request, 1, 7);
        deliveries.acked(Stage::Click, 0, 0);
        assert_eq!(deliveries.written(), [(Stage::Request, 1, 8), (Stage::Click, 0, 1)]);
    }

    #[test]
    fn a_batch_without_offsets_is_numbered_from_a_negative_base() {
        for base in [-1, -1001] {
            let mut deliveries = deliveries();
            deliveries.acked(Stage::Request, 0, 0);
            for index in 0..1_500 {
                deliveries.acked(Stage::Request, 0, base + index);
            }
            assert_eq!((problem(&deliveries), deliveries.acked_total()), (None, 1_501), "base {base}");
            assert_eq!(deliveries.unsettled(), [(Stage::Request, 0, 1_501)]);
            // A second such batch, then a known offset.
            deliveries.acked(Stage::Request, 0, base);
            deliveries.acked(Stage::Request, 0, base + 1);
            deliveries.acked(Stage::Request, 0, 1_503);
            assert_eq!(problem(&deliveries), None, "base {base}");
            assert!(deliveries.unsettled().is_empty());
            // Another writer's jump is still seen behind one.
            deliveries.acked(Stage::Request, 0, base);
            deliveries.acked(Stage::Request, 0, 1_506);
            assert!(problem(&deliveries).unwrap().contains("expected offset 1505, got 1506"), "base {base}");
        }
    }

    #[test]
    fn the_first_problem_is_the_one_that_is_told() {
        let mut deliveries = deliveries();
        let error = |code| ClientError::MessageProduction(code);
        deliveries.failed(Stage::Click, 0, Some(b"k1"), &error(RDKafkaErrorCode::MessageSizeTooLarge));
        deliveries.failed(Stage::Click, 0, Some(b"k2"), &error(RDKafkaErrorCode::PurgeQueue));
        assert!(problem(&deliveries).unwrap().contains("k1"));
    }

    #[test]
    fn records_that_go_with_another_are_not_the_problem() {
        let mut deliveries = deliveries();
        let error = |code| ClientError::MessageProduction(code);
        deliveries.failed(Stage::Click, 0, Some(b"k1"), &error(RDKafkaErrorCode::PurgeQueue));
        assert!(deliveries.problem_follows_from_another());
        deliveries.failed(Stage::Click, 0, Some(b"k2"), &error(RDKafkaErrorCode::MessageSizeTooLarge));
        deliveries.failed(Stage::Click, 0, Some(b"k3"), &error(RDKafkaErrorCode::PurgeQueue));
        assert!(problem(&deliveries).unwrap().contains("k2"));
        assert!(!deliveries.problem_follows_from_another());
    }

    #[test]
    fn a_record_that_a_fenced_client_threw_away_tells_of_the_fence() {
        let mut deliveries = deliveries();
        let purged = ClientError::MessageProduction(RDKafkaErrorCode::PurgeQueue);
        deliveries.failed(Stage::Request, 0, Some(b"key"), &purged);
        let fatal = |code| move || Some((code, "said by the client".to_owned()));
        let problem = |code| deliveries.problem(&Layout::default(), fatal(code));
        assert!(matches!(problem(RDKafkaErrorCode::Fenced), Some(KafkaError::Fenced)));
        assert!(matches!(problem(RDKafkaErrorCode::Fatal), Some(KafkaError::Rejected { .. })));
    }
}
