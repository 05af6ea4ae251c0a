//! Partitions that stand still while others go on: told by name, with Kafka's reason.
//!
//! The client sends a refused batch again and says nothing of it (`NOT_ENOUGH_REPLICAS`), so partitions are watched by what was sent and
//! what was acknowledged, and the brokers are asked beside the run what is the matter.

use std::time::{Duration, Instant};

use super::deliveries::Deliveries;
use super::reports::Reports;
use super::stall_causes::Causes;
use super::waiting::PATIENCE;
use crate::generator::spec::{ByStage, Layout, Stage};
use crate::metrics::Metrics;

/// Partitions are looked at this often.
const LOOK: Duration = Duration::from_secs(1);
/// Whoever did not look for so long was stopped together with its partitions, which cannot be blamed for that time.
const BLIND: Duration = Duration::from_secs(5);
/// So many partitions are told by name.
const NAMED_MAX: usize = 5;

/// What is watched.
#[derive(Clone, Copy)]
pub(super) struct Watched<'a> {
    pub(super) layout: &'a Layout,
    pub(super) reports: &'a Reports,
    pub(super) metrics: &'a Metrics,
}

/// What is on its way to each partition.
#[derive(Debug)]
pub(super) struct StallDetector {
    partitions: ByStage<Vec<Progress>>,
    looked: Instant,
    /// When anything was last acknowledged, or nothing was waited for.
    went_on: Instant,
    told: Instant,
    causes: Causes,
}

#[derive(Debug, Clone, Copy)]
struct Progress {
    sent: u64,
    acked: u64,
    /// When that number last grew, or nothing was waited for.
    since: Instant,
}

/// A partition with records that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stalled {
    stage: Stage,
    partition: usize,
    records: u64,
    since: Instant,
}

impl StallDetector {
    pub(super) fn new(partitions: ByStage<usize>, causes: Causes) -> Self {
        let now = Instant::now();
        let none = Progress { sent: 0, acked: 0, since: now };
        Self { partitions: partitions.map(|count| vec![none; count]), looked: now, went_on: now, told: now, causes }
    }

    /// Another client begins, and nothing is on its way.
    pub(super) fn begin(&mut self) {
        let now = Instant::now();
        self.partitions.values_mut().flatten().for_each(|known| *known = Progress { sent: 0, acked: 0, since: now });
        (self.went_on, self.told) = (now, now);
    }

    /// A record is on its way.
    pub(super) fn sent(&mut self, stage: Stage, partition: u32) {
        if let Some(known) = self.partitions[stage].get_mut(partition as usize) {
            known.sent += 1;
        }
    }

    /// Looks at what was acknowledged. Partitions that records wait for, the longest first.
    fn look(&mut self, deliveries: &Deliveries, now: Instant) -> Vec<Stalled> {
        let blind = now.saturating_duration_since(self.looked);
        self.looked = now;
        if blind > BLIND {
            self.went_on += blind;
        }
        let mut stalled = Vec::new();
        for stage in Stage::ALL {
            let known = self.partitions[stage].iter_mut().enumerate();
            for ((partition, known), acked) in known.zip(deliveries.acked_in(stage)) {
                if blind > BLIND {
                    known.since += blind;
                }
                if known.acked != acked || known.sent <= acked {
                    if known.acked != acked {
                        self.went_on = now;
                    }
                    (known.acked, known.since) = (acked, now);
                }
                if known.sent > acked {
                    stalled.push(Stalled { stage, partition, records: known.sent - acked, since: known.since });
                }
            }
        }
        if stalled.is_empty() {
            self.went_on = now;
        }
        stalled.sort_by_key(|stalled| stalled.since);
        stalled
    }

    /// Says now and then which partitions acknowledge nothing, or that none does, and why.
    pub(super) fn watch(&mut self, run: Watched<'_>, now: Instant) {
        if now.saturating_duration_since(self.looked) < LOOK {
            return;
        }
        let waiting = self.look(&run.reports.deliveries(), now);
        let age = |stalled: &Stalled| now.saturating_duration_since(stalled.since);
        let long: Vec<Stalled> = waiting.iter().copied().filter(|stalled| age(stalled) >= PATIENCE).collect();
        run.metrics.stalled(long.len(), long.first().map(|stalled| stalled.since));
        // Asked before it is told, so that the answer is there by then.
        let soon: Vec<Stage> = waiting.iter().filter(|one| age(one) >= PATIENCE / 2).map(|one| one.stage).collect();
        if !soon.is_empty() {
            let topics = Stage::ALL.into_iter().filter(|stage| soon.contains(stage));
            self.causes.ask(topics.map(|stage| run.layout.topic(stage).name.to_string()).collect(), now);
        }
        if long.is_empty() || now.saturating_duration_since(self.told) < PATIENCE {
            return;
        }
        let stands = now.saturating_duration_since(self.went_on);
        if stands >= PATIENCE {
            self.tell_all(run, &waiting, stands);
        } else if stands < PATIENCE / 2 {
            self.tell_some(run, &long, age);
        } else {
            // Whether the others go on is soon known.
            return;
        }
        self.told = now;
    }

    fn reason(&self, run: Watched<'_>, stalled: Stalled) -> Option<String> {
        let topic = run.layout.topic(stalled.stage).name.as_str();
        self.causes.of(topic, stalled.partition).or_else(|| run.reports.last_trouble())
    }

    /// Nothing at all is acknowledged.
    fn tell_all(&self, run: Watched<'_>, stalled: &[Stalled], waited: Duration) {
        let records: u64 = stalled.iter().map(|stalled| stalled.records).sum();
        let mut reasons: Vec<String> = Vec::new();
        for reason in stalled.iter().filter_map(|&stalled| self.reason(run, stalled)) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let more = reasons.len().saturating_sub(1);
        let reason = reasons.into_iter().next().unwrap_or_else(|| "the brokers do not say why".to_owned());
        let reason = if more == 0 { reason } else { format!("{reason}, and {more} more reasons") };
        let seconds = waited.as_secs();
        tracing::warn!(
            target: "kafka", seconds, records, partitions = stalled.len(), reason,
            "no acknowledgement for {seconds} s: {records} records wait for the brokers, nothing is lost: {reason}"
        );
    }

    fn tell_some(&self, run: Watched<'_>, stalled: &[Stalled], age: impl Fn(&Stalled) -> Duration) {
        for one in stalled.iter().take(NAMED_MAX) {
            let (topic, partition) = (run.layout.topic(one.stage).name.as_str(), one.partition);
            let (seconds, records) = (age(one).as_secs(), one.records);
            let reason = self.reason(run, *one).unwrap_or_else(|| "the brokers do not say why".to_owned());
            tracing::warn!(
                target: "kafka", topic, partition, seconds, records, reason,
                "`{topic}`, partition {partition}: no acknowledgement for {seconds} s while others go on: {records} records wait, \
                 nothing is lost: {reason}"
            );
        }
        if stalled.len() > NAMED_MAX {
            let partitions = stalled.len() - NAMED_MAX;
            tracing::warn!(target: "kafka", partitions, "{partitions} more partitions stand still");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stalls() -> (StallDetector, Deliveries) {
        (
            StallDetector::new([2, 1, 1, 1].into(), Causes::unknown()),
            Deliveries::new(&[vec![0, 7], vec![0], vec![0], vec![0]].into()),
        )
    }

    #[test]
    fn a_partition_stands_still_from_its_last_acknowledgement_on() {
        let (mut stalls, mut deliveries) = stalls();
        let begin = stalls.looked;
        let at = |s| begin + Duration::from_secs(s);
        assert_eq!(stalls.look(&deliveries, at(1)), []);
        for _ in 0..3 {
            stalls.sent(Stage::Request, 0);
            stalls.sent(Stage::Request, 1);
        }
        deliveries.acked(Stage::Request, 1, 7);
        let stalled = |partition, records, since| Stalled { stage: Stage::Request, partition, records, since };
        assert_eq!(stalls.look(&deliveries, at(2)), [stalled(0, 3, at(1)), stalled(1, 2, at(2))]);
        deliveries.acked(Stage::Request, 1, 8);
        deliveries.acked(Stage::Request, 1, 9);
        assert_eq!(stalls.look(&deliveries, at(5)), [stalled(0, 3, at(1))]);
        deliveries.acked(Stage::Request, 0, 0);
        assert_eq!(stalls.look(&deliveries, at(6)), [stalled(0, 2, at(6))]);
        assert_eq!(stalls.look(&deliveries, at(9)), [stalled(0, 2, at(6))]);
        assert_eq!(stalls.went_on, at(6));
        stalls.begin();
        assert_eq!(stalls.look(&Deliveries::new(&[vec![0, 7], vec![0], vec![0], vec![0]].into()), at(7)), []);
    }

    #[test]
    fn the_time_in_which_the_process_itself_was_stopped_does_not_count() {
        let (mut stalls, deliveries) = stalls();
        let begin = stalls.looked;
        stalls.sent(Stage::Click, 0);
        let since = |stalls: &mut StallDetector, s| stalls.look(&deliveries, begin + Duration::from_secs(s))[0].since;
        let first = since(&mut stalls, 1);
        assert_eq!(since(&mut stalls, 3_601), first + Duration::from_secs(3_600));
    }
}
