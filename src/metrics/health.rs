//! Whether a run is alive and ready: the decision, which reads no clock.

use std::time::{Duration, Instant};

use super::counters::{Snapshot, State};

/// A loop that did not go round for so long hangs.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Records that wait for so long without any acknowledgement are stuck. Well above a broker's restart or an election.
const STALLED: Duration = Duration::from_secs(30);
/// Somebody who did not look for so long was stopped together with the run, and can say nothing of that time.
const BLIND: Duration = Duration::from_secs(5);

/// Looks at a run now and then, and remembers when it last moved.
#[derive(Debug)]
pub struct Watch {
    looked: Instant,
    beats: u64,
    beat: Instant,
    acked: u64,
    /// When something was last acknowledged, or nothing waited.
    progress: Instant,
}

/// What a look at a run found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    state: State,
    since_beat: Duration,
    since_progress: Duration,
    queue: u64,
    /// Partitions that stand still while others may go on, and how long the first one has.
    stalled: u64,
    stalled_for: Duration,
}

impl Watch {
    /// A watch that begins at this time.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { looked: now, beats: 0, beat: now, acked: 0, progress: now }
    }

    /// Looks. It wants to be called about once a second.
    pub fn look(&mut self, now: Instant, seen: &Snapshot) -> Health {
        let blind = now.saturating_duration_since(self.looked);
        if blind > BLIND {
            self.beat += blind;
            self.progress += blind;
        }
        self.looked = now;
        let idle = matches!(seen.state, State::Starting | State::Holding);
        if idle || seen.beats != self.beats {
            (self.beats, self.beat) = (seen.beats, now);
        }
        if seen.queue() == 0 || seen.acked != self.acked {
            (self.acked, self.progress) = (seen.acked, now);
        }
        Health {
            state: seen.state,
            since_beat: now.saturating_duration_since(self.beat),
            since_progress: now.saturating_duration_since(self.progress),
            queue: seen.queue(),
            stalled: seen.stalled,
            stalled_for: seen.stalled_for,
        }
    }
}

impl Health {
    /// Whether the run's loop goes round, in words. A start has time limits of its own, and a renewal waits for brokers as long as it takes.
    ///
    /// # Errors
    /// With the reason why it is not alive.
    pub fn alive(&self) -> Result<String, String> {
        if self.since_beat > HEARTBEAT {
            return Err(format!("{}, but nothing moved for {} s", self.state.name(), self.since_beat.as_secs()));
        }
        Ok(self.state.name().to_owned())
    }

    /// Whether records get where they belong, in words.
    ///
    /// # Errors
    /// With the reason why it is not ready.
    pub fn ready(&self) -> Result<String, String> {
        match self.state {
            State::Running if self.since_progress > STALLED => {
                let seconds = self.since_progress.as_secs();
                Err(format!("no acknowledgement for {seconds} s: {} records wait", self.queue))
            }
            State::Running if self.stalled_for > STALLED => {
                let seconds = self.stalled_for.as_secs();
                Err(format!("no acknowledgement for {seconds} s in {} partitions, while others go on", self.stalled))
            }
            State::Running | State::Holding => Ok(self.state.name().to_owned()),
            State::Starting | State::Draining => Err(self.state.name().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(state: State, beats: u64, released: u64, acked: u64) -> Snapshot {
        let released = [released, 0, 0, 0];
        let (taken_back, lag) = (0, Duration::ZERO);
        let (stalled, stalled_for) = (0, Duration::ZERO);
        Snapshot {
            state,
            beats,
            released: released.into(),
            acked,
            taken_back,
            emit_ms: None,
            lag,
            measured: 0,
            late_us: 0,
            stalled,
            stalled_for,
        }
    }

    /// Looks each second at what `at` says, and gives what the last look found.
    fn watch(seconds: u64, at: impl Fn(u64) -> Snapshot) -> Health {
        let begin = Instant::now();
        let mut watch = Watch::new(begin);
        (0..=seconds).map(|s| watch.look(begin + Duration::from_secs(s), &at(s))).last().unwrap()
    }

    #[test]
    fn a_run_is_ready_once_it_runs_and_while_it_does() {
        let ready = |state| watch(1, |s| seen(state, s, 0, 0)).ready().is_ok();
        assert_eq!(State::ALL.map(ready), [false, true, false, true]);
    }

    #[test]
    fn a_loop_that_stands_still_for_more_than_ten_seconds_is_dead() {
        for state in [State::Running, State::Draining] {
            assert!(watch(10, |_| seen(state, 1, 0, 0)).alive().is_ok());
            let dead = watch(11, |_| seen(state, 1, 0, 0)).alive().unwrap_err();
            assert_eq!(dead, format!("{}, but nothing moved for 11 s", state.name()));
            assert!(watch(100, |s| seen(state, s, 0, 0)).alive().is_ok());
        }
        for state in [State::Starting, State::Holding] {
            assert!(watch(100, |_| seen(state, 0, 0, 0)).alive().is_ok());
        }
    }

    #[test]
    fn records_that_wait_for_more_than_thirty_seconds_make_a_run_unready_until_one_is_acknowledged() {
        let stuck = |s| seen(State::Running, s, 100, 7);
        assert!(watch(30, stuck).ready().is_ok());
        let health = watch(31, stuck);
        assert_eq!(health.ready().unwrap_err(), "no acknowledgement for 31 s: 93 records wait");
        assert!(health.alive().is_ok());
        assert!(watch(32, |s| seen(State::Running, s, 100, if s < 32 { 7 } else { 8 })).ready().is_ok());
    }

    #[test]
    fn partitions_that_wait_for_more_than_thirty_seconds_make_a_run_unready_though_others_go_on() {
        let stalled = |s| {
            let stalled_for = Duration::from_secs(s);
            watch(60, |second| Snapshot {
                stalled: 2,
                stalled_for,
                ..seen(State::Running, second, 2 * second + 9, second)
            })
        };
        assert!(stalled(30).ready().is_ok());
        let unready = stalled(31).ready().unwrap_err();
        assert_eq!(unready, "no acknowledgement for 31 s in 2 partitions, while others go on");
        assert!(stalled(31).alive().is_ok());
    }

    #[test]
    fn a_stream_that_has_nothing_to_send_stays_ready() {
        assert!(watch(300, |s| seen(State::Running, s, 7, 7)).ready().is_ok());
        // A record now and then is no stall, however long ago the last one was.
        assert!(watch(301, |s| seen(State::Running, s, if s < 301 { 7 } else { 8 }, 7)).ready().is_ok());
    }

    #[test]
    fn a_process_that_was_stopped_as_a_whole_is_given_its_time_again() {
        let begin = Instant::now();
        let mut watch = Watch::new(begin);
        let stuck = seen(State::Running, 1, 2, 1);
        watch.look(begin, &stuck);
        let later = begin + Duration::from_secs(3_600);
        let health = watch.look(later, &stuck);
        assert!(health.alive().is_ok() && health.ready().is_ok());
        assert!((1..=11).map(|s| watch.look(later + Duration::from_secs(s), &stuck)).last().unwrap().alive().is_err());
    }
}
