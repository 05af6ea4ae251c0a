//! A run: stream to sink, counted.

use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::fingerprint::Fingerprints;
use crate::pace::{Lateness, Pacer};
use crate::record::Record;
use crate::sink::{Sink, SinkError, Stop};
use crate::spec::Stage;
use crate::stream::{Stream, Window};

/// What a run did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// By stage.
    pub counts: [Count; 4],
    /// Whether the window ended by itself; false after a signal.
    pub complete: bool,
    /// How long it took, closing included.
    pub elapsed: Duration,
    /// Records that were acknowledged, where somebody acknowledges: then it is all of them.
    pub acked: Option<u64>,
    /// The run's fingerprint, where it was asked for.
    pub fingerprint: Option<Digest>,
    /// How late records were released, where the pace has due times and any record was due while it ran.
    pub lateness: Option<Lateness>,
}

impl Outcome {
    /// Records of all stages.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.counts.iter().map(|count| count.records).sum()
    }

    /// Payload bytes of all stages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.iter().map(|count| count.bytes).sum()
    }
}

/// Records of one stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub records: u64,
    /// Their payloads' length.
    pub bytes: u64,
}

impl Count {
    /// Counts a payload.
    pub fn add(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }
}

/// Plays a window into a sink, each record when the pacer says so, and closes the sink.
///
/// `progress` is called with the ordinal of each request that was taken.
///
/// # Errors
/// If the sink fails: with [`SinkError::ReaderGone`] when nobody reads any more, which is no failure.
pub fn run(
    stream: &Stream,
    window: Window,
    sink: &mut dyn Sink,
    pacer: &mut Pacer,
    stop: &Stop,
    fingerprint: bool,
    mut progress: impl FnMut(u64),
) -> Result<Outcome, SinkError> {
    let begin = Instant::now();
    let mut counts = [Count::default(); 4];
    let mut fingerprints = fingerprint.then(|| Fingerprints::new(stream.layout()));
    let mut records = stream.records(window);
    let mut record = Record::default();
    let complete = loop {
        if stop.asked() {
            break false;
        }
        if !records.next_into(&mut record) {
            break true;
        }
        match release(&record, sink, pacer, stop) {
            Ok(()) => {}
            Err(SinkError::Stopped) => break false,
            Err(error) => return Err(error),
        }
        counts[record.stage.index()].add(record.value.len());
        if let Some(fingerprints) = &mut fingerprints {
            fingerprints.add(&record);
        }
        if record.stage == Stage::Request {
            progress(record.ordinal);
        }
    };
    sink.close(complete)?;
    let fingerprint = fingerprints.map(|fingerprints| fingerprints.total());
    let lateness = pacer.lateness().filter(|lateness| lateness.count() > 0).cloned();
    Ok(Outcome { counts, complete, elapsed: begin.elapsed(), acked: sink.acked(), fingerprint, lateness })
}

/// Waits until a record is due, and submits it.
fn release(record: &Record, sink: &mut dyn Sink, pacer: &mut Pacer, stop: &Stop) -> Result<(), SinkError> {
    while let Some(span) = pacer.wait(record.emit_ms) {
        if stop.asked() {
            return Err(SinkError::Stopped);
        }
        sink.wait(span)?;
    }
    sink.submit(record)
}
