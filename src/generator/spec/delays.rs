//! How long after its request each stage happens: data of the stream law.

use super::{Faults, Rate, Stage};

/// Delays in milliseconds, both ends included, each value equally likely.
pub(in crate::generator) const RECEIVED_DELAY_MS: (u32, u32) = (1, 50);
/// The response comes after the request was received, 5 ms after the request at the earliest. `tmax` is at least 100, and
/// `tmax - 5` is above 80: it never shortens this range, so times depend on the plan alone.
pub(in crate::generator) const RESPONSE_DELAY_MS: (u32, u32) = (5, 80);
/// From the request; above the response's.
pub(in crate::generator) const IMPRESSION_DELAY_MS: (u32, u32) = (100, 500);
/// From the impression.
pub(in crate::generator) const CLICK_DELAY_MS: (u32, u32) = (1_000, 10_000);

/// Of an impression behind its response, where neither was moved.
const IMPRESSION_BEHIND_RESPONSE_MS: (i64, i64) =
    ((IMPRESSION_DELAY_MS.0 - RESPONSE_DELAY_MS.1) as i64, (IMPRESSION_DELAY_MS.1 - RESPONSE_DELAY_MS.0) as i64);

/// The least and the largest lag of a stage's event time behind its request's, in milliseconds.
#[must_use]
pub fn event_lag_ms(faults: &Faults, stage: Stage) -> (i64, i64) {
    let edge = |edge: usize, (min, max): (i64, i64)| {
        let bound = faults.boundary.bounds()[edge].ms();
        if faults.boundary.share() == Rate::NEVER { (min, max) } else { (min.min(bound - 1), max.max(bound + 1)) }
    };
    let wide = |(min, max): (u32, u32)| (i64::from(min), i64::from(max));
    let response = edge(0, wide(RESPONSE_DELAY_MS));
    let natural = wide(IMPRESSION_DELAY_MS);
    let (min, max) = edge(1, IMPRESSION_BEHIND_RESPONSE_MS);
    let impression = match faults.boundary.share() {
        Rate::NEVER => natural,
        _ => (natural.0.min(response.0 + min), natural.1.max(response.1 + max)),
    };
    let click = edge(2, wide(CLICK_DELAY_MS));
    match stage {
        Stage::Request => (0, 0),
        Stage::Response => response,
        Stage::Impression => impression,
        Stage::Click => (impression.0 + click.0, impression.1 + click.1),
    }
}

/// The largest lag of a stage's emit time behind its request's, in milliseconds.
#[must_use]
pub fn emit_lag_ms_max(faults: &Faults, stage: Stage) -> i64 {
    event_lag_ms(faults, stage).1.saturating_add(faults.delay_ms_max(stage))
}
