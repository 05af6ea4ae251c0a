//! Which part of the stream a run plays.

use std::str::FromStr;

use clap::Args;

use super::Failure;
use super::options::whole;
use crate::auction::Auctions;
use crate::pace::{Pace, wall_clock_us};
use crate::spec::Span;
use crate::stream::{Window, WindowEnd};
use crate::timestamp::{LIMIT_MS, TimeError, parse_time_ms};

/// A window, as asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Window (which auctions; all that follows from them belongs to it)")]
pub(super) struct WindowArgs {
    /// First arrival: an RFC 3339 time, now, or epoch [default: now in real time, else epoch]
    #[arg(long, env = "MDG_FROM", value_name = "TIME")]
    from: Option<From>,
    /// End: auctions that arrive before this RFC 3339 time
    #[arg(long, env = "MDG_TO", value_name = "TIME", group = "end")]
    to: Option<Time>,
    /// End: after so many auctions
    #[arg(long, env = "MDG_COUNT", value_name = "AUCTIONS", group = "end", value_parser = whole(1..=u64::MAX))]
    count: Option<u64>,
    /// End: after so much virtual time, such as 90s, 15m, 24h
    #[arg(long, env = "MDG_DURATION", value_name = "SPAN", group = "end", allow_hyphen_values = true)]
    duration: Option<Span>,
}

impl WindowArgs {
    /// Whether an end was given.
    pub(super) fn is_bounded(&self) -> bool {
        self.to.is_some() || self.count.is_some() || self.duration.is_some()
    }

    /// The window that logs are to hold; `None` if nothing is said of it. With an end alone it starts at the epoch.
    pub(super) fn demanded(&self, auctions: &Auctions) -> Result<Option<Window>, Failure> {
        if matches!(self.from, Some(From::Now)) {
            return Err(Failure::Usage(
                "--from now is a start that nobody knows afterwards: give the time that the run said, or leave --from away".to_owned(),
            ));
        }
        if self.from.is_none() && !self.is_bounded() {
            return Ok(None);
        }
        self.resolve(auctions, Pace::Fast, WindowEnd::Never).map(Some)
    }

    /// Whether the wall clock says where the window starts.
    pub(super) fn begins_now(&self, pace: Pace) -> bool {
        matches!(self.from(pace), From::Now)
    }

    /// Without a start, a live window begins now and any other at the epoch.
    fn from(&self, pace: Pace) -> From {
        self.from.unwrap_or(if pace == Pace::Live { From::Now } else { From::Epoch })
    }

    /// The window in the stream, with `otherwise` as its end where none was given.
    pub(super) fn resolve(&self, auctions: &Auctions, pace: Pace, otherwise: WindowEnd) -> Result<Window, Failure> {
        let from_ms = match self.from(pace) {
            From::Epoch => auctions.spec().epoch.ms(),
            From::Now => wall_clock_us() / 1_000,
            From::Time(Time(ms)) => ms,
        };
        Ok(Window::resolve(auctions, from_ms, self.end(otherwise))?)
    }

    /// The end that was given, or `otherwise`.
    pub(super) fn end(&self, otherwise: WindowEnd) -> WindowEnd {
        match (self.to, self.count, self.duration) {
            (Some(Time(to_ms)), _, _) => WindowEnd::ToMs(to_ms),
            (_, Some(count), _) => WindowEnd::Count(count),
            (_, _, Some(span)) => WindowEnd::DurationMs(span.ms()),
            (None, None, None) => otherwise,
        }
    }
}

/// Where a window starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum From {
    Epoch,
    Now,
    Time(Time),
}

impl FromStr for From {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        match text {
            "epoch" => Ok(Self::Epoch),
            "now" => Ok(Self::Now),
            time => Ok(Self::Time(time.parse()?)),
        }
    }
}

/// A time in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(i64);

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        Ok(Self(parse_time_ms(text, LIMIT_MS)?))
    }
}
