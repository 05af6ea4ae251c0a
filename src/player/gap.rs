//! How large a gap a run fills at full speed, between what the topics hold and now.

use super::pace::Pace;
use super::run_plan::RunPlan;
use crate::generator::spec::Span;

/// A gap that a live run fills without being asked, where the window starts now.
const CATCH_UP_MS: i64 = 24 * 3_600_000;

/// A gap that is too large to be filled unasked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When the first record after what is there is due, in milliseconds since 1970.
    pub from_ms: i64,
    /// The wall clock, likewise.
    pub now_ms: i64,
    /// The largest gap that is filled, in milliseconds.
    pub limit_ms: i64,
}

impl Gap {
    /// A gap that is larger than is to be filled: as given, or the default where the window starts now.
    pub(super) fn too_large(from_ms: i64, now_ms: i64, catch_up: Option<Span>, plan: &RunPlan) -> Option<Self> {
        let starts_now = plan.pace == Pace::Live && plan.now_until.is_some();
        // A start before now has asked for what lies between.
        let unasked = starts_now.then_some(CATCH_UP_MS.saturating_sub(plan.from_now_ms.min(0)));
        let limit_ms = catch_up.map(Span::ms).or(unasked)?;
        (now_ms.saturating_sub(from_ms) > limit_ms).then_some(Self { from_ms, now_ms, limit_ms })
    }
}
