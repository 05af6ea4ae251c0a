//! The positions that a partition's tail should have, and where in them it can begin.

use super::tail::Tail;
use crate::generator::stream::Position;

/// Positions of one partition, in order. Where planned faults repeat records, a tail can begin at more than one of them; comparing its
/// records leaves one.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    pub(super) positions: Vec<Position>,
    begins: Vec<usize>,
}

impl Sequence {
    /// Where a tail can begin.
    pub(super) fn begin(&mut self, tail: &Tail) {
        let places = (0..).zip(&self.positions).filter(|(_, position)| tail.firsts.contains(position));
        self.begins = places.map(|(begin, _)| begin).collect();
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

    /// The last of so many records, and others that it can be, if nothing tells which.
    pub(super) fn lasts(&self, length: usize) -> Vec<Position> {
        let at = |begin: &usize| self.positions.get((begin + length).checked_sub(1)?).copied();
        self.begins.iter().filter_map(at).collect()
    }
}
