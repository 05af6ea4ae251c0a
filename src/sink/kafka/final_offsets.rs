//! The end of a run: whether partitions end where they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;

use crate::generator::spec::{Layout, Stage};
use crate::kafka::{At, Ends, KafkaError, LastError};
use crate::log::shutdown::Shutdown;
use crate::metrics::Metrics;

/// How long the control records of a committed transaction may take to reach its partitions.
const MARKED: Duration = Duration::from_secs(30);
/// So long that is waited for where a signal has ended the run.
const SEEN: Duration = Duration::from_secs(1);

/// The last look at where partitions end.
pub(super) struct LastLook<'a> {
    pub(super) layout: &'a Layout,
    pub(super) stop: &'a Shutdown,
    pub(super) metrics: &'a Metrics,
    /// Whether transactions were written, whose control records follow their commits.
    pub(super) is_transactional: bool,
    pub(super) ends: Ends,
}

/// A client that looks where partitions end: the producer would be asked one partition at a time.
pub(super) fn ends(config: &ClientConfig, patience: Duration) -> Result<Ends, KafkaError> {
    Ok(Ends::new(&Arc::new(config.create_with_context(LastError::default())?), patience))
}

impl LastLook<'_> {
    /// Partitions end where they should, at the latest once a transaction's control records are there.
    pub(super) fn require(&self, expected: &[(Stage, i32, i64)]) -> Result<(), KafkaError> {
        if expected.is_empty() {
            return Ok(());
        }
        let begin = Instant::now();
        let give_up = || {
            self.metrics.tick();
            self.stop.drain_is_over()
        };
        let patience = if self.is_transactional { MARKED } else { Duration::ZERO };
        let topic = |stage| &self.layout.topic(stage).name;
        let partitions: Vec<At<'_>> = expected.iter().map(|&(stage, p, _)| (topic(stage), p)).collect();
        let offsets: Vec<i64> = expected.iter().map(|&(.., offset)| offset).collect();
        let found = loop {
            match self.ends.at_least(&partitions, &offsets, patience, give_up) {
                Ok(found) => break found,
                Err(KafkaError::Stopped) => {
                    let (topic, partition) = partitions[0];
                    return Err(KafkaError::Unsettled { topic: topic.clone(), partition });
                }
                Err(error) if error.is_silence() => {
                    let (seconds, (topic, partition)) = (begin.elapsed().as_secs(), partitions[0]);
                    tracing::warn!(
                        target: "kafka", topic = topic.as_str(), partition, seconds,
                        "no answer for {seconds} s where `{topic}`, partition {partition} and others end: everything is acknowledged, this is the last look"
                    );
                }
                Err(error) => return Err(error),
            }
        };
        let misplaced = partitions.iter().zip(offsets).zip(found).find(|((_, expected), found)| expected != found);
        misplaced.map_or(Ok(()), |((&(topic, partition), expected), found)| {
            Err(KafkaError::misplaced(topic.clone(), partition, expected, found))
        })
    }

    /// Readers see what is committed once the control records are written, which follow the answer. Where they are late, or the brokers
    /// do not say, that is no failure.
    pub(super) fn wait_until_seen(&self, written: &[(Stage, i32, i64)]) {
        if written.is_empty() {
            return;
        }
        let begin = Instant::now();
        let give_up = || begin.elapsed() >= SEEN || self.stop.drain_is_over();
        let partitions: Vec<At<'_>> =
            written.iter().map(|&(stage, p, _)| (&self.layout.topic(stage).name, p)).collect();
        let expected: Vec<i64> = written.iter().map(|&(.., offset)| offset).collect();
        let _ = self.ends.at_least(&partitions, &expected, SEEN, give_up);
    }
}
