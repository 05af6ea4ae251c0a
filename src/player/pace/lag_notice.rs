//! When a run that fell behind its timeline is told of, and when it has caught up: the decision, which knows no clock.

use std::time::Duration;

/// A run whose records are later than this has fallen behind.
const BEHIND: Duration = Duration::from_secs(1);
/// It has caught up when a record is at most this late.
const CAUGHT_UP: Duration = Duration::from_millis(100);

/// How far a run is behind its timeline. It begins behind: looking at the brokers took a moment, or it begins with a backfill.
#[derive(Debug, Default)]
pub(super) enum Backlog {
    #[default]
    Beginning,
    None,
    Some(Overdue),
}

/// Records that were released while the run was behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overdue {
    /// How many.
    pub(super) records: u64,
    /// How late the latest of them was.
    pub(super) worst: Duration,
}

/// What is worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// The run has fallen behind, by this much.
    Behind(Duration),
    /// It has caught up.
    CaughtUp(Overdue),
}

impl Backlog {
    /// A record is released, and is this late.
    pub(super) fn released(&mut self, late: Duration) -> Option<Notice> {
        match self {
            Self::Beginning if late <= CAUGHT_UP => *self = Self::None,
            Self::None if late > BEHIND => {
                *self = Self::Some(Overdue { records: 1, worst: late });
                return Some(Notice::Behind(late));
            }
            Self::Some(overdue) if late <= CAUGHT_UP => {
                let notice = Notice::CaughtUp(*overdue);
                *self = Self::None;
                return Some(notice);
            }
            Self::Some(overdue) => {
                overdue.records += 1;
                overdue.worst = overdue.worst.max(late);
            }
            Self::Beginning | Self::None => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falling_behind_and_catching_up_are_told_once_each() {
        let mut backlog = Backlog::default();
        let mut released = |ms| backlog.released(Duration::from_millis(ms));
        assert_eq!([0, 99, 1_000].map(&mut released), [None; 3]);
        assert_eq!(released(9_000), Some(Notice::Behind(Duration::from_secs(9))));
        assert_eq!([9_500, 1_001, 999, 101].map(&mut released), [None; 4]);
        let overdue = Overdue { records: 5, worst: Duration::from_millis(9_500) };
        assert_eq!(released(100), Some(Notice::CaughtUp(overdue)));
        assert_eq!(released(0), None);
        assert_eq!(released(1_001), Some(Notice::Behind(Duration::from_millis(1_001))));
    }

    #[test]
    fn a_run_that_begins_with_overdue_records_has_not_fallen_behind() {
        let mut backlog = Backlog::default();
        let mut released = |ms| backlog.released(Duration::from_millis(ms));
        assert_eq!([3_600_000, 1_800_000, 2_000, 100].map(&mut released), [None; 4]);
        assert_eq!(released(2_000), Some(Notice::Behind(Duration::from_secs(2))));
    }
}
