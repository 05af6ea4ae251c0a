//! Which part of the stream a run plays.

use std::str::FromStr;

use clap::Args;

use crate::cli::exit::Failure;
use crate::generator::auction::Auctions;
use crate::generator::spec::{Span, SpanError, parse_scaled};
use crate::generator::stream::{Window, WindowEnd};
use crate::generator::timestamp::{LIMIT_MS, TimeError, parse_time_ms};
use crate::player::pace::{Pace, wall_clock_us};

/// A window, as asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Window (which auctions; all that follows from them belongs to it)")]
pub(crate) struct WindowArgs {
    /// First arrival: an RFC 3339 time or a date, now, now-7d, epoch, epoch+1h [default: now in real time into Kafka, else epoch]
    #[arg(long, env = "MDG_FROM", value_name = "TIME")]
    from: Option<Point>,
    /// End: auctions that arrive before this time, told as --from tells it
    #[arg(long, env = "MDG_TO", value_name = "TIME", group = "end")]
    to: Option<Point>,
    /// End: after so many auctions, such as 500, 10k, 1.5M
    #[arg(short = 'n', long, env = "MDG_COUNT", value_name = "AUCTIONS", group = "end", value_parser = auctions)]
    count: Option<u64>,
    /// End: after so much virtual time, such as 90s, 15m, 24h
    #[arg(long, env = "MDG_DURATION", value_name = "SPAN", group = "end", allow_hyphen_values = true)]
    duration: Option<Span>,
}

impl WindowArgs {
    /// Whether an end was given.
    pub(crate) fn is_bounded(&self) -> bool {
        self.to.is_some() || self.count.is_some() || self.duration.is_some()
    }

    /// Whether a start was given.
    pub(crate) fn has_start(&self) -> bool {
        self.from.is_some()
    }

    /// The window that logs are to hold; `None` if nothing is said of it. With an end alone it starts at the epoch.
    pub(crate) fn demanded(&self, auctions: &Auctions) -> Result<Option<Window>, Failure> {
        for (option, point) in [("--from", self.from), ("--to", self.to)] {
            if matches!(point, Some(Point::Now(_))) {
                return Err(Failure::Usage(format!(
                    "{option} now is a time that nobody knows afterwards: give the time that the run said, or omit {option}"
                )));
            }
        }
        if self.from.is_none() && !self.is_bounded() {
            return Ok(None);
        }
        self.resolve(auctions, Pace::Fast, WindowEnd::Never).map(Some)
    }

    /// How far from now the window starts, if the wall clock says where, in milliseconds.
    pub(crate) fn ahead_of_now_ms(&self, pace: Pace) -> Option<i64> {
        match self.from(pace) {
            Point::Now(ahead_ms) => Some(ahead_ms),
            Point::Epoch(_) | Point::Time(_) => None,
        }
    }

    /// Without a start, a live window begins now and any other at the epoch.
    fn from(&self, pace: Pace) -> Point {
        self.from.unwrap_or(if pace == Pace::Live { Point::Now(0) } else { Point::Epoch(0) })
    }

    /// The window in the stream, with `otherwise` as its end where none was given.
    pub(crate) fn resolve(&self, auctions: &Auctions, pace: Pace, otherwise: WindowEnd) -> Result<Window, Failure> {
        Ok(Window::resolve(auctions, self.from(pace).ms(auctions), self.end(auctions, otherwise))?)
    }

    /// The end that was given, or `otherwise`.
    pub(crate) fn end(&self, auctions: &Auctions, otherwise: WindowEnd) -> WindowEnd {
        match (self.to, self.count, self.duration) {
            (Some(to), _, _) => WindowEnd::ToMs(to.ms(auctions)),
            (_, Some(count), _) => WindowEnd::Count(count),
            (_, _, Some(span)) => WindowEnd::DurationMs(span.ms()),
            (None, None, None) => otherwise,
        }
    }
}

/// Takes a count of auctions.
pub(crate) fn auctions(text: &str) -> Result<u64, String> {
    let count = parse_scaled(text, 0).ok().flatten().filter(|&count| count > 0);
    count.ok_or_else(|| {
        format!(
            "give a whole number from 1 to {}; k, M and G stand for thousands, millions and billions: 10k, 1.5M",
            u64::MAX
        )
    })
}

/// A time, in milliseconds since 1970, from now, or from the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    Time(i64),
    Now(i64),
    Epoch(i64),
}

impl Point {
    fn ms(self, auctions: &Auctions) -> i64 {
        match self {
            Self::Time(ms) => ms,
            Self::Now(ahead_ms) => (wall_clock_us() / 1_000).saturating_add(ahead_ms),
            Self::Epoch(ahead_ms) => auctions.spec().epoch.ms().saturating_add(ahead_ms),
        }
    }
}

/// A text that is no time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
enum PointError {
    #[error(transparent)]
    Time(#[from] TimeError),
    #[error(transparent)]
    Span(#[from] SpanError),
    #[error("a span from now or from the epoch is told as now-7d, now+1h or epoch+10m")]
    Form,
}

impl FromStr for Point {
    type Err = PointError;

    fn from_str(text: &str) -> Result<Self, PointError> {
        let (rest, point): (_, fn(i64) -> Self) = match (text.strip_prefix("now"), text.strip_prefix("epoch")) {
            (Some(rest), _) => (rest, Self::Now),
            (_, Some(rest)) => (rest, Self::Epoch),
            (None, None) => return Ok(Self::Time(parse_time_ms(text, LIMIT_MS)?)),
        };
        let mut rest = rest.chars();
        let sign = match rest.next() {
            None => return Ok(point(0)),
            Some('+') => 1,
            Some('-') => -1,
            Some(_) => return Err(PointError::Form),
        };
        let span: Span = rest.as_str().parse()?;
        Ok(point(sign * span.ms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_itself_or_from_now_or_from_the_epoch() {
        let cases = [
            ("now", Point::Now(0)),
            ("now-7d", Point::Now(-604_800_000)),
            ("now+1h 30m", Point::Now(5_400_000)),
            ("epoch", Point::Epoch(0)),
            ("epoch+10m", Point::Epoch(600_000)),
            ("2026-01-01", Point::Time(1_767_225_600_000)),
            ("2026-01-01T01:00:00+01:00", Point::Time(1_767_225_600_000)),
        ];
        for (text, point) in cases {
            assert_eq!(text.parse(), Ok(point), "{text}");
        }
        for text in ["now7d", "now-", "now - 7d", "now-7", "now-0s", "Now", "epoch*2", "yesterday", "-7d", "7d", ""] {
            assert!(text.parse::<Point>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_may_be_in_thousands_millions_or_billions() {
        for (text, count) in [("1", 1), ("10k", 10_000), ("1.5M", 1_500_000), ("2G", 2_000_000_000), ("10K", 10_000)] {
            assert_eq!(auctions(text), Ok(count), "{text}");
        }
        for text in ["0", "0k", "10m", "1.5", "0.0001k", "10ki", "10,000", "10_000", "k", "", "-1", "99999999999999G"] {
            assert!(auctions(text).is_err(), "{text}");
        }
    }
}
