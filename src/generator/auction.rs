//! One auction and all that follows from it, as a pure function of the spec and an ordinal.
//!
//! [`Auctions`] is a spec made ready: keys derived, tables built. [`Auctions::plan`] decides when and whether the records of
//! an auction exist, [`Auctions::at`] decides everything. Both cost the same at ordinal 10^12 as at 0.
#![expect(
    clippy::inline_always,
    reason = "a record of each stage is built by code of its own, in which the stage is a constant"
)]

mod faults;
mod lanes;
mod plan;
mod price;
mod site;
mod user;

use self::faults::fault_lanes;
pub use self::faults::{CopyKind, PlannedFaults, StageFaults};
pub use self::lanes::FUNNEL_LANE;
use self::lanes::{BOUNDARY_LANE, HOT_USER_LANE, INVALID_LANE, LATE_LANE, MALFORMED_LANE, TOMBSTONES_LANE};
pub use self::plan::Plan;
pub use self::site::Site;
pub use self::user::User;
use crate::generator::catalog::bidders::{
    CREATIVES_PER_SEAT, DEAL_PERCENT, DEALS, FIRST_PRICE_PERCENT, POSITIONS, SEATS, Seat, TMAX_MS,
};
use crate::generator::catalog::devices::{DEVICES, SIZES, Size};
use crate::generator::catalog::prices::FLOOR_MIN_CENTS;
use crate::generator::catalog::sites::ARTICLES;
use crate::generator::clock::Clock;
use crate::generator::ids::Ids;
use crate::generator::money::Money;
use crate::generator::random::{Alias, BLOCK, ColumnWords, Lanes, Words};
use crate::generator::simd::{Column, WIDTH};
use crate::generator::spec::{Rate, Stage, StreamSpec};

/// Word positions of the values in the funnel lane; words 0–15 are the plan's. Part of the stream law: a new draw takes new
/// words. Each comment names the words taken where they are two.
mod word {
    pub(super) const SIZE: usize = 16; // and 17
    pub(super) const SITE: usize = 18; // and 19
    pub(super) const ARTICLE: usize = 20;
    pub(super) const POSITION: usize = 21; // and 22
    pub(super) const AUCTION_TYPE: usize = 23;
    pub(super) const TMAX: usize = 24;
    pub(super) const DEAL_OFFERED: usize = 25;
    pub(super) const DEAL: usize = 26;
    pub(super) const FLOOR: usize = 27;
    pub(super) const SEAT: usize = 28; // and 29
    pub(super) const CREATIVE: usize = 30;
    pub(super) const PRICE: usize = 31;
    pub(super) const SECOND_BID: usize = 32;
}

/// Lanes from that of late records to that of tombstones.
const FAULT_LANES: usize = (TOMBSTONES_LANE - LATE_LANE + 1) as usize;

/// All auctions of a stream, addressed by ordinal.
///
/// ```
/// use mock_data_gen::generator::auction::Auctions;
/// use mock_data_gen::generator::spec::StreamSpec;
///
/// let auctions = Auctions::new(&StreamSpec::default());
/// assert_eq!(auctions.at(1_000_000_000_000).plan, auctions.plan(1_000_000_000_000));
/// ```
#[derive(Debug, Clone)]
pub struct Auctions {
    spec: StreamSpec,
    clock: Clock,
    ids: Ids,
    lanes: Lanes,
    odds: plan::Odds,
    users: user::Pool,
    sites: site::Pool,
    sizes: [Alias; DEVICES.len()],
    positions: Alias,
    seats: Alias,
    /// Whether no fault is planned: then nothing of them is drawn.
    is_plain: bool,
}

/// One auction, whole: what its documents hold, apart from ids, which follow from the ordinal ([`Ids`]).
#[derive(Debug, Clone)]
pub struct Auction<'a> {
    /// When and whether its records exist.
    pub plan: Plan,
    /// The page's site.
    pub site: &'a Site,
    /// The article on that site: 1 to 100,000.
    pub article: u32,
    /// The offered banner.
    pub size: &'static Size,
    /// `banner.pos`.
    pub position: u8,
    /// `imp.bidfloor`: 0.01 to 5.00.
    pub floor: Money,
    /// `at`: 1 first price, 2 second price.
    pub auction_type: u8,
    /// `tmax`, in milliseconds.
    pub tmax_ms: u16,
    /// The number of the deal that is offered, 1 to 19.
    pub deal: Option<u8>,
    /// The bid, if there is a response.
    pub bid: Option<Bid>,
    users: &'a user::Pool,
}

impl<'a> Auction<'a> {
    /// Who saw the page. Only requests hold it, so it is drawn when it is asked for.
    #[must_use]
    pub fn user(&self) -> User<'a> {
        self.users.user(self.plan.user)
    }

    /// The same auction told otherwise, for a conflicting duplicate: the next article of the site, the next creative of the seat, a
    /// cent more. So each of its documents differs.
    #[must_use]
    pub fn told_otherwise(mut self) -> Self {
        let more = |money: Money| Money::from_cents(money.cents() + 1);
        self.article = 1 + self.article % ARTICLES;
        if let Some(bid) = &mut self.bid {
            let number = bid.creative % 100;
            bid.creative = bid.creative - number + (number + 1) % CREATIVES_PER_SEAT;
            (bid.price, bid.win_price) = (more(bid.price), more(bid.win_price));
        }
        self
    }
}

/// The one bid of a response.
#[derive(Debug, Clone)]
pub struct Bid {
    /// Who bids.
    pub seat: &'static Seat,
    /// The number of its creative and advertiser: 1000 to 1419.
    pub creative: u16,
    /// What it offers: at least the floor.
    pub price: Money,
    /// What it pays if it wins: the price, or at second price at least the floor and at most the price.
    pub win_price: Money,
}

impl Auctions {
    /// Makes a spec ready. Takes well under a millisecond.
    #[must_use]
    pub fn new(spec: &StreamSpec) -> Self {
        Self {
            clock: Clock::new(spec),
            ids: Ids::new(spec.seed),
            lanes: Lanes::new("auction", spec.seed),
            odds: plan::Odds::new(spec),
            users: user::Pool::new(spec.seed),
            sites: site::Pool::new(spec.seed),
            sizes: std::array::from_fn(|device| Alias::new(&DEVICES[device].size_percent)),
            positions: Alias::new(&POSITIONS.map(|(_, weight)| weight)),
            seats: Alias::new(&SEATS.map(|seat| seat.weight)),
            is_plain: spec.faults.texts().is_empty(),
            spec: spec.clone(),
        }
    }

    /// The spec.
    #[must_use]
    pub fn spec(&self) -> &StreamSpec {
        &self.spec
    }

    /// The virtual clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The ids of the stream's seed.
    #[must_use]
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// When and whether the records of auction `ordinal` exist. The ordinal lies below [`Clock::auctions`].
    #[must_use]
    pub fn plan(&self, ordinal: u64) -> Plan {
        self.plan_of_words(ordinal, &self.lanes.lane(ordinal, FUNNEL_LANE))
    }

    /// Auction `ordinal`, whole. The ordinal lies below [`Clock::auctions`].
    #[must_use]
    pub fn at(&self, ordinal: u64) -> Auction<'_> {
        let words = self.lanes.lane(ordinal, FUNNEL_LANE);
        self.of_plan(&self.plan_of_words(ordinal, &words), &words, None)
    }

    /// The plan of auction `ordinal`, whose words these are.
    fn plan_of_words(&self, ordinal: u64, words: &impl Words) -> Plan {
        let mut plan = Plan::draw(ordinal, words, &self.clock, &self.odds);
        if !self.is_plain {
            self.meet_faults(&mut plan);
        }
        plan
    }

    /// What faults change of a plan. Kept apart, so that streams without faults do not pay for it.
    #[inline(never)]
    fn meet_faults(&self, plan: &mut Plan) {
        let faults = &self.spec.faults;
        if faults.boundary.share() != Rate::NEVER {
            plan.move_to_bounds(faults.boundary, &self.lanes.lane(plan.ordinal, BOUNDARY_LANE));
        }
        if faults.hot_user != Rate::NEVER {
            plan.heat(faults.hot_user, &self.lanes.lane(plan.ordinal, HOT_USER_LANE));
        }
    }

    /// The auction of a plan, whose words these are. Of a stage, what its document does not hold is not drawn, and is the first of its
    /// kind instead.
    #[inline(always)]
    pub(crate) fn of_plan(&self, plan: &Plan, words: &impl Words, stage: Option<Stage>) -> Auction<'_> {
        let is_for = |stages: &[Stage]| stage.is_none_or(|stage| stages.contains(&stage));
        let has_site = is_for(&[Stage::Request]);
        let has_price = is_for(&[Stage::Response, Stage::Impression]);
        let has_bid = plan.response_ms.is_some() && is_for(&[Stage::Response, Stage::Impression, Stage::Click]);
        let traits = self.users.traits(plan.user);
        let size_row = if has_site || has_price { self.sizes[traits.device_row].pick(words, word::SIZE) } else { 0 };
        let size = &SIZES[size_row];
        let has_deal = has_price && words.percent(word::DEAL_OFFERED, DEAL_PERCENT);
        let deal = has_deal.then(|| 1 + words.uniform_below(word::DEAL, DEALS) as u8);
        let floor_cents = if has_site || has_price { price::floor_cents(words, word::FLOOR) } else { FLOOR_MIN_CENTS };
        let auction_type = if words.percent(word::AUCTION_TYPE, FIRST_PRICE_PERCENT) { 1 } else { 2 };
        let mut price_cents = floor_cents;
        if has_bid && has_price {
            price_cents = price::bid_cents(words, word::PRICE, floor_cents, size, traits.country(), has_deal);
        }
        let mut win_cents = price_cents;
        if has_bid && auction_type == 2 && is_for(&[Stage::Impression]) {
            win_cents = price::second_price_cents(words, word::SECOND_BID, floor_cents, price_cents);
        }
        Auction {
            site: if has_site { self.sites.pick(words, word::SITE) } else { &self.sites.sites()[0] },
            article: 1 + words.uniform_below(word::ARTICLE, ARTICLES),
            size,
            position: POSITIONS[if has_site { self.positions.pick(words, word::POSITION) } else { 0 }].0,
            floor: Money::from_cents(floor_cents),
            auction_type,
            tmax_ms: TMAX_MS[words.uniform_below(word::TMAX, TMAX_MS.len() as u32) as usize],
            deal,
            bid: has_bid.then(|| self.bid(words, price_cents, win_cents)),
            plan: *plan,
            users: &self.users,
        }
    }

    /// Block `block` of the funnel lanes of these auctions, in columns.
    pub(crate) fn draw_block(&self, ordinals: &[u64; WIDTH], block: u32) -> [Column; BLOCK] {
        self.lanes.lane_block(ordinals, FUNNEL_LANE, block)
    }

    /// The words of these members of the user pool, in columns.
    pub(crate) fn draw_users(&self, members: &[u64; WIDTH]) -> [Column; BLOCK] {
        self.users.words(members)
    }

    /// The plans of these auctions: as [`Auctions::plan`] of each.
    pub(crate) fn plans_of(&self, ordinals: &[u64; WIDTH]) -> [Plan; WIDTH] {
        let columns = &self.draw_block(ordinals, 0);
        let mut plans =
            std::array::from_fn(|at| Plan::draw(ordinals[at], &ColumnWords { columns, at }, &self.clock, &self.odds));
        if !self.is_plain {
            self.meet_faults_in_columns(ordinals, &mut plans);
        }
        plans
    }

    #[inline(never)]
    fn meet_faults_in_columns(&self, ordinals: &[u64; WIDTH], plans: &mut [Plan; WIDTH]) {
        let faults = &self.spec.faults;
        if faults.boundary.share() != Rate::NEVER {
            let columns = &self.lanes.lane_block(ordinals, BOUNDARY_LANE, 0);
            for (at, plan) in plans.iter_mut().enumerate() {
                plan.move_to_bounds(faults.boundary, &ColumnWords { columns, at });
            }
        }
        if faults.hot_user != Rate::NEVER {
            let columns = &self.lanes.lane_block(ordinals, HOT_USER_LANE, 0);
            for (at, plan) in plans.iter_mut().enumerate() {
                plan.heat(faults.hot_user, &ColumnWords { columns, at });
            }
        }
    }

    /// What planned faults do with the records of these auctions; `None` if no fault is planned.
    pub(crate) fn planned_faults_of(&self, ordinals: &[u64; WIDTH]) -> Option<[PlannedFaults; WIDTH]> {
        if self.is_plain {
            return None;
        }
        let mut lanes = [[[0; WIDTH]; BLOCK]; FAULT_LANES];
        for (lane, share) in fault_lanes(&self.spec.faults) {
            if share != Rate::NEVER {
                lanes[(lane - LATE_LANE) as usize] = self.lanes.lane_block(ordinals, lane, 0);
            }
        }
        let words = |lane: u64, at| ColumnWords { columns: &lanes[(lane - LATE_LANE) as usize], at };
        Some(std::array::from_fn(|at| PlannedFaults::draw(&self.spec, |lane| words(lane, at))))
    }

    /// All sites.
    #[must_use]
    pub fn sites(&self) -> &[Site] {
        self.sites.sites()
    }

    /// All user agents.
    #[must_use]
    pub fn user_agents(&self) -> &[String] {
        self.users.user_agents()
    }

    /// Member `k` of the user pool, whose words these are.
    pub(crate) fn user_of_words(&self, k: u64, words: &impl Words) -> User<'_> {
        self.users.user_of_words(k, words)
    }

    /// Member `k` of the user pool, `k` below the spec's number of users.
    #[must_use]
    pub fn user(&self, k: u64) -> User<'_> {
        self.users.user(k)
    }

    /// The least ordinal that arrives at or after a time in milliseconds since 1970; the number of auctions if none does.
    #[must_use]
    pub fn first_from_ms(&self, time_ms: i64) -> u64 {
        let from_us = time_ms.saturating_mul(1_000);
        match self.clock.ordinal_at_us(from_us) {
            None => 0,
            Some(ordinal) if ordinal >= self.clock.auctions() => self.clock.auctions(),
            Some(ordinal) => ordinal + u64::from(self.plan(ordinal).arrival_us < from_us),
        }
    }

    /// Whether no fault is planned.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// What planned faults do with the records of an auction, whether its stages happen or not.
    #[must_use]
    pub fn planned_faults(&self, plan: &Plan) -> PlannedFaults {
        self.planned_faults_if_any(plan).unwrap_or_default()
    }

    /// As [`Auctions::planned_faults`]; `None` if no fault is planned.
    pub(crate) fn planned_faults_if_any(&self, plan: &Plan) -> Option<PlannedFaults> {
        (!self.is_plain).then(|| PlannedFaults::draw(&self.spec, |lane| self.lanes.lane(plan.ordinal, lane)))
    }

    /// Which of several ways a fault damages a value: a word of the fault's lane.
    pub(crate) fn damage_word(&self, kind: CopyKind, stage: Stage, ordinal: u64) -> u32 {
        let lane = if kind == CopyKind::Malformed { MALFORMED_LANE } else { INVALID_LANE };
        self.lanes.lane(ordinal, lane).word(4 * stage.index() + 3)
    }

    /// Whether an auction's request is emitted once, at its event time, with nothing beside it and nobody hot: what a window from now
    /// can be told by afterwards.
    #[must_use]
    pub fn has_plain_request(&self, plan: &Plan) -> bool {
        let faults = self.planned_faults(plan);
        let of_request = faults.of(Stage::Request);
        let is_held = of_request.held_until_ms(plan.request_ms).is_some();
        of_request.are_none_but_idle() && !is_held && !plan.is_hot
    }

    /// The least ordinal from `from` on whose request is plain, and the first of its millisecond, so that a time names it; `None` if none of the
    /// next `within` is.
    #[must_use]
    pub fn first_plain_request(&self, from: u64, within: u64) -> Option<u64> {
        let end = from.saturating_add(within).min(self.clock.auctions());
        (from..end).find(|&ordinal| {
            let plan = self.plan(ordinal);
            self.has_plain_request(&plan) && self.first_from_ms(plan.request_ms) == ordinal
        })
    }

    fn bid(&self, words: &impl Words, price_cents: u64, win_cents: u64) -> Bid {
        let seat = self.seats.pick(words, word::SEAT);
        let creative = words.uniform_below(word::CREATIVE, u32::from(CREATIVES_PER_SEAT)) as u16;
        Bid {
            seat: &SEATS[seat],
            creative: 1000 + 100 * seat as u16 + creative,
            price: Money::from_cents(price_cents),
            win_price: Money::from_cents(win_cents),
        }
    }
}
