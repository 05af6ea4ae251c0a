//! Positions that a log has passed over: missing, unless they come later.

use std::collections::BTreeMap;

use crate::generator::stream::Position;

/// Runs of missing records that are remembered a log. Where there are more, the oldest are forgotten: a record of them that comes
/// later is then taken for a doubled one.
const RUNS_MAX: usize = 4_096;

/// Runs of positions, so that a lost million costs as much as a lost one: from a run's first up to, not including, its end.
#[derive(Debug, Default)]
pub(super) struct Missing {
    runs: BTreeMap<Position, Position>,
    /// The first position of the run that may go on.
    open: Option<Position>,
}

impl Missing {
    /// Adds the log's next position. It belongs to the same run as the one before, unless that was ended.
    pub(super) fn add(&mut self, position: Position) {
        let first = *self.open.get_or_insert(position);
        self.runs.insert(first, after(position));
        if self.runs.len() > RUNS_MAX {
            self.runs.pop_first();
        }
    }

    /// A record was found where it belongs: what is missing from here on is another run.
    pub(super) fn end_run(&mut self) {
        self.open = None;
    }

    /// The run that holds a position.
    fn run(&self, position: Position) -> Option<(Position, Position)> {
        let run = self.runs.range(..=position).next_back();
        run.map(|(first, end)| (*first, *end)).filter(|&(_, end)| position < end)
    }

    /// Whether a position is missing.
    pub(super) fn holds(&self, position: Position) -> bool {
        self.run(position).is_some()
    }

    /// Takes a position that turned up after all; false if it was not missing.
    pub(super) fn take(&mut self, position: Position) -> bool {
        let Some((first, end)) = self.run(position) else { return false };
        self.runs.remove(&first);
        if first < position {
            self.runs.insert(first, position);
        }
        if after(position) < end {
            self.runs.insert(after(position), end);
        }
        if self.open == Some(first) {
            self.open = None;
        }
        true
    }
}

/// The position behind one: no record stands between.
fn after(position: Position) -> Position {
    Position { copy: position.copy.saturating_add(1), ..position }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::spec::Stage;

    fn at(emit_ms: i64) -> Position {
        Position { emit_ms, ordinal: emit_ms.unsigned_abs(), stage: Stage::Click, copy: 0 }
    }

    #[test]
    fn a_run_is_one_entry_and_each_of_its_positions_is_taken_once() {
        let mut missing = Missing::default();
        (10..1_000).for_each(|ms| missing.add(at(ms)));
        missing.end_run();
        missing.add(at(2_000));
        assert_eq!(missing.runs.len(), 2);
        assert!(!missing.take(at(9)) && !missing.take(at(1_000)) && !missing.take(at(1_999)));
        for ms in [500, 10, 999, 11, 2_000] {
            assert!(missing.take(at(ms)), "{ms}");
            assert!(!missing.take(at(ms)), "{ms} twice");
        }
        assert!(missing.take(at(12)) && missing.take(at(998)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut missing = Missing::default();
        for ms in 0..10_000 {
            missing.add(at(ms));
            missing.end_run();
        }
        assert_eq!(missing.runs.len(), RUNS_MAX);
        assert!(!missing.take(at(0)) && missing.take(at(9_999)));
    }
}
