//! The wish that a run ends early.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The wish that a run ends early, set once by a signal and seen by the run and by a sink that waits.
#[derive(Debug, Default)]
pub struct Shutdown(OnceLock<Instant>);

/// What a signal means, given the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The first: the run should end.
    New,
    /// The first one's echo. `timeout`, process managers and terminals signal the process and its group, so it gets two.
    Same,
    /// Somebody will not wait for the end.
    AtOnce,
}

impl Shutdown {
    /// Signals that follow the first one sooner than this voice the same wish.
    pub const SAME_WISH: Duration = Duration::from_secs(1);

    /// How long a sink may go on waiting for acknowledgements after the wish was voiced. The client takes up to a second to
    /// let go of a full queue, and the whole end is to take less than 5 s.
    pub const DRAIN: Duration = Duration::from_millis(3_500);

    /// Requests it.
    pub fn request(&self) -> Wish {
        self.request_at(Instant::now())
    }

    fn request_at(&self, now: Instant) -> Wish {
        match self.0.set(now) {
            Ok(()) => Wish::New,
            Err(_) if self.0.get().is_some_and(|&first| now.duration_since(first) < Self::SAME_WISH) => Wish::Same,
            Err(_) => Wish::AtOnce,
        }
    }

    /// Whether the run should end.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.get().is_some()
    }

    /// Whether the time to drain is over too.
    #[must_use]
    pub fn drain_is_over(&self) -> bool {
        self.0.get().is_some_and(|requested| requested.elapsed() > Self::DRAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_within_a_second_of_the_first_are_the_same_wish() {
        let (stop, first) = (Shutdown::default(), Instant::now());
        assert!(!stop.is_requested());
        let wishes =
            [0, 0, 1, 600, 999, 1_000, 1_001, 60_000].map(|ms| stop.request_at(first + Duration::from_millis(ms)));
        let [new, echoes @ .., a, b, c] = wishes;
        assert_eq!((new, echoes, [a, b, c]), (Wish::New, [Wish::Same; 4], [Wish::AtOnce; 3]));
        assert!(stop.is_requested());
    }
}
