//! A run: stream to sink, counted.

use std::time::{Duration, Instant};

use crate::digest::Digest;
use crate::fingerprint::Fingerprints;
use crate::pace::{Lateness, Pacer};
use crate::record::Record;
use crate::sink::{Sink, SinkError, Stop};
use crate::spec::Stage;
use crate::stream::{Part, Step, Stream};

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
    /// What a run did that found its window complete.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            counts: [Count::default(); 4],
            complete: true,
            elapsed: Duration::ZERO,
            acked: Some(0),
            fingerprint: None,
            lateness: None,
        }
    }

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

/// So many records of other parts may be passed over in a row before their time is waited for: a live worker whose partitions
/// stay empty must not run ahead to the end of the stream.
const PASSED_MAX: u32 = 10_000;

/// How a part is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// Whether the run's fingerprint is computed.
    pub fingerprint: bool,
    /// Whether the first record has to be acknowledged before any other is submitted.
    pub first_alone: bool,
}

/// Plays a part of a window into a sink, each record when the pacer says so, and closes the sink.
///
/// `progress` is called with the ordinal of each request that was taken, or passed over as another part's.
///
/// # Errors
/// If the sink fails: with [`SinkError::ReaderGone`] when nobody reads any more, which is no failure.
pub fn run(
    stream: &Stream,
    part: &Part,
    sink: &mut dyn Sink,
    pacer: &mut Pacer,
    stop: &Stop,
    manner: Manner,
    mut progress: impl FnMut(u64),
) -> Result<Outcome, SinkError> {
    let begin = Instant::now();
    let mut counts = [Count::default(); 4];
    let mut fingerprints = manner.fingerprint.then(|| Fingerprints::new(stream.layout()));
    let mut records = stream.records_of_part(part);
    let mut record = Record::default();
    let mut passed = 0u32;
    let mut first_alone = manner.first_alone;
    let complete = loop {
        if stop.asked() {
            break false;
        }
        match records.step(&mut record) {
            Step::End => break true,
            Step::Filled => passed = 0,
            Step::Passed(position) => {
                if position.stage == Stage::Request {
                    progress(position.ordinal);
                }
                passed += 1;
                if passed.is_multiple_of(PASSED_MAX) {
                    // A sign of life.
                    sink.wait(Duration::ZERO)?;
                }
                if passed > PASSED_MAX && !wait_until_due(position.emit_ms, sink, pacer, stop)? {
                    break false;
                }
                continue;
            }
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
        if std::mem::take(&mut first_alone) {
            if !wait_until_acked(sink, stop)? {
                break false;
            }
            pacer.begin_again();
        }
    };
    sink.close(complete)?;
    let fingerprint = fingerprints.map(|fingerprints| fingerprints.total());
    let lateness = pacer.lateness().filter(|lateness| lateness.count() > 0).cloned();
    Ok(Outcome { counts, complete, elapsed: begin.elapsed(), acked: sink.acked(), fingerprint, lateness })
}

/// Waits until a record is due, and submits it.
fn release(record: &Record, sink: &mut dyn Sink, pacer: &mut Pacer, stop: &Stop) -> Result<(), SinkError> {
    if wait_until_due(record.emit_ms, sink, pacer, stop)? { sink.submit(record) } else { Err(SinkError::Stopped) }
}

/// A sink is asked this often whether it has stored a record.
const ACK_WAIT: Duration = Duration::from_millis(1);

/// Waits until something is acknowledged; false if a signal came first.
fn wait_until_acked(sink: &mut dyn Sink, stop: &Stop) -> Result<bool, SinkError> {
    while sink.acked() == Some(0) {
        if stop.asked() {
            return Ok(false);
        }
        sink.wait(ACK_WAIT)?;
    }
    Ok(true)
}

/// Waits until the timeline reaches a time; false if a signal came first.
fn wait_until_due(emit_ms: i64, sink: &mut dyn Sink, pacer: &mut Pacer, stop: &Stop) -> Result<bool, SinkError> {
    while let Some(span) = pacer.wait(emit_ms) {
        if stop.asked() {
            return Ok(false);
        }
        sink.wait(span)?;
    }
    Ok(true)
}
