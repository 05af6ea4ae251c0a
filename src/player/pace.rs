//! When a record is released: the decision, which knows no clock, and the shell that reads one.
//!
//! Pacing is open-loop: a record's due time follows from its place on the timeline alone, so nothing drifts and nothing is
//! dropped. What is overdue goes at once, at full speed.

mod lag_notice;
mod lateness;
mod log;

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use self::lag_notice::Backlog;
pub use self::lateness::Lateness;
use self::log::{tell, tell_step};
use crate::generator::spec::DecimalError;
use crate::metrics::Metrics;

/// How release is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A record is released when the wall clock reaches its emit time.
    Live,
    /// The window in its own rhythm, times a factor, from the moment it starts.
    Replay(Speed),
    /// Never waits.
    Fast,
}

/// A replay's factor: an exact decimal above 0 and up to 1,000,000, with at most six decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    micros: NonZeroU64,
}

impl Speed {
    /// Factor 1.
    pub const REAL_TIME: Self = Self { micros: NonZeroU64::new(1_000_000).unwrap() };
    const MAX_MICROS: u64 = 1_000_000_000_000;

    /// Virtual microseconds that pass in a span of real time.
    fn virtual_us(self, real: Duration) -> u64 {
        let virtual_us = real.as_micros() * u128::from(self.micros.get()) / 1_000_000;
        u64::try_from(virtual_us).unwrap_or(u64::MAX)
    }

    /// Real time that a span of virtual microseconds takes, rounded up.
    fn real(self, virtual_us: u64) -> Duration {
        let real_us = (u128::from(virtual_us) * 1_000_000).div_ceil(u128::from(self.micros.get()));
        Duration::from_micros(u64::try_from(real_us).unwrap_or(u64::MAX))
    }
}

/// A text that is not a speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpeedError {
    /// Not an exact decimal.
    #[error(transparent)]
    Decimal(#[from] DecimalError),
    /// Zero or too large.
    #[error("out of range: give more than 0, up to 1000000")]
    Range,
}

impl FromStr for Speed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        let micros = crate::generator::spec::parse_decimal(text, 6)?.filter(|&micros| micros <= Self::MAX_MICROS);
        let micros = micros.and_then(NonZeroU64::new).ok_or(SpeedError::Range)?;
        Ok(Self { micros })
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::generator::spec::write_decimal(f, self.micros.get(), 6)
    }
}

/// Where the timeline stands, as against a record that is due at `emit_us`: how far it still has to go, or how late the
/// record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    In(u64),
    Late(u64),
}

/// The whole decision. All times are virtual microseconds since 1970.
fn due(emit_us: i64, timeline_us: i64) -> Due {
    let distance = emit_us.abs_diff(timeline_us);
    if emit_us > timeline_us { Due::In(distance) } else { Due::Late(distance) }
}

/// A wait is at least this long: many records may become due in it, and each wake-up costs.
const TICK: Duration = Duration::from_micros(500);
/// A wait is at most this long, so that a signal is seen in time.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Wall clock and monotonic clock that part by more than this have been stepped, in microseconds.
const STEP_US: u64 = 1_000_000;

/// The wall clock in microseconds since 1970; 0 if it stands before that.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock: it chooses where a run begins and when a record goes, and changes no byte"
)]
pub fn wall_clock_us() -> i64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX)
}

/// Times the records of one run.
#[derive(Debug)]
pub struct Pacer {
    pace: Pace,
    begin: Instant,
    /// The wall clock when the run began, in microseconds since 1970.
    begin_wall_us: i64,
    /// Where a replay's timeline begins, in microseconds since 1970.
    begin_virtual_us: i64,
    /// How far the wall clock was stepped since the run began, as last told.
    stepped_us: i64,
    lateness: Option<Lateness>,
    backlog: Backlog,
    metrics: Option<Arc<Metrics>>,
}

impl Pacer {
    /// A pacer that begins now. `begin_virtual_us` is where a replay's timeline begins: its first request, in microseconds
    /// since 1970.
    #[must_use]
    pub fn new(pace: Pace, begin_virtual_us: i64) -> Self {
        Self {
            pace,
            begin: Instant::now(),
            begin_wall_us: wall_clock_us(),
            begin_virtual_us,
            stepped_us: 0,
            lateness: if pace == Pace::Fast { None } else { Lateness::new() },
            backlog: Backlog::default(),
            metrics: None,
        }
    }

    /// The same pacer, which tells these counters too how late records are.
    #[must_use]
    pub fn counted(self, metrics: &Arc<Metrics>) -> Self {
        Self { metrics: Some(Arc::clone(metrics)), ..self }
    }

    /// Begins now, once more: a live run whose first record had to be stored before any other was released begins when that is
    /// done, and what became due meanwhile is backfill. A replay's timeline goes on from where it stood.
    pub fn begin_again(&mut self) {
        if self.pace == Pace::Live {
            self.begin = Instant::now();
            self.begin_wall_us = wall_clock_us();
            self.stepped_us = 0;
        }
    }

    /// How long to wait, at most, before asking again about a record that is due at `emit_ms`; `None` if it is due, and then its
    /// lateness is measured.
    pub fn wait(&mut self, emit_ms: i64) -> Option<Duration> {
        let (now, begin_us, speed, due) = self.look(emit_ms)?;
        match due {
            Due::In(virtual_us) => Some(self.span(speed, virtual_us)),
            Due::Late(virtual_us) => {
                // What was due before the run began is backfill, not late.
                self.released(now, speed.real(virtual_us), emit_ms.saturating_mul(1_000) < begin_us);
                None
            }
        }
    }

    /// As [`Pacer::wait`], for a record that is not released: nothing is measured.
    pub fn until(&mut self, emit_ms: i64) -> Option<Duration> {
        let (_, _, speed, due) = self.look(emit_ms)?;
        if let Due::In(virtual_us) = due { Some(self.span(speed, virtual_us)) } else { None }
    }

    /// The moment, where the timeline began, how fast it goes, and where it stands; `None` where nothing is waited for.
    fn look(&mut self, emit_ms: i64) -> Option<(Instant, i64, Speed, Due)> {
        let replay = match self.pace {
            Pace::Fast => return None,
            Pace::Live => None,
            Pace::Replay(speed) => Some(speed),
        };
        let now = Instant::now();
        let passed = now.duration_since(self.begin);
        let (timeline_us, begin_us) = match replay {
            None => (self.wall_us(passed), self.begin_wall_us),
            Some(speed) => {
                let passed_us = i64::try_from(speed.virtual_us(passed)).unwrap_or(i64::MAX);
                (self.begin_virtual_us.saturating_add(passed_us), self.begin_virtual_us)
            }
        };
        let due = due(emit_ms.saturating_mul(1_000), timeline_us);
        Some((now, begin_us, replay.unwrap_or(Speed::REAL_TIME), due))
    }

    /// A wait for what is due in so much virtual time.
    fn span(&self, speed: Speed, virtual_us: u64) -> Duration {
        if let Some(metrics) = &self.metrics {
            metrics.on_time();
        }
        speed.real(virtual_us).clamp(TICK, WAIT_MAX)
    }

    /// Measures and counts a record that is released now.
    fn released(&mut self, now: Instant, late: Duration, backfill: bool) {
        if let Some(lateness) = self.lateness.as_mut().filter(|_| !backfill) {
            lateness.record(late);
        }
        if let Some(notice) = self.backlog.released(late) {
            tell(notice);
        }
        if let Some(metrics) = &self.metrics {
            metrics.overdue(now, late);
            if !backfill {
                metrics.late(late);
            }
        }
    }

    /// How late records were released so far; `None` at full speed.
    #[must_use]
    pub fn lateness(&self) -> Option<&Lateness> {
        self.lateness.as_ref()
    }

    /// The wall clock, when so much time has passed since the run began. Tells when it was stepped.
    fn wall_us(&mut self, passed: Duration) -> i64 {
        let (wall_us, stepped_us) = self.wall_and_step(passed);
        let told_us = self.stepped_us;
        let is_news = |stepped_us: i64| stepped_us.abs_diff(told_us) > STEP_US;
        if !is_news(stepped_us) {
            return wall_us;
        }
        // A process that was stopped between the two readings sees a step that was none: it is gone when they are read again.
        let (wall_us, stepped_us) = self.wall_and_step(self.begin.elapsed());
        if is_news(stepped_us) {
            tell_step(stepped_us - told_us);
            self.stepped_us = stepped_us;
        }
        wall_us
    }

    /// The wall clock, and how far it was stepped since the run began: how far it parted from the monotonic one.
    fn wall_and_step(&self, passed: Duration) -> (i64, i64) {
        let wall_us = wall_clock_us();
        let passed_us = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        (wall_us, wall_us.saturating_sub(self.begin_wall_us).saturating_sub(passed_us))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_due_when_the_timeline_reaches_it() {
        assert_eq!(due(1_000, 999), Due::In(1));
        assert_eq!(due(1_000, 1_000), Due::Late(0));
        assert_eq!(due(1_000, 3_500), Due::Late(2_500));
    }

    #[test]
    fn speeds_are_exact_decimals_above_zero() {
        for text in ["0", "0.0", "-1", "1e3", "fast", "", "1000000.000001", "0.0000001"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
        for text in ["1", "60", "0.5", "0.000001", "1000000"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn full_speed_never_waits_and_measures_nothing() {
        let mut pacer = Pacer::new(Pace::Fast, 0);
        assert_eq!(pacer.wait(i64::MAX), None);
        assert!(pacer.lateness().is_none());
    }

    #[test]
    fn a_live_record_of_the_past_goes_at_once_and_is_not_late() {
        let mut pacer = Pacer::new(Pace::Live, 0);
        assert_eq!(pacer.wait(0), None);
        assert_eq!(pacer.lateness().unwrap().count(), 0);
        assert_eq!(pacer.wait(wall_clock_us() / 1_000 + 3_600_000), Some(WAIT_MAX));
    }

    #[test]
    fn a_replay_starts_its_timeline_at_the_window() {
        let mut pacer = Pacer::new(Pace::Replay("1000".parse().unwrap()), 5_000_000);
        assert_eq!(pacer.wait(5_000), None);
        assert_eq!(pacer.lateness().unwrap().count(), 1);
        // An hour of virtual time is 3.6 s at this speed.
        assert_eq!(pacer.wait(3_605_000), Some(WAIT_MAX));
    }

    proptest! {
        /// forall speeds s, spans t: waiting for t virtual microseconds never ends before they have passed, and less than one
        /// microsecond after.
        #[test]
        fn a_wait_ends_when_the_timeline_is_there(micros in 1..=Speed::MAX_MICROS, virtual_us in 0..1u64 << 40) {
            let speed = Speed { micros: NonZeroU64::new(micros).unwrap() };
            let real = speed.real(virtual_us);
            prop_assert!(speed.virtual_us(real) >= virtual_us);
            if let Some(less) = real.checked_sub(Duration::from_micros(1)) {
                prop_assert!(speed.virtual_us(less) < virtual_us);
            }
        }
    }
}
