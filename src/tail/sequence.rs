//! The positions that a partition's tail should have, and where in them it can begin.

use super::Tail;
use crate::stream::Position;

/// Positions of one partition, in order. Where planned faults repeat records, a tail can begin at more than one of them; comparing its
/// records leaves one.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    pub(super) positions: Vec<Position>,
    begins: Vec<usize>,
    length: usize,
}

impl Sequence {
    /// Where a tail can begin so that it ends as it does; if it cannot, at its first record, and comparing says what is wrong.
    pub(super) fn begin(&mut self, tail: &Tail) {
        self.length = (tail.end - tail.from).unsigned_abs() as usize;
        let places = (0..).zip(&self.positions).filter(|(_, position)| tail.firsts.contains(position));
        let ends_well = |&begin: &usize| {
            let last = (begin + self.length).checked_sub(1).and_then(|last| self.positions.get(last));
            last.is_some_and(|last| tail.lasts.contains(last))
        };
        let (first, begins): (Vec<usize>, Vec<usize>) = {
            let all: Vec<usize> = places.map(|(begin, _)| begin).collect();
            (all.iter().copied().take(1).collect(), all.into_iter().filter(ends_well).collect())
        };
        self.begins = if begins.is_empty() { first } else { begins };
    }

    /// Keeps the beginnings by which the tail's record `index` is the stream's. If none is left: what was expected, and in what it differs.
    pub(super) fn keep(
        &mut self,
        index: usize,
        mut differing_part: impl FnMut(Position) -> Option<&'static str>,
    ) -> Option<(Option<Position>, &'static str)> {
        let mut why = (None, "value");
        let positions = &self.positions;
        self.begins.retain(|begin| {
            let expected = positions.get(begin + index).copied();
            let part = expected.map_or(Some("value"), &mut differing_part);
            if let (Some(part), None) = (part, why.0) {
                why = (expected, part);
            }
            part.is_none()
        });
        self.begins.is_empty().then_some(why)
    }

    /// The last record, and others that it can be, if nothing tells which.
    pub(super) fn lasts(&self) -> Vec<Position> {
        let at = |begin: &usize| self.positions.get((begin + self.length).checked_sub(1)?).copied();
        self.begins.iter().filter_map(at).collect()
    }
}
