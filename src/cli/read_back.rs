//! What was played into the embedded broker, read back by a plain consumer.

use super::{Failure, show, to_stderr};
use crate::generator::fingerprint::Fingerprints;
use crate::generator::spec::Stage;
use crate::generator::stream::{Stream, Window};
use crate::kafka::Cluster;
use crate::log::count::grouped;
use crate::log::record::LogRecord;
use crate::log::shutdown::Shutdown;
use crate::run::{Count, Outcome};
use crate::source::Source;
use crate::source::topics::Topics;

/// What a plain consumer found.
pub(super) struct ReadBack {
    counts: [Count; 4],
    fingerprints: Fingerprints,
    /// The first auction of the window that was clicked, for people to look at.
    pub(super) funnel: String,
}

impl ReadBack {
    pub(super) fn read(cluster: &Cluster, stream: &Stream, window: Window, stop: &Shutdown) -> Result<Self, Failure> {
        let mut counts = [Count::default(); 4];
        let mut fingerprints = Fingerprints::new(cluster.layout());
        let mut topics = Topics::open(cluster, stop)?;
        let mut record = LogRecord::default();
        for log in 0..topics.logs().len() {
            let stage = topics.logs()[log].stage;
            while topics.next(log, &mut record)? {
                counts[stage.index()].add(record.value.as_ref().map_or(0, Vec::len));
                record.add_to(&mut fingerprints, stage);
            }
        }
        let clicked = |&ordinal: &u64| stream.auctions().plan(ordinal).event_ms(Stage::Click).is_some();
        let clicked = (window.start()..window.end().unwrap_or(window.start())).find(clicked);
        let funnel =
            clicked.map(|ordinal| format!("\nThe first funnel with a click:\n{}", show::outline(stream, ordinal)));
        Ok(Self { counts, fingerprints, funnel: funnel.unwrap_or_default() })
    }

    /// Says what was found, and fails if it is not what was sent.
    pub(super) fn compare(&self, outcome: &Outcome) -> Result<(), Failure> {
        let records: u64 = self.counts.iter().map(|count| count.records).sum();
        let fingerprint = self.fingerprints.total();
        let equal = self.counts == outcome.counts && Some(fingerprint) == outcome.fingerprint;
        let verdict = if equal { "equal to what was sent" } else { "NOT what was sent" };
        to_stderr(&format!("read back    {} records, fingerprint {fingerprint}: {verdict}\n", grouped(records)));
        if equal { Ok(()) } else { Err(Failure::ReadBack) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::generator::spec::{Layout, StreamSpec};

    #[test]
    fn topics_that_hold_something_else_are_a_failure() {
        let stream = Stream::new(&StreamSpec::default(), &Layout::default());
        let read = |count| {
            let mut read = ReadBack {
                counts: [Count::default(); 4],
                fingerprints: Fingerprints::new(stream.layout()),
                funnel: String::new(),
            };
            for record in stream.records(Window::auctions(0, count)) {
                read.counts[record.stage.index()].add(record.value.len());
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
        assert!(sent.compare(&outcome).is_ok());
        assert!(matches!(read(19).compare(&outcome), Err(Failure::ReadBack)));
    }
}
