//! Assignments: the partitions of a shard in a window, each from after what it holds already.

use super::{Position, Shard, Window};
use crate::generator::spec::{Layout, Stage};

/// What a run plays of a window: the records of a shard's partitions, each partition's behind the last one that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    window: Window,
    shard: Shard,
    held: [Vec<Option<Position>>; 4],
}

impl From<Window> for Assignment {
    /// All records of a window.
    fn from(window: Window) -> Self {
        Self { window, shard: Shard::WHOLE, held: Default::default() }
    }
}

impl Assignment {
    /// A shard's part of a window. `held` names the last record that each partition holds, by stage; a partition that is not
    /// named holds none.
    #[must_use]
    pub fn new(window: Window, shard: Shard, held: [Vec<Option<Position>>; 4]) -> Self {
        Self { window, shard, held }
    }

    /// The window.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// The shard.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// Whether the record at a position, in a partition, belongs to it.
    pub(super) fn plays(&self, position: Position, partition: u32) -> bool {
        self.shard.owns(partition) && self.held(position.stage, partition) < Some(position)
    }

    /// The last position that a partition holds, or is known to hold everything up to.
    pub(crate) fn held(&self, stage: Stage, partition: u32) -> Option<Position> {
        self.held[stage.index()].get(partition as usize).copied().flatten()
    }

    /// Of each stage the position up to which all its owned partitions hold everything; `None` if one of them holds nothing.
    pub(super) fn least_held(&self, layout: &Layout) -> [Option<Position>; 4] {
        Stage::ALL.map(|stage| {
            let partitions = 0..layout.topic(stage).partitions.count();
            let owned = partitions.filter(|&partition| self.shard.owns(partition));
            owned.map(|partition| self.held(stage, partition)).min().flatten()
        })
    }
}
