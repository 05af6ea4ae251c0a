//! What was played into the embedded broker, read back by a plain consumer.

use super::error::RunError;
use super::play::{Count, Outcome};
use crate::generator::digest::Digest;
use crate::generator::fingerprint::Fingerprints;
use crate::generator::spec::{ByStage, Stage};
use crate::generator::stream::{Stream, Window};
use crate::kafka::{Cluster, KafkaError};
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;
use crate::source::topics::Topics;
use crate::source::{Source, SourceError};

/// What a plain consumer found.
pub(super) struct ReadBack {
    counts: ByStage<Count>,
    fingerprints: Fingerprints,
    /// The first auction of the window that was clicked, for people to look at.
    pub(super) clicked: Option<u64>,
}

impl ReadBack {
    /// Reads what the topics hold, or nothing if a signal ends that: what was sent is acknowledged by then, and stays so.
    pub(super) fn read(
        cluster: &Cluster,
        stream: &Stream,
        window: Window,
        stop: &Shutdown,
    ) -> Result<Option<Self>, RunError> {
        match Self::read_all(cluster, stream, window, stop) {
            Ok(read) => Ok(Some(read)),
            Err(SourceError::Stopped | SourceError::Kafka(KafkaError::Stopped)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn read_all(cluster: &Cluster, stream: &Stream, window: Window, stop: &Shutdown) -> Result<Self, SourceError> {
        let mut counts = ByStage::<Count>::default();
        let mut fingerprints = Fingerprints::new(cluster.layout());
        let mut topics = Topics::open(cluster, stop)?;
        let mut record = LogRecord::default();
        for log in 0..topics.logs().len() {
            let stage = topics.logs()[log].stage;
            while topics.next(log, &mut record)? {
                counts[stage].add(record.value.as_ref().map_or(0, Vec::len));
                record.add_to(&mut fingerprints, stage);
            }
        }
        let clicked = |&ordinal: &u64| stream.auctions().plan(ordinal).event_ms(Stage::Click).is_some();
        let clicked = (window.start()..window.end().unwrap_or(window.start())).find(clicked);
        Ok(Self { counts, fingerprints, clicked })
    }

    /// How many records were found.
    pub(super) fn records(&self) -> u64 {
        self.counts.values().map(|count| count.records).sum()
    }

    /// Their fingerprint.
    pub(super) fn fingerprint(&self) -> Digest {
        self.fingerprints.total()
    }

    /// Whether it is what was sent.
    pub(super) fn is_equal_to(&self, outcome: &Outcome) -> bool {
        self.counts == outcome.counts && Some(self.fingerprint()) == outcome.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::generator::spec::{ByStage, Layout, StreamSpec};

    #[test]
    fn topics_that_hold_something_else_are_not_what_was_sent() {
        let stream = Stream::new(&StreamSpec::default(), &Layout::default());
        let read = |count| {
            let mut read = ReadBack {
                counts: ByStage::default(),
                fingerprints: Fingerprints::new(stream.layout()),
                clicked: None,
            };
            for record in stream.records(Window::auctions(0, count)) {
                read.counts[record.stage].add(record.value.len());
                read.fingerprints.add(&record);
            }
            read
        };
        let sent = read(20);
        let outcome = Outcome {
            counts: sent.counts,
            complete: true,
            elapsed: Duration::from_secs(1),
            acked: None,
            fingerprint: Some(sent.fingerprints.total()),
            lateness: None,
        };
        assert!(sent.is_equal_to(&outcome));
        assert!(!read(19).is_equal_to(&outcome));
    }
}
