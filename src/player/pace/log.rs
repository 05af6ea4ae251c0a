//! What a run says of its pace while it goes on.

use std::fmt;
use std::time::Duration;

use super::lag_notice::Notice;

/// Says what a step of the wall clock means: it releases records, whatever it shows, and changes none.
pub(super) fn tell_step(by_us: i64) {
    let by = Seconds(Duration::from_micros(by_us.unsigned_abs()));
    if by_us > 0 {
        tracing::warn!(
            target: "pace",
            stepped_us = by_us,
            "the wall clock was stepped forward by {by}, or the machine slept: what became due goes at once, at full speed; no \
             record is lost or changed"
        );
    } else {
        tracing::warn!(
            target: "pace",
            stepped_us = by_us,
            "the wall clock was stepped back by {by}: no record goes until it has made up for that; none is lost or changed"
        );
    }
}

/// Says that the run fell behind its timeline, or has caught up with it.
pub(super) fn tell(notice: Notice) {
    match notice {
        Notice::Behind(late) => tracing::warn!(
            target: "pace",
            seconds = late.as_secs(),
            "the run is {} behind its timeline: overdue records go at full speed, none is dropped",
            Seconds(late)
        ),
        Notice::CaughtUp(overdue) => tracing::warn!(
            target: "pace",
            records = overdue.records,
            seconds = overdue.worst.as_secs(),
            "caught up with the timeline: {} overdue records went at full speed, the latest {} after its time",
            overdue.records,
            Seconds(overdue.worst)
        ),
    }
}

/// A span as people read it, rounded: `3600.0 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0.as_millis() + 50) / 100;
        write!(f, "{}.{} s", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_seconds() {
        let shown = [0, 49, 50, 9_949, 9_950, 3_599_999].map(|ms| Seconds(Duration::from_millis(ms)).to_string());
        assert_eq!(shown, ["0.0 s", "0.0 s", "0.1 s", "9.9 s", "10.0 s", "3600.0 s"]);
    }
}
