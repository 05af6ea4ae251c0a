//! The end of a run: whether partitions end where they should.

use std::time::{Duration, Instant};

use rdkafka::producer::Producer;

use super::{Kafka, KafkaError, ends};

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
        let begin = Instant::now();
        let give_up = || {
            self.metrics.tick();
            self.stop.drain_is_over()
        };
        let patience = if self.transactions.is_some() { MARKED } else { Duration::ZERO };
        for (stage, partition, expected) in ends {
            let topic = self.layout.topic(stage).name.clone();
            loop {
                match ends::end_offset(self.producer.client(), topic.as_str(), partition, (expected, patience), give_up)
                {
                    Ok(found) if found == expected => break,
                    Ok(found) => return Err(self.ended(KafkaError::misplaced(topic, partition, expected, found))),
                    Err(KafkaError::Stopped) => return Err(self.ended(KafkaError::Unsettled { topic, partition })),
                    Err(error) if error.is_silence() => {
                        let seconds = begin.elapsed().as_secs();
                        tracing::warn!(
                            target: "kafka",
                            "no answer for {seconds} s where `{topic}`, partition {partition} ends: everything is acknowledged, this is the last look"
                        );
                    }
                    Err(error) => return Err(self.ended(error)),
                }
            }
        }
        Ok(())
    }
    /// Readers see what is committed once the control records are written, which follow the answer. Where they are late, or the brokers
    /// do not say, that is no failure.
    fn wait_until_seen(&self) {
        let written = self.producer.context().deliveries().written();
        let begin = Instant::now();
        let give_up = || begin.elapsed() >= SEEN || self.stop.drain_is_over();
        for (stage, partition, expected) in written {
            let topic = self.layout.topic(stage).name.as_str();
            if ends::end_offset(self.producer.client(), topic, partition, (expected, SEEN), give_up).is_err() {
                return;
            }
        }
    }
}
