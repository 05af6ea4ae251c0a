//! The last records of a partition.

use std::collections::BTreeMap;

use crate::generator::spec::Stage;
use crate::generator::stream::Position;

/// A partition that holds records.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// From here on its records are compared.
    pub(super) from: i64,
    /// The offset behind its last record.
    pub(super) end: i64,
    /// What its first record can be, least first.
    pub(super) heads: Vec<Position>,
    /// What the first of those that are compared can be, least first.
    pub(super) firsts: Vec<Position>,
    /// What its last record can be, least first; one, once the others were compared.
    pub(super) lasts: Vec<Position>,
}

impl Tail {
    /// Its first record, or the least of those that it can be: all of them are of the same event.
    pub(super) fn head(&self) -> Position {
        self.heads[0]
    }

    /// Likewise the first of those that are compared.
    pub(super) fn first(&self) -> Position {
        self.firsts[0]
    }

    /// Likewise its last record, the greatest of those.
    pub(super) fn last(&self) -> Position {
        self.lasts[self.lasts.len() - 1]
    }
}

/// Tails by stage and partition.
pub(super) type Tails = BTreeMap<(Stage, u32), Tail>;
