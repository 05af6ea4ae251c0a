//! The plan of an auction: the few draws that decide when and whether its records exist.

use crate::clock::Clock;
use crate::draw::Words;
use crate::spec::{Stage, StreamSpec};

/// Word positions of the plan in the funnel lane; 13–15 are reserved. Part of the stream law.
mod word {
    pub(super) const JITTER: usize = 0;
    pub(super) const RESPONSE: usize = 1; // and 2
    pub(super) const WIN: usize = 3; // and 4
    pub(super) const CLICK: usize = 5; // and 6
    pub(super) const RECEIVED_DELAY: usize = 7;
    pub(super) const RESPONSE_DELAY: usize = 8;
    pub(super) const IMPRESSION_DELAY: usize = 9;
    pub(super) const CLICK_DELAY: usize = 10;
    pub(super) const USER: usize = 11; // and 12
}

/// Delays in milliseconds, both ends included, each value equally likely.
const RECEIVED_DELAY_MS: (u32, u32) = (1, 50);
/// The response comes after the request was received, 5 ms after the request at the earliest. `tmax` is at least 100, and
/// `tmax - 5` is above 80: it never shortens this range, so times depend on the plan alone.
const RESPONSE_DELAY_MS: (u32, u32) = (5, 80);
/// From the request; above the response's.
const IMPRESSION_DELAY_MS: (u32, u32) = (100, 500);
/// From the impression.
const CLICK_DELAY_MS: (u32, u32) = (1_000, 10_000);

/// The largest lag without faults, in milliseconds: a click's.
pub const LAG_MS_MAX: i64 = (IMPRESSION_DELAY_MS.1 + CLICK_DELAY_MS.1) as i64;

/// The least and the largest lag of a stage without faults, in milliseconds: its event time minus its request's.
#[must_use]
pub fn lag_ms(stage: Stage) -> (i64, i64) {
    let (min, max) = match stage {
        Stage::Request => (0, 0),
        Stage::Response => RESPONSE_DELAY_MS,
        Stage::Impression => IMPRESSION_DELAY_MS,
        Stage::Click => (IMPRESSION_DELAY_MS.0 + CLICK_DELAY_MS.0, IMPRESSION_DELAY_MS.1 + CLICK_DELAY_MS.1),
    };
    (i64::from(min), i64::from(max))
}

/// When and whether the records of an auction exist. Times are event times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Its position in the stream.
    pub ordinal: u64,
    /// The member of the user pool that it is about.
    pub user: u64,
    /// Arrival in microseconds since 1970.
    pub arrival_us: i64,
    /// The request's time: the arrival, floored.
    pub request_ms: i64,
    /// When the request was received: 1 to 50 ms later.
    pub received_ms: i64,
    /// The response's time, if there is one: 5 to 80 ms after the request and after it was received.
    pub response_ms: Option<i64>,
    /// The impression's time, if the bid won: 100 to 500 ms after the request.
    pub impression_ms: Option<i64>,
    /// The click's time, if it was clicked: 1 to 10 s after the impression.
    pub click_ms: Option<i64>,
}

/// The stages' thresholds: a stage happens if its 64-bit draw lies below.
#[derive(Debug, Clone)]
pub(super) struct Odds {
    response: u128,
    win: u128,
    click: u128,
    users: u64,
}

impl Odds {
    pub(super) fn new(spec: &StreamSpec) -> Self {
        Self {
            response: spec.bid_response_rate.threshold(),
            win: spec.win_rate.threshold(),
            click: spec.click_rate.threshold(),
            users: spec.users.count(),
        }
    }
}

impl Plan {
    pub(super) fn draw(ordinal: u64, words: &Words, clock: &Clock, odds: &Odds) -> Self {
        let happens = |position: usize, threshold: u128| u128::from(words.long(position)) < threshold;
        let delay = |position: usize, (min, max): (u32, u32)| words.between(position, min, max);

        let arrival_us = clock.arrival_us(ordinal, words.word(word::JITTER));
        let request_ms = arrival_us.div_euclid(1_000);
        let received = delay(word::RECEIVED_DELAY, RECEIVED_DELAY_MS);
        let (response_min, response_max) = RESPONSE_DELAY_MS;
        let response = delay(word::RESPONSE_DELAY, (response_min.max(received + 1), response_max));
        let impression_ms = request_ms + i64::from(delay(word::IMPRESSION_DELAY, IMPRESSION_DELAY_MS));
        let click_ms = impression_ms + i64::from(delay(word::CLICK_DELAY, CLICK_DELAY_MS));

        let responds = happens(word::RESPONSE, odds.response);
        let wins = responds && happens(word::WIN, odds.win);
        let clicks = wins && happens(word::CLICK, odds.click);
        Self {
            ordinal,
            user: words.below_long(word::USER, odds.users),
            arrival_us,
            request_ms,
            received_ms: request_ms + i64::from(received),
            response_ms: responds.then_some(request_ms + i64::from(response)),
            impression_ms: wins.then_some(impression_ms),
            click_ms: clicks.then_some(click_ms),
        }
    }

    /// The event time of a stage in milliseconds since 1970, if the stage happens.
    #[must_use]
    pub fn event_ms(&self, stage: Stage) -> Option<i64> {
        match stage {
            Stage::Request => Some(self.request_ms),
            Stage::Response => self.response_ms,
            Stage::Impression => self.impression_ms,
            Stage::Click => self.click_ms,
        }
    }
}
