//! The click.

use serde::Serialize;
use uuid::Uuid;

use crate::generator::timestamp::Timestamp;

/// A click on a delivered ad.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Click {
    /// The click's id.
    pub click_id: Uuid,
    /// The request's id.
    pub request_id: Uuid,
    /// The impression's id.
    pub impression_id: Uuid,
    /// The slot: `1`.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["1"])))]
    pub imp_id: &'static str,
    /// The winner's seat.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["seat-alpha", "seat-beta", "seat-gamma", "seat-delta", "seat-epsilon"])))]
    pub bidder_id: &'static str,
    /// The bid's creative.
    pub creative_id: String,
    /// Where the click leads first, on the advertiser's domain.
    pub click_url: String,
    /// Event time: RFC 3339, UTC, milliseconds. Also the record's timestamp.
    #[cfg_attr(feature = "cli", schemars(with = "chrono::DateTime<chrono::Utc>"))]
    pub event_timestamp: Timestamp,
}
