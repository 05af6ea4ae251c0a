//! Windows: which auctions a run plays.

use crate::generator::auction::Auctions;
use crate::generator::timestamp::{LIMIT_MS, Timestamp};

/// A range of auctions, by ordinal: from the start, up to but not including the end, or without end. Everything that follows
/// from its auctions belongs to it, past the window's end in time too, so every funnel of a bounded window is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    start: u64,
    end: Option<u64>,
}

/// Where a window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowEnd {
    /// It goes on to the end of the stream, in year 9999.
    Never,
    /// Before the first auction that arrives at or after this time, in milliseconds since 1970.
    ToMs(i64),
    /// After so many auctions.
    Count(u64),
    /// After so much virtual time, in milliseconds.
    DurationMs(i64),
}

/// A window that does not exist in the stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The start lies before the stream.
    #[error("the window starts at {}, before the stream's epoch {}", Timestamp(*.from_ms), Timestamp(*.epoch_ms))]
    BeforeEpoch {
        /// The start, in milliseconds since 1970.
        from_ms: i64,
        /// The epoch, likewise.
        epoch_ms: i64,
    },
    /// The end is not behind the start.
    #[error("the window ends at {}, which is not after its start {}", Timestamp(*.to_ms), Timestamp(*.from_ms))]
    Reversed {
        /// The start, in milliseconds since 1970.
        from_ms: i64,
        /// The end, likewise.
        to_ms: i64,
    },
    /// No auctions wanted.
    #[error("the window holds nothing: give at least 1")]
    Empty,
    /// The end lies behind the stream's end.
    #[error(
        "the window reaches beyond the stream, whose last auction, {last}, arrives before {}: from this start it has {left} auctions left",
        Timestamp(LIMIT_MS)
    )]
    BeyondStream {
        /// The last ordinal.
        last: u64,
        /// Auctions from the window's start to the stream's end.
        left: u64,
    },
}

impl Window {
    /// `count` auctions from ordinal `start` on.
    #[must_use]
    pub fn auctions(start: u64, count: u64) -> Self {
        Self { start, end: Some(start.saturating_add(count)) }
    }

    /// All auctions from ordinal `start` on.
    #[must_use]
    pub fn unbounded(start: u64) -> Self {
        Self { start, end: None }
    }

    /// The window of the auctions that arrive from a time on, in milliseconds since 1970, up to an end.
    ///
    /// A window in which no auction arrives is legal, and empty.
    ///
    /// # Errors
    /// If it would begin before the epoch, end at or before its start, or reach beyond the stream's last auction.
    pub fn resolve(auctions: &Auctions, from_ms: i64, end: WindowEnd) -> Result<Self, WindowError> {
        let epoch_ms = auctions.spec().epoch.ms();
        if from_ms < epoch_ms {
            return Err(WindowError::BeforeEpoch { from_ms, epoch_ms });
        }
        let all = auctions.clock().auctions();
        let start = auctions.first_from_ms(from_ms);
        let beyond = WindowError::BeyondStream { last: all - 1, left: all - start };
        if start == all {
            return Err(beyond);
        }
        let end = match end {
            WindowEnd::Never => return Ok(Self::unbounded(start)),
            WindowEnd::Count(0) | WindowEnd::DurationMs(..=0) => return Err(WindowError::Empty),
            WindowEnd::Count(count) => start.checked_add(count).filter(|&end| end <= all).ok_or(beyond)?,
            WindowEnd::ToMs(to_ms) if to_ms <= from_ms => return Err(WindowError::Reversed { from_ms, to_ms }),
            WindowEnd::ToMs(to_ms) => Self::end_at_ms(auctions, Some(to_ms)).ok_or(beyond)?,
            WindowEnd::DurationMs(ms) => Self::end_at_ms(auctions, from_ms.checked_add(ms)).ok_or(beyond)?,
        };
        Ok(Self { start, end: Some(end) })
    }

    /// The window from an auction on, up to an end; a duration counts from that auction's request. So who finds the start in a log
    /// finds the end that the first run had.
    ///
    /// # Errors
    /// If it would end at or before its start, or reach beyond the stream's last auction.
    pub fn from_auction(auctions: &Auctions, start: u64, end: WindowEnd) -> Result<Self, WindowError> {
        let window = Self::resolve(auctions, auctions.plan(start).request_ms.max(auctions.spec().epoch.ms()), end)?;
        let all = auctions.clock().auctions();
        let beyond = WindowError::BeyondStream { last: all - 1, left: all - start };
        let end = match end {
            WindowEnd::Count(count) => Some(start.checked_add(count).filter(|&end| end <= all).ok_or(beyond)?),
            _ => window.end(),
        };
        Ok(Self { start, end })
    }

    /// The first auction that is not in a window that ends at a time; `None` behind the stream's limit.
    fn end_at_ms(auctions: &Auctions, to_ms: Option<i64>) -> Option<u64> {
        to_ms.filter(|&to_ms| to_ms <= LIMIT_MS).map(|to_ms| auctions.first_from_ms(to_ms))
    }

    /// Its first ordinal.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The same window with another first ordinal.
    #[must_use]
    pub fn starting_at(self, start: u64) -> Self {
        Self { start, ..self }
    }

    /// The ordinal behind its last one; `None` if it has no end.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        self.end
    }

    /// How many auctions it has, if it has an end.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::StreamSpec;

    /// Ten auctions a second from 2026-01-01.
    fn resolve(from_ms: i64, end: WindowEnd) -> Result<Window, WindowError> {
        let auctions = Auctions::new(&StreamSpec::default());
        Window::resolve(&auctions, StreamSpec::default().epoch.ms() + from_ms, end)
    }

    #[test]
    fn each_end_means_what_it_says() {
        let epoch_ms = StreamSpec::default().epoch.ms();
        assert_eq!(resolve(0, WindowEnd::Count(7)), Ok(Window::auctions(0, 7)));
        assert_eq!(resolve(1_000, WindowEnd::Count(7)), Ok(Window::auctions(10, 7)));
        assert_eq!(resolve(1_000, WindowEnd::DurationMs(5_000)), Ok(Window::auctions(10, 50)));
        assert_eq!(resolve(1_000, WindowEnd::ToMs(epoch_ms + 6_000)), Ok(Window::auctions(10, 50)));
        assert_eq!(resolve(1_000, WindowEnd::Never), Ok(Window::unbounded(10)));
        // A millisecond in which nothing arrives.
        assert_eq!(resolve(0, WindowEnd::DurationMs(1)), Ok(Window::auctions(0, 0)));
    }

    #[test]
    fn windows_outside_the_stream_are_refused() {
        let epoch_ms = StreamSpec::default().epoch.ms();
        assert!(matches!(resolve(-1, WindowEnd::Never), Err(WindowError::BeforeEpoch { .. })));
        assert!(matches!(resolve(5, WindowEnd::ToMs(epoch_ms + 5)), Err(WindowError::Reversed { .. })));
        assert_eq!(resolve(0, WindowEnd::Count(0)), Err(WindowError::Empty));
        assert_eq!(resolve(0, WindowEnd::DurationMs(0)), Err(WindowError::Empty));
        let all = Auctions::new(&StreamSpec::default()).clock().auctions();
        assert_eq!(resolve(0, WindowEnd::Count(all)), Ok(Window::auctions(0, all)));
        assert!(matches!(resolve(0, WindowEnd::Count(all + 1)), Err(WindowError::BeyondStream { .. })));
        assert!(matches!(resolve(0, WindowEnd::ToMs(LIMIT_MS + 1)), Err(WindowError::BeyondStream { .. })));
        assert!(matches!(resolve(LIMIT_MS - epoch_ms, WindowEnd::Never), Err(WindowError::BeyondStream { .. })));
    }
}
