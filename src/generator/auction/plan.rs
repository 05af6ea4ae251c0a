//! The plan of an auction: the few draws that decide when and whether its records exist.

use crate::generator::clock::Clock;
use crate::generator::random::Words;
use crate::generator::spec::delays::{CLICK_DELAY_MS, IMPRESSION_DELAY_MS, RECEIVED_DELAY_MS, RESPONSE_DELAY_MS};
use crate::generator::spec::{Boundary, Rate, Stage, StreamSpec};

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

/// The member of the user pool that the hot user is.
const HOT_USER: u64 = 0;

/// When and whether the records of an auction exist. Times are event times in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// Where a planned fault put it: of response, impression and click how far from the join's bound, -1, 0 or 1 ms.
    pub edges: [Option<i8>; 3],
    /// Whether a planned fault gave it to the hot user.
    pub is_hot: bool,
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
    /// As it is without faults.
    pub(super) fn draw(ordinal: u64, words: &impl Words, clock: &Clock, odds: &Odds) -> Self {
        let delay = |position: usize, (min, max): (u32, u32)| words.uniform_between(position, min, max);

        let arrival_us = clock.arrival_us(ordinal, words.word(word::JITTER));
        let request_ms = arrival_us.div_euclid(1_000);
        let received = delay(word::RECEIVED_DELAY, RECEIVED_DELAY_MS);
        let (response_min, response_max) = RESPONSE_DELAY_MS;
        let response = delay(word::RESPONSE_DELAY, (response_min.max(received + 1), response_max));
        let impression_ms = request_ms + i64::from(delay(word::IMPRESSION_DELAY, IMPRESSION_DELAY_MS));
        let click_ms = impression_ms + i64::from(delay(word::CLICK_DELAY, CLICK_DELAY_MS));

        let responds = words.chance(word::RESPONSE, odds.response);
        let wins = responds && words.chance(word::WIN, odds.win);
        let clicks = wins && words.chance(word::CLICK, odds.click);
        Self {
            ordinal,
            user: words.uniform_below_u64(word::USER, odds.users),
            arrival_us,
            request_ms,
            received_ms: request_ms + i64::from(received),
            response_ms: responds.then_some(request_ms + i64::from(response)),
            impression_ms: wins.then_some(impression_ms),
            click_ms: clicks.then_some(click_ms),
            edges: [None; 3],
            is_hot: false,
        }
    }

    /// Moves children onto the edges of their joins' bounds, each with what follows from it.
    pub(super) fn move_to_bounds(&mut self, boundary: Boundary, words: &impl Words) {
        let threshold = boundary.share().threshold();
        let edge =
            |stage: usize| words.chance(4 * stage, threshold).then(|| words.uniform_below(4 * stage + 2, 3) as i8 - 1);
        self.edges = [edge(1), edge(2), edge(3)];
        let mut parent_ms = self.request_ms;
        let mut moved_ms = 0;
        let children = [&mut self.response_ms, &mut self.impression_ms, &mut self.click_ms];
        for ((child, edge), bound) in children.into_iter().zip(self.edges).zip(boundary.bounds()) {
            let Some(natural_ms) = *child else { break };
            let ms = edge.map_or(natural_ms + moved_ms, |edge| parent_ms + bound.ms() + i64::from(edge));
            moved_ms = ms - natural_ms;
            parent_ms = ms;
            *child = Some(ms);
        }
    }

    /// Gives it to the hot user, if the words say so.
    pub(super) fn heat(&mut self, share: Rate, words: &impl Words) {
        self.is_hot = words.chance(0, share.threshold());
        if self.is_hot {
            self.user = HOT_USER;
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
