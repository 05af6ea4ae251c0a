//! The counters of a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::generator::record::Record;
use crate::generator::spec::{ByStage, Layout, Stage};

/// Upper bounds of the lateness histogram's buckets, in microseconds; one more bucket has no bound.
pub(super) const LATENESS_BOUNDS_US: [u64; 15] = [
    500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 60_000_000,
];
/// Stands for: no record is overdue.
const ON_TIME: i64 = i64::MAX;
/// Stands for: no record was released yet.
const NEVER: i64 = i64::MIN;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The sink is being prepared.
    Starting,
    /// Records are released.
    Running,
    /// No more records are released; what was sent is waited for.
    Draining,
    /// The window is played, and the embedded broker is held for its readers.
    Holding,
}

impl State {
    pub(super) const ALL: [Self; 4] = [Self::Starting, Self::Running, Self::Draining, Self::Holding];

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Holding => "holding",
        }
    }
}

/// The counters of one run.
#[derive(Debug)]
pub struct Metrics {
    pub(super) topics: ByStage<String>,
    /// Points of time are kept as microseconds since this one.
    origin: Instant,
    state: AtomicU8,
    /// Signs of life other than records: the run waits, for a due time or for the sink.
    ticks: AtomicU64,
    released: ByStage<AtomicU64>,
    pub(super) acked: ByStage<AtomicU64>,
    pub(super) acked_bytes: ByStage<AtomicU64>,
    taken_back: AtomicU64,
    emit_ms: AtomicI64,
    /// When the record that is released now was due, in microseconds since `origin`.
    due_us: AtomicI64,
    /// Not cumulative; the last one has no bound.
    pub(super) lateness: [AtomicU64; LATENESS_BOUNDS_US.len() + 1],
    pub(super) lateness_us: AtomicU64,
    /// Partitions whose records have waited for long without an acknowledgement, and since when the first one has.
    stalled: AtomicU64,
    stalled_us: AtomicI64,
    pub(super) delivery_errors: Codes,
    pub(super) client_errors: Codes,
}

/// What the counters say at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Where the run stands.
    pub state: State,
    /// Grows as long as the run's loop goes round.
    pub beats: u64,
    /// Records released, by stage.
    pub released: ByStage<u64>,
    /// Records acknowledged, of all stages.
    pub acked: u64,
    /// Records that were released and not committed, and are released again.
    pub taken_back: u64,
    /// Emit time of the last released record, in milliseconds since 1970.
    pub emit_ms: Option<i64>,
    /// How far the record that is released now lies behind its due time; zero if the run is on time, or has no due times.
    pub lag: Duration,
    /// Records whose lateness was measured.
    pub measured: u64,
    /// Their lateness altogether, in microseconds.
    pub late_us: u64,
    /// Partitions whose records have waited for long without an acknowledgement, while others may have got some.
    pub stalled: u64,
    /// How long the first of them has waited.
    pub stalled_for: Duration,
}

impl Snapshot {
    /// Records released, of all stages.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.released.values().sum()
    }

    /// Records sent that are not acknowledged. An acknowledgement may be counted a moment before its record is.
    #[must_use]
    pub fn queue(&self) -> u64 {
        self.records().saturating_sub(self.acked + self.taken_back)
    }
}

impl Metrics {
    /// Counters of a run into these topics, all zero.
    #[must_use]
    pub fn new(layout: &Layout) -> Self {
        Self {
            topics: ByStage::from_fn(|stage| layout.topic(stage).name.to_string()),
            origin: Instant::now(),
            state: AtomicU8::new(State::Starting as u8),
            ticks: AtomicU64::default(),
            released: ByStage::default(),
            acked: ByStage::default(),
            acked_bytes: ByStage::default(),
            taken_back: AtomicU64::default(),
            emit_ms: AtomicI64::new(NEVER),
            due_us: AtomicI64::new(ON_TIME),
            lateness: Default::default(),
            lateness_us: AtomicU64::default(),
            stalled: AtomicU64::default(),
            stalled_us: AtomicI64::new(ON_TIME),
            delivery_errors: Codes::default(),
            client_errors: Codes::default(),
        }
    }

    /// Counts records that were released and are released again: their transaction was not committed.
    pub fn taken_back(&self, records: u64) {
        self.taken_back.fetch_add(records, Relaxed);
    }

    /// Says where the run stands. Without records to release nothing is overdue.
    pub fn enter(&self, state: State) {
        self.state.store(state as u8, Relaxed);
        if state != State::Running {
            self.due_us.store(ON_TIME, Relaxed);
        }
    }

    /// Counts a record that the sink took.
    pub fn released(&self, record: &Record) {
        self.released[record.stage].fetch_add(1, Relaxed);
        self.emit_ms.store(record.emit_ms, Relaxed);
    }

    /// Counts a record that is where it belongs, with its payload.
    pub fn acked(&self, stage: Stage, bytes: usize) {
        self.acked_all(stage, 1, bytes as u64);
    }

    /// Counts so many records that are where they belong, with their payloads together.
    pub fn acked_all(&self, stage: Stage, records: u64, bytes: u64) {
        self.acked[stage].fetch_add(records, Relaxed);
        self.acked_bytes[stage].fetch_add(bytes, Relaxed);
    }

    /// A sign of life from a run that waits.
    pub fn tick(&self) {
        self.ticks.fetch_add(1, Relaxed);
    }

    /// So many partitions wait for an acknowledgement, the first since then.
    pub fn stalled(&self, partitions: usize, since: Option<Instant>) {
        self.stalled.store(partitions as u64, Relaxed);
        self.stalled_us.store(since.map_or(ON_TIME, |since| self.us(since)), Relaxed);
    }

    /// The next record is not due yet.
    pub fn on_time(&self) {
        self.due_us.store(ON_TIME, Relaxed);
    }

    /// The next record is due since `late` before `now`, and is released.
    pub fn overdue(&self, now: Instant, late: Duration) {
        self.due_us.store(self.us(now).saturating_sub(micros(late).cast_signed()), Relaxed);
    }

    /// Counts the lateness of a record's release.
    pub fn late(&self, late: Duration) {
        let late_us = micros(late);
        self.lateness[LATENESS_BOUNDS_US.partition_point(|&bound_us| bound_us < late_us)].fetch_add(1, Relaxed);
        self.lateness_us.fetch_add(late_us, Relaxed);
    }

    /// Counts a record that was not stored, by librdkafka's name for the reason.
    pub fn delivery_error(&self, code: &str) {
        self.delivery_errors.count(code);
    }

    /// Counts an error of the client that concerns no single record, such as a broken connection.
    pub fn client_error(&self, code: &str) {
        self.client_errors.count(code);
    }

    /// What the counters say now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let released = by_stage(&self.released);
        let emit_ms = self.emit_ms.load(Relaxed);
        Snapshot {
            state: State::ALL[usize::from(self.state.load(Relaxed))],
            beats: released.values().sum::<u64>() + self.ticks.load(Relaxed),
            released,
            acked: by_stage(&self.acked).values().sum(),
            taken_back: self.taken_back.load(Relaxed),
            emit_ms: (emit_ms != NEVER).then_some(emit_ms),
            lag: self.lag(),
            measured: load(&self.lateness).iter().sum(),
            late_us: self.lateness_us.load(Relaxed),
            stalled: self.stalled.load(Relaxed),
            stalled_for: self.since(&self.stalled_us),
        }
    }

    fn lag(&self) -> Duration {
        self.since(&self.due_us)
    }

    fn since(&self, at_us: &AtomicI64) -> Duration {
        let since_us = self.us(Instant::now()).saturating_sub(at_us.load(Relaxed));
        Duration::from_micros(u64::try_from(since_us).unwrap_or(0))
    }

    fn us(&self, time: Instant) -> i64 {
        micros(time.saturating_duration_since(self.origin)).cast_signed()
    }
}

/// Errors by code. They are rare, so they may take a lock.
#[derive(Debug, Default)]
pub(super) struct Codes(Mutex<BTreeMap<String, u64>>);

impl Codes {
    fn count(&self, code: &str) {
        *self.get().entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn get(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The counts of each stage.
pub(super) fn by_stage(counters: &ByStage<AtomicU64>) -> ByStage<u64> {
    counters.each_ref().map(|counter| counter.load(Relaxed))
}

pub(super) fn load<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    counters.each_ref().map(|counter| counter.load(Relaxed))
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stage: Stage, emit_ms: i64) -> Record {
        Record { stage, emit_ms, ..Record::default() }
    }

    #[test]
    fn nothing_has_happened_at_the_start() {
        let seen = Metrics::new(&Layout::default()).snapshot();
        assert_eq!((seen.state, seen.beats, seen.records(), seen.queue()), (State::Starting, 0, 0, 0));
        assert_eq!((seen.emit_ms, seen.lag), (None, Duration::ZERO));
    }

    #[test]
    fn what_is_released_waits_until_it_is_acknowledged() {
        let metrics = Metrics::new(&Layout::default());
        metrics.released(&record(Stage::Request, 5));
        metrics.released(&record(Stage::Click, 7));
        metrics.tick();
        let seen = metrics.snapshot();
        assert_eq!((seen.released, seen.queue(), seen.beats, seen.emit_ms), ([1, 0, 0, 1].into(), 2, 3, Some(7)));
        metrics.acked(Stage::Click, 10);
        assert_eq!(metrics.snapshot().queue(), 1);
        metrics.taken_back(1);
        metrics.released(&record(Stage::Request, 5));
        metrics.acked_all(Stage::Request, 1, 20);
        assert_eq!(metrics.snapshot().queue(), 0);
    }

    #[test]
    fn an_acknowledgement_that_is_faster_than_its_record_is_no_negative_queue() {
        let metrics = Metrics::new(&Layout::default());
        metrics.acked(Stage::Request, 1);
        assert_eq!(metrics.snapshot().queue(), 0);
    }

    #[test]
    fn a_record_that_is_not_taken_falls_ever_further_behind() {
        let metrics = Metrics::new(&Layout::default());
        metrics.enter(State::Running);
        metrics.overdue(Instant::now(), Duration::from_secs(3_600));
        let before = metrics.snapshot().lag;
        assert!(before >= Duration::from_secs(3_600) && before < Duration::from_secs(3_660), "{before:?}");
        std::thread::sleep(Duration::from_millis(5));
        assert!(metrics.snapshot().lag >= before + Duration::from_millis(5));
        metrics.on_time();
        assert_eq!(metrics.snapshot().lag, Duration::ZERO);
        metrics.overdue(Instant::now(), Duration::from_secs(1));
        metrics.enter(State::Draining);
        assert_eq!(metrics.snapshot().lag, Duration::ZERO);
    }

    #[test]
    fn every_state_is_found_again() {
        let metrics = Metrics::new(&Layout::default());
        for state in State::ALL {
            metrics.enter(state);
            assert_eq!(metrics.snapshot().state, state);
        }
    }
}
