//! The bidders and what they show, and the small weighted choices of an auction.

/// A bidder's seat.
#[derive(Debug)]
pub struct Seat {
    /// `seatbid.seat`, and `bidder_id` of impressions and clicks.
    pub name: &'static str,
    /// Share of the bid responses, in percent.
    pub weight: u32,
}

/// The five seats: 35, 25, 18, 13 and 9 %.
pub const SEATS: [Seat; 5] = [
    Seat { name: "seat-alpha", weight: 35 },
    Seat { name: "seat-beta", weight: 25 },
    Seat { name: "seat-gamma", weight: 18 },
    Seat { name: "seat-delta", weight: 13 },
    Seat { name: "seat-epsilon", weight: 9 },
];

/// Creatives of a seat, equally likely. Seat `s` (0-based) owns `cr-1s00` … `cr-1s19`; creative `cr-N` belongs to the
/// advertiser `brand-N.example`.
pub const CREATIVES_PER_SEAT: u16 = 20;

/// Deals are `deal-1` … `deal-19`, equally likely.
pub const DEALS: u32 = 19;

/// Requests that offer a deal, in percent.
pub const DEAL_PERCENT: u32 = 10;

/// Auctions at first price, in percent; the others are at second price.
pub const FIRST_PRICE_PERCENT: u32 = 70;

/// `banner.pos` and its weight in percent: above the fold, below the fold, unknown, header.
pub const POSITIONS: [(u8, u32); 4] = [(1, 45), (3, 35), (0, 15), (4, 5)];

/// `tmax` in milliseconds, equally likely. None is under 100, so that none shortens a response's range of delays.
pub const TMAX_MS: [u16; 5] = [100, 120, 150, 200, 300];
