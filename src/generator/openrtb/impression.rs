//! The impression.

use serde::Serialize;
use uuid::Uuid;

use super::Cents;
use crate::generator::timestamp::Timestamp;

/// The delivered event: the bid won, and the ad was shown.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Impression {
    /// The impression's id.
    pub impression_id: Uuid,
    /// The request's id.
    pub request_id: Uuid,
    /// The response's id.
    pub response_id: Uuid,
    /// The slot: `1`.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["1"])))]
    pub imp_id: &'static str,
    /// The winner's seat.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["seat-alpha", "seat-beta", "seat-gamma", "seat-delta", "seat-epsilon"])))]
    pub bidder_id: &'static str,
    /// What the winner pays, in dollars per thousand: at least the floor, at most its bid.
    pub win_price: Cents,
    /// USD.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["USD"])))]
    pub win_currency: &'static str,
    /// The bid's creative.
    pub creative_id: String,
    /// The bid's advertiser.
    pub ad_domain: String,
    /// Event time: RFC 3339, UTC, milliseconds. Also the record's timestamp.
    #[cfg_attr(feature = "cli", schemars(with = "chrono::DateTime<chrono::Utc>"))]
    pub event_timestamp: Timestamp,
}
