//! The lanes of an auction: which random sub-stream decides what.

/// Lanes of an auction. The table is frozen: a number is never used for something else, and a new concern takes a new one.
///
/// | lane | use |
/// |---|---|
/// | 0 | the funnel: words 0–15 the plan, 16–63 the values |
/// | 1–15 | reserved for the funnel, when words are spent |
/// | 16 | late records |
/// | 17 | exact duplicates |
/// | 18 | conflicting duplicates |
/// | 19 | orphans |
/// | 20 | children on the edge of a bound |
/// | 21 | malformed values |
/// | 22 | invalid documents |
/// | 23 | tombstones |
/// | 24 | the hot user |
/// | 25–47 | reserved for planned faults, one each |
/// | 48–63 | unused |
///
/// In a fault's lane stage `s` (0–3) has the words from `4 * s` on: two for the decision, one for a delay, one for what is done.
pub const FUNNEL_LANE: u64 = 0;
/// See [`FUNNEL_LANE`].
pub(super) const LATE_LANE: u64 = 16;
/// See [`FUNNEL_LANE`].
pub(super) const DUPLICATES_LANE: u64 = 17;
/// See [`FUNNEL_LANE`].
pub(super) const CONFLICTS_LANE: u64 = 18;
/// See [`FUNNEL_LANE`].
pub(super) const ORPHANS_LANE: u64 = 19;
/// See [`FUNNEL_LANE`].
pub(super) const BOUNDARY_LANE: u64 = 20;
/// See [`FUNNEL_LANE`].
pub(super) const MALFORMED_LANE: u64 = 21;
/// See [`FUNNEL_LANE`].
pub(super) const INVALID_LANE: u64 = 22;
/// See [`FUNNEL_LANE`].
pub(super) const TOMBSTONES_LANE: u64 = 23;
/// See [`FUNNEL_LANE`].
pub(super) const HOT_USER_LANE: u64 = 24;
