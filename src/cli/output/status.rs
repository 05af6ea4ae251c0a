//! The line that moves: a bar for a window with an end, a status for one without. It is drawn by a thread of its own from the
//! counters, so it moves while the run waits, and costs a record nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::output::terminal::MOVING;
use crate::generator::spec::Stage;
use crate::generator::stream::Window;
use crate::generator::timestamp::Timestamp;
use crate::log::count::grouped;
use crate::metrics::{Metrics, Snapshot, State};
use crate::player::pace::Pace;

/// It is drawn this often.
const TICK: Duration = Duration::from_millis(200);
/// Rates and lateness are over so many ticks: two seconds.
const RECENT: usize = 10;
/// From here on a run is said to be behind, not late.
const BEHIND: Duration = Duration::from_secs(1);

/// The line, until it is dropped.
#[derive(Debug)]
pub(crate) struct Status {
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Status {
    /// Begins to draw. `acknowledges` says whether records are sent to somebody who acknowledges them.
    pub(crate) fn show(window: Window, pace: Pace, acknowledges: bool, metrics: &Arc<Metrics>) -> Self {
        let (end, ended) = channel();
        let bar = MOVING.add(bar(window));
        let metrics = Arc::clone(metrics);
        let line = Line { bounded: window.count().is_some(), paced: pace != Pace::Fast, acknowledges };
        let draw = move || {
            let mut recent = Recent::default();
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let seen = metrics.snapshot();
                recent.add(Instant::now(), seen);
                bar.set_position(seen.released[Stage::Request]);
                bar.set_message(line.text(&seen, &recent));
            }
            bar.finish_and_clear();
        };
        // Without a thread for it there is no line; the run goes on.
        let thread = thread::Builder::new().name("status".to_owned()).spawn(draw).ok();
        Self { end: Some(end), thread }
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        drop(self.end.take());
        // A line that broke is not the run's trouble.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn bar(window: Window) -> ProgressBar {
    let (bar, template) = match window.count() {
        Some(count) => (ProgressBar::new(count), "{wide_bar} {human_pos} of {human_len} auctions, {msg}, {eta} left"),
        None => (ProgressBar::no_length(), "{spinner} {wide_msg}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// What the counters said lately, the oldest first.
#[derive(Debug, Default)]
struct Recent(VecDeque<(Instant, Snapshot)>);

impl Recent {
    fn add(&mut self, now: Instant, seen: Snapshot) {
        if self.0.len() > RECENT {
            self.0.pop_front();
        }
        self.0.push_back((now, seen));
    }

    /// Records released a second.
    fn per_second(&self) -> u64 {
        let (Some((begin, first)), Some((end, last))) = (self.0.front(), self.0.back()) else { return 0 };
        let micros = end.duration_since(*begin).as_micros().max(1);
        let records = u128::from(last.records() - first.records());
        u64::try_from((records * 1_000_000 + micros / 2) / micros).unwrap_or(u64::MAX)
    }

    /// How late records were on average, if any was due.
    fn late(&self) -> Option<Duration> {
        let (first, last) = (self.0.front()?.1, self.0.back()?.1);
        let late_us = (last.late_us - first.late_us).checked_div(last.measured - first.measured)?;
        Some(Duration::from_micros(late_us))
    }
}

/// What is said beside the bar, or without one.
#[derive(Debug, Clone, Copy)]
struct Line {
    bounded: bool,
    paced: bool,
    acknowledges: bool,
}

impl Line {
    /// The most telling first: a narrow terminal cuts it off.
    fn text(self, seen: &Snapshot, recent: &Recent) -> String {
        if seen.state == State::Draining {
            return format!("waiting for {} acknowledgements", grouped(seen.queue()));
        }
        let mut parts = vec![format!("{} records/s", grouped(recent.per_second()))];
        if !self.bounded {
            parts.insert(0, format!("{} auctions", grouped(seen.released[Stage::Request])));
        }
        if self.paced && seen.lag >= BEHIND {
            let whole = Duration::from_secs(seen.lag.as_secs());
            parts.push(format!("{} behind", humantime::format_duration(whole)));
        } else if let Some(late) = recent.late() {
            parts.push(format!("{}.{:02} ms late", late.as_millis(), late.as_micros() % 1_000 / 10));
        }
        if self.acknowledges && !self.bounded {
            parts.push(format!("{} acked, {} queued", grouped(seen.acked), grouped(seen.queue())));
        }
        if let Some(emit_ms) = seen.emit_ms.filter(|_| !self.bounded) {
            parts.push(format!("at {}", Timestamp(emit_ms)));
        }
        parts.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(records: u64, acked: u64, lag_s: u64) -> Snapshot {
        Snapshot {
            state: State::Running,
            beats: 0,
            released: [records, 0, 0, 0].into(),
            acked,
            taken_back: 0,
            emit_ms: Some(1_767_225_600_000),
            lag: Duration::from_secs(lag_s),
            measured: records,
            late_us: records * 250,
            stalled: 0,
            stalled_for: Duration::ZERO,
        }
    }

    fn recent(snapshots: &[Snapshot]) -> Recent {
        let (begin, mut recent) = (Instant::now(), Recent::default());
        for (tick, &snapshot) in (0..).zip(snapshots) {
            recent.add(begin + TICK * tick, snapshot);
        }
        recent
    }

    const UNBOUNDED: Line = Line { bounded: false, paced: true, acknowledges: true };

    #[test]
    fn a_window_without_end_tells_where_it_is_and_what_waits() {
        let last = seen(3_000, 2_990, 0);
        assert_eq!(
            UNBOUNDED.text(&last, &recent(&[seen(2_000, 0, 0), last])),
            "3,000 auctions, 5,000 records/s, 0.25 ms late, 2,990 acked, 10 queued, at 2026-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn a_run_that_is_behind_says_by_how_much() {
        let last = seen(3_000, 3_000, 3_725);
        let text = UNBOUNDED.text(&last, &recent(&[last]));
        assert!(text.contains(", 1h 2m 5s behind, 3,000 acked, 0 queued, "), "{text}");
    }

    #[test]
    fn full_speed_and_sinks_that_acknowledge_nothing_say_less() {
        let line = Line { bounded: true, paced: false, acknowledges: false };
        let still = Snapshot { measured: 0, late_us: 0, ..seen(3_000, 3_000, 0) };
        assert_eq!(line.text(&still, &recent(&[still])), "0 records/s");
        let draining = Snapshot { state: State::Draining, ..seen(3_000, 2_000, 0) };
        assert_eq!(line.text(&draining, &recent(&[draining])), "waiting for 1,000 acknowledgements");
    }

    #[test]
    fn rates_forget_what_was_longer_ago_than_two_seconds() {
        let mut snapshots = vec![seen(0, 0, 0)];
        snapshots.extend((0..=RECENT as u64).map(|tick| seen(1_000_000 + tick * 20, 0, 0)));
        assert_eq!(recent(&snapshots).per_second(), 100);
    }
}
