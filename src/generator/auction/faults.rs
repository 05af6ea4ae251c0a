//! What planned faults do with the records of an auction.

use super::lanes::{
    CONFLICTS_LANE, DUPLICATES_LANE, INVALID_LANE, LATE_LANE, MALFORMED_LANE, ORPHANS_LANE, TOMBSTONES_LANE,
};
use crate::generator::random::Words;
use crate::generator::spec::{FaultPlan, Rate, Spread, Stage, StreamSpec};

/// What a record is of its event. Its number is the record's *copy*, the last field of the total order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CopyKind {
    /// The event's own record.
    Event = 0,
    /// The same once more.
    Duplicate = 1,
    /// The same ids and times with another body: the next article, the next creative of the seat, a cent more.
    Conflict = 2,
    /// An extra record whose value is no JSON.
    Malformed = 3,
    /// An extra record whose document violates its schema.
    Invalid = 4,
    /// An extra record without a value.
    Tombstone = 5,
}

impl CopyKind {
    /// All forms.
    pub const ALL: [Self; 6] =
        [Self::Event, Self::Duplicate, Self::Conflict, Self::Malformed, Self::Invalid, Self::Tombstone];

    /// The form of a copy; `None` if there is no such copy.
    #[must_use]
    pub fn of(copy: u32) -> Option<Self> {
        Self::ALL.get(copy as usize).copied()
    }

    /// The number that a record of this form carries.
    #[must_use]
    pub fn copy(self) -> u32 {
        self as u32
    }

    /// Whether it is a well-formed document of the event, which joins see.
    #[must_use]
    pub fn is_event(self) -> bool {
        matches!(self, Self::Event | Self::Duplicate | Self::Conflict)
    }
}

/// The lanes of the faults that this draws, and the share of each.
pub(super) fn fault_lanes(faults: &FaultPlan) -> [(u64, Rate); 7] {
    [
        (LATE_LANE, faults.late.share()),
        (DUPLICATES_LANE, faults.duplicates.share()),
        (CONFLICTS_LANE, faults.conflicts.share()),
        (ORPHANS_LANE, faults.orphans),
        (MALFORMED_LANE, faults.malformed),
        (INVALID_LANE, faults.invalid),
        (TOMBSTONES_LANE, faults.tombstones),
    ]
}

/// What planned faults do with the records of an auction, by stage.
///
/// A record is emitted at its event time and what [`StageFaults::late_ms`] adds. A duplicate and a conflict follow later still. Extra
/// records (malformed, invalid, tombstone) are emitted at the event time, and have ids of kinds of their own. What an idle stage holds
/// back is emitted when it wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlannedFaults {
    stages: [StageFaults; 4],
}

/// What planned faults do with the records of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a planned fault of its own")]
pub struct StageFaults {
    /// How much later than its event time the record is emitted, in milliseconds.
    pub late_ms: i64,
    /// How much later than the record an exact duplicate is emitted, in milliseconds.
    pub duplicate_ms: Option<i64>,
    /// How much later than the record a conflicting one is emitted, in milliseconds.
    pub conflict_ms: Option<i64>,
    /// Whether the record, and with it its duplicates, is never emitted.
    pub is_dropped: bool,
    /// Whether an extra record is there that is no JSON.
    pub malformed: bool,
    /// Whether an extra record is there that violates its schema.
    pub invalid: bool,
    /// Whether an extra record is there that has no value.
    pub tombstone: bool,
    /// The time in which what is due is held until its end, in milliseconds since 1970.
    idle_ms: Option<(i64, i64)>,
}

impl PlannedFaults {
    /// What planned faults do with the records of an auction, whether its stages happen or not. `words` gives those of a lane of the
    /// auction, and is asked for lanes of planned faults alone.
    pub(super) fn draw<W: Words>(spec: &StreamSpec, words: impl Fn(u64) -> W) -> Self {
        let mut drawn = Self::default();
        let faults = &spec.faults;
        let words = |lane: u64, share: Rate| {
            let threshold = share.threshold();
            (threshold > 0).then(|| (words(lane), threshold))
        };
        let spread = |lane: u64, spread: Spread| words(lane, spread.share()).map(|words| (words, spread.ms_max()));
        let late = spread(LATE_LANE, faults.late);
        let duplicates = spread(DUPLICATES_LANE, faults.duplicates);
        let conflicts = spread(CONFLICTS_LANE, faults.conflicts);
        let orphans = words(ORPHANS_LANE, faults.orphans);
        let malformed = words(MALFORMED_LANE, faults.malformed);
        let invalid = words(INVALID_LANE, faults.invalid);
        let tombstones = words(TOMBSTONES_LANE, faults.tombstones);
        for stage in Stage::ALL {
            let at = 4 * stage.index();
            let happens = |words: &Option<(W, u128)>| {
                words.as_ref().is_some_and(|(words, threshold)| words.chance(at, *threshold))
            };
            let delay = |delays: &Option<((W, u128), i64)>, min: u32| {
                let ((words, threshold), ms_max) = delays.as_ref()?;
                words
                    .chance(at, *threshold)
                    .then(|| i64::from(words.uniform_between(at + 2, min, ms_max.unsigned_abs() as u32)))
            };
            drawn.stages[stage.index()] = StageFaults {
                late_ms: delay(&late, 1).unwrap_or(0),
                duplicate_ms: delay(&duplicates, 0),
                conflict_ms: delay(&conflicts, 0),
                // Nothing follows from a click.
                is_dropped: stage != Stage::Click && happens(&orphans),
                malformed: happens(&malformed),
                invalid: happens(&invalid),
                tombstone: happens(&tombstones),
                idle_ms: faults.idle.filter(|idle| idle.stage == stage).map(|idle| idle.interval_ms(spec.epoch)),
            };
        }
        drawn
    }

    /// What they do with the record of a stage.
    #[must_use]
    pub fn of(&self, stage: Stage) -> &StageFaults {
        &self.stages[stage.index()]
    }
}

impl StageFaults {
    /// When a record of a form is emitted that carries this event time, in milliseconds since 1970; `None` if there is none.
    #[must_use]
    pub fn emit_ms(&self, form: CopyKind, event_ms: i64) -> Option<i64> {
        self.due_ms(form, event_ms).map(|due_ms| self.held_until_ms(due_ms).unwrap_or(due_ms))
    }

    /// When it would be emitted were its stage never idle.
    #[must_use]
    pub fn due_ms(&self, form: CopyKind, event_ms: i64) -> Option<i64> {
        let extra = |exists: bool| exists.then_some(event_ms);
        let late_ms = event_ms + self.late_ms;
        match form {
            CopyKind::Malformed => extra(self.malformed),
            CopyKind::Invalid => extra(self.invalid),
            CopyKind::Tombstone => extra(self.tombstone),
            _ if self.is_dropped => None,
            CopyKind::Event => Some(late_ms),
            CopyKind::Duplicate => self.duplicate_ms.map(|ms| late_ms + ms),
            CopyKind::Conflict => self.conflict_ms.map(|ms| late_ms + ms),
        }
    }

    /// When what is due at a time is emitted, if its stage is idle then.
    #[must_use]
    pub fn held_until_ms(&self, due_ms: i64) -> Option<i64> {
        self.idle_ms.filter(|&(begin_ms, end_ms)| (begin_ms..end_ms).contains(&due_ms)).map(|(_, end_ms)| end_ms)
    }
}

impl StageFaults {
    /// Whether they leave the record as it is without them, idleness apart.
    pub(super) fn are_none_but_idle(&self) -> bool {
        Self { idle_ms: None, ..*self } == Self::default()
    }
}
