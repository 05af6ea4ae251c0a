//! The bid response.

use serde::Serialize;
use uuid::Uuid;

use super::Cents;
use crate::generator::timestamp::Timestamp;

/// An OpenRTB 2.6 bid response with one bid of one seat. As in the product document, `id` is the response's own id and the
/// request's stands in `ext.request_id`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct BidResponse {
    /// The response's own id: `response_id` of an impression.
    pub id: Uuid,
    /// The one seat that bids.
    pub seatbid: [SeatBid; 1],
    /// The bidder's own id of the response.
    pub bidid: Uuid,
    /// USD.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["USD"])))]
    pub cur: &'static str,
    /// Extension.
    pub ext: BidResponseExt,
    /// Event time: RFC 3339, UTC, milliseconds. Also the record's timestamp.
    #[cfg_attr(feature = "cli", schemars(with = "chrono::DateTime<chrono::Utc>"))]
    pub event_timestamp: Timestamp,
}

/// A seat's bids.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct SeatBid {
    /// `seat-alpha` to `seat-epsilon`.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["seat-alpha", "seat-beta", "seat-gamma", "seat-delta", "seat-epsilon"])))]
    pub seat: &'static str,
    /// Its one bid.
    pub bid: [Bid; 1],
}

/// The bid.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Bid {
    /// The bid's id.
    pub id: Uuid,
    /// The slot that it is for: `1`.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["1"])))]
    pub impid: &'static str,
    /// Dollars per thousand, at least the floor.
    pub price: Cents,
    /// The ad's id.
    pub adid: Uuid,
    /// The creative: `cr-1000` to `cr-1419`.
    pub crid: String,
    /// The advertiser's domain, one a creative.
    pub adomain: [String; 1],
    /// Width in pixels, as offered.
    pub w: u16,
    /// Height in pixels, as offered.
    pub h: u16,
    /// The deal, if one was offered: `deal-1` to `deal-19`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "cli", schemars(extend("type" = "string")))]
    pub dealid: Option<String>,
}

/// The product document's link from a response to its request.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct BidResponseExt {
    /// The request's id.
    pub request_id: Uuid,
}
