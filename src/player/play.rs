//! Playing an assignment into a sink, counted.

use std::time::{Duration, Instant};

use crate::generator::digest::Digest;
use crate::generator::fingerprint::Fingerprints;
use crate::generator::record::Record;
use crate::generator::spec::{ByStage, Layout};
use crate::generator::stream::parallel::{Records, generate_parallel};
use crate::generator::stream::{Assignment, Step, Stream};
use crate::log::shutdown::Shutdown;
use crate::player::pace::{Lateness, Pacer};
use crate::sink::{Sink, SinkError};

/// What a run did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// By stage.
    pub counts: ByStage<Count>,
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
            counts: ByStage::default(),
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
        self.counts.values().map(|count| count.records).sum()
    }

    /// Payload bytes of all stages.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.values().map(|count| count.bytes).sum()
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

/// What was played, by as many calls of [`play`] as it took: where transactions are written, one can end in the middle.
#[derive(Debug)]
pub struct Totals {
    begin: Instant,
    now: Sums,
    /// What was played before the open transaction.
    kept: Sums,
    commits: u64,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    counts: ByStage<Count>,
    fingerprints: Option<Fingerprints>,
}

impl Totals {
    /// Nothing yet. Fingerprints are computed if a layout is given.
    #[must_use]
    pub fn new(fingerprinted: Option<&Layout>) -> Self {
        let sums = Sums { counts: ByStage::default(), fingerprints: fingerprinted.map(Fingerprints::new) };
        Self { begin: Instant::now(), now: sums.clone(), kept: sums, commits: 0 }
    }

    /// All that was played until now is committed, if the number of commits says so.
    fn commit(&mut self, commits: u64) {
        if commits > self.commits {
            self.commits = commits;
            self.kept = self.now.clone();
        }
    }

    /// The open transaction was not committed: its records are played again. Says how many they are.
    pub fn roll_back(&mut self) -> u64 {
        let records = |sums: &Sums| sums.counts.values().map(|count| count.records).sum::<u64>();
        let taken_back = records(&self.now) - records(&self.kept);
        self.now = self.kept.clone();
        taken_back
    }

    /// What the run did, by what the sink and the pacer say.
    #[must_use]
    pub fn outcome(&self, complete: bool, acked: Option<u64>, pacer: &Pacer) -> Outcome {
        Outcome {
            counts: self.now.counts,
            complete,
            elapsed: self.begin.elapsed(),
            acked,
            fingerprint: self.now.fingerprints.clone().map(|fingerprints| fingerprints.total()),
            lateness: pacer.lateness().filter(|lateness| lateness.count() > 0).cloned(),
        }
    }
}

impl Sums {
    fn add(&mut self, record: &Record) {
        self.counts[record.stage].add(record.value.len());
        if let Some(fingerprints) = &mut self.fingerprints {
            fingerprints.add(record);
        }
    }
}

/// While records of other parts are passed over, the sink is looked at behind so many of them: some milliseconds.
const LOOK_EVERY: usize = 10_000;

/// A sink is asked this often whether it has stored a record.
const ACK_WAIT: Duration = Duration::from_millis(1);

/// How a part is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayOptions {
    /// Whether the first record has to be acknowledged before any other is submitted.
    pub first_alone: bool,
    /// How many threads make records for the one that submits them; up to one, that one makes them itself.
    pub threads: usize,
}

/// Plays a part of a window into a sink, each record when the pacer says so, and closes the sink. What is played is added to the
/// totals.
///
/// # Errors
/// If the sink fails: with [`SinkError::ReaderGone`] when nobody reads any more, which is no failure.
pub fn play(
    stream: &Stream,
    part: &Assignment,
    sink: &mut dyn Sink,
    pacer: &mut Pacer,
    stop: &Shutdown,
    options: PlayOptions,
    totals: &mut Totals,
) -> Result<Outcome, SinkError> {
    let mut run = Playing { sink, pacer, stop, first_alone: options.first_alone, totals };
    let complete = generate_parallel(stream.assigned_records(part), options.threads, |records| run.play(records))?;
    let Playing { sink, pacer, totals, .. } = run;
    let closed = sink.close(complete);
    totals.commit(sink.commits());
    closed?;
    Ok(totals.outcome(complete, sink.acked(), pacer))
}

/// A run under way.
struct Playing<'a> {
    sink: &'a mut dyn Sink,
    pacer: &'a mut Pacer,
    stop: &'a Shutdown,
    first_alone: bool,
    totals: &'a mut Totals,
}

impl Playing<'_> {
    /// Plays all records; false if a signal came first.
    fn play(&mut self, records: &mut dyn Records) -> Result<bool, SinkError> {
        let mut record = Record::default();
        let mut passed = 0;
        while !self.stop.is_requested() {
            match records.step(&mut record) {
                Step::End => return Ok(true),
                Step::Record => match self.release(&record) {
                    Ok(()) => {}
                    Err(SinkError::Stopped) => break,
                    Err(error) => return Err(error),
                },
                Step::Skipped { to, count } => {
                    passed += count;
                    if passed >= LOOK_EVERY {
                        passed = 0;
                        self.wait(Duration::ZERO)?;
                    }
                    // A live worker whose partitions stay empty must not run ahead to the end of the stream.
                    while let Some(span) = self.pacer.until(to.emit_ms).filter(|_| !self.stop.is_requested()) {
                        self.wait(span)?;
                    }
                }
            }
        }
        Ok(false)
    }

    fn wait(&mut self, span: Duration) -> Result<(), SinkError> {
        let waited = self.sink.wait(span);
        self.totals.commit(self.sink.commits());
        waited
    }

    /// Waits until a record is due, and submits it. [`SinkError::Stopped`] if a signal came first.
    fn release(&mut self, record: &Record) -> Result<(), SinkError> {
        while let Some(span) = self.pacer.wait(record.emit_ms) {
            if self.stop.is_requested() {
                return Err(SinkError::Stopped);
            }
            self.wait(span)?;
        }
        let submitted = self.sink.submit(record);
        self.totals.commit(self.sink.commits());
        submitted?;
        self.totals.now.add(record);
        if std::mem::take(&mut self.first_alone) {
            self.await_first_ack()?;
            self.pacer.begin_again();
        }
        Ok(())
    }

    /// Waits until something is acknowledged. [`SinkError::Stopped`] if a signal came first.
    fn await_first_ack(&mut self) -> Result<(), SinkError> {
        while self.sink.acked() == Some(0) {
            if self.stop.is_requested() {
                return Err(SinkError::Stopped);
            }
            self.wait(ACK_WAIT)?;
        }
        Ok(())
    }
}
