//! Any sink, counted.

use std::time::Duration;

use super::{Sink, SinkError};
use crate::generator::record::Record;
use crate::metrics::{Metrics, State};

/// A sink that tells the counters what it is given. From here on the run is running, and while it is closed, draining.
pub struct Counted<'a> {
    sink: &'a mut dyn Sink,
    metrics: &'a Metrics,
    /// Whether the sink counts acknowledgements itself. Otherwise what it took is where it belongs.
    acknowledges: bool,
}

impl std::fmt::Debug for Counted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").field("acknowledges", &self.acknowledges).finish_non_exhaustive()
    }
}

impl<'a> Counted<'a> {
    /// Counts what a sink is given, once it is prepared.
    pub fn new(sink: &'a mut dyn Sink, metrics: &'a Metrics) -> Self {
        metrics.enter(State::Running);
        let acknowledges = sink.acked().is_some();
        Self { sink, metrics, acknowledges }
    }
}

impl Sink for Counted<'_> {
    fn submit(&mut self, record: &Record) -> Result<(), SinkError> {
        self.sink.submit(record)?;
        self.metrics.released(record);
        if !self.acknowledges {
            self.metrics.acked(record.stage, record.value.len());
        }
        Ok(())
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        self.metrics.tick();
        self.sink.wait(span)
    }

    fn close(&mut self, complete: bool) -> Result<(), SinkError> {
        self.metrics.enter(State::Draining);
        self.sink.close(complete)
    }

    fn acked(&self) -> Option<u64> {
        self.sink.acked()
    }

    fn commits(&self) -> u64 {
        self.sink.commits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::{Layout, Stage};
    use crate::sink::null::Null;

    #[test]
    fn a_sink_that_acknowledges_nothing_has_what_it_took() {
        let metrics = Metrics::new(&Layout::default());
        let mut null = Null;
        let mut sink = Counted::new(&mut null, &metrics);
        let record = Record { stage: Stage::Response, emit_ms: 9, value: b"{}".to_vec(), ..Record::default() };
        sink.submit(&record).unwrap();
        sink.wait(Duration::ZERO).unwrap();
        let seen = metrics.snapshot();
        assert_eq!((seen.state, seen.released, seen.acked, seen.beats), (State::Running, [0, 1, 0, 0].into(), 1, 2));
        assert!(crate::metrics::text(&metrics, "").contains("mdg_bytes_acked_total{topic=\"bid-responses\"} 2\n"));
        sink.close(true).unwrap();
        assert_eq!(metrics.snapshot().state, State::Draining);
    }
}
