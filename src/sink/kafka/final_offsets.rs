//! The end of a run: whether partitions end where they should.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::producer::Producer;

use super::Kafka;
use crate::generator::spec::Stage;
use crate::kafka::{At, Ends, KafkaError, LastError};

/// How long the control records of a committed transaction may take to reach its partitions.
const MARKED: Duration = Duration::from_secs(30);
/// So long that is waited for where a signal has ended the run.
const SEEN: Duration = Duration::from_secs(1);

impl Kafka {
    /// Reports without an offset counted one each; the end offsets now say whether that was right. Where a window ended by itself all
    /// partitions that it wrote to are asked: behind its last record in one, no delivery offset tells of another writer. Brokers that do not
    /// answer are waited for: everything is stored by now.
    pub(super) fn settle(&self, complete: bool) -> Result<(), KafkaError> {
        if self.transactions.is_some() && !complete {
            self.wait_until_seen();
            return Ok(());
        }
        let ends = {
            let deliveries = self.producer.context().deliveries();
            if complete { deliveries.written() } else { deliveries.unsettled() }
        };
        self.require_ends(&ends)
    }

    /// Partitions end where they should, at the latest once a transaction's control records are there.
    fn require_ends(&self, expected: &[(Stage, i32, i64)]) -> Result<(), KafkaError> {
        if expected.is_empty() {
            return Ok(());
        }
        let begin = Instant::now();
        let give_up = || {
            self.metrics.tick();
            self.stop.drain_is_over()
        };
        let patience = if self.transactions.is_some() { MARKED } else { Duration::ZERO };
        let topic = |stage| &self.layout.topic(stage).name;
        let partitions: Vec<At<'_>> = expected.iter().map(|&(stage, p, _)| (topic(stage), p)).collect();
        let offsets: Vec<i64> = expected.iter().map(|&(.., offset)| offset).collect();
        let ends = self.ends()?;
        let found = loop {
            match ends.at_least(&partitions, &offsets, patience, give_up) {
                Ok(found) => break found,
                Err(KafkaError::Stopped) => {
                    let (topic, partition) = partitions[0];
                    return Err(self.ended(KafkaError::Unsettled { topic: topic.clone(), partition }));
                }
                Err(error) if error.is_silence() => {
                    let (seconds, (topic, partition)) = (begin.elapsed().as_secs(), partitions[0]);
                    tracing::warn!(
                        target: "kafka", topic = topic.as_str(), partition, seconds,
                        "no answer for {seconds} s where `{topic}`, partition {partition} and others end: everything is acknowledged, this is the last look"
                    );
                }
                Err(error) => return Err(self.ended(error)),
            }
        };
        let misplaced = partitions.iter().zip(offsets).zip(found).find(|((_, expected), found)| expected != found);
        misplaced.map_or(Ok(()), |((&(topic, partition), expected), found)| {
            Err(self.ended(KafkaError::misplaced(topic.clone(), partition, expected, found)))
        })
    }

    /// A client of its own: the producer would be asked one partition at a time.
    fn ends(&self) -> Result<Ends, KafkaError> {
        Ok(Ends::new(&Arc::new(self.look.0.create_with_context(LastError::default())?), self.look.1))
    }

    /// Readers see what is committed once the control records are written, which follow the answer. Where they are late, or the brokers
    /// do not say, that is no failure.
    fn wait_until_seen(&self) {
        let written = self.producer.context().deliveries().written();
        if written.is_empty() {
            return;
        }
        let begin = Instant::now();
        let give_up = || begin.elapsed() >= SEEN || self.stop.drain_is_over();
        let partitions: Vec<At<'_>> =
            written.iter().map(|&(stage, p, _)| (&self.layout.topic(stage).name, p)).collect();
        let expected: Vec<i64> = written.iter().map(|&(.., offset)| offset).collect();
        let _ = self.ends().and_then(|ends| ends.at_least(&partitions, &expected, SEEN, give_up));
    }
}
