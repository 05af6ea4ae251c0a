//! The bid request.

use std::net::Ipv4Addr;

use serde::Serialize;
use uuid::Uuid;

use super::{Cents, Degrees};
use crate::generator::timestamp::Timestamp;

/// An OpenRTB 2.6 bid request for one banner on a site, with the event's times.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct BidRequest<'a> {
    /// The request's id: `request_id` of the later stages.
    pub id: Uuid,
    /// The one offered slot.
    pub imp: [Imp; 1],
    /// Where it is offered.
    pub site: Site<'a>,
    /// On what device.
    pub device: Device<'a>,
    /// To whom.
    pub user: User,
    /// Auction type: 1 first price, 2 second price.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [1, 2])))]
    pub at: u8,
    /// How long the exchange waits for bids, in milliseconds: 100, 120, 150, 200 or 300.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [100, 120, 150, 200, 300])))]
    pub tmax: u16,
    /// Allowed currencies: USD.
    pub cur: [&'static str; 1],
    /// Who sent it.
    pub source: Source,
    /// Regulations that apply.
    pub regs: Regs,
    /// Event time: RFC 3339, UTC, milliseconds. Also the record's timestamp.
    #[cfg_attr(feature = "cli", schemars(with = "chrono::DateTime<chrono::Utc>"))]
    pub event_timestamp: Timestamp,
    /// When the exchange received it: 1 to 50 ms later.
    #[cfg_attr(feature = "cli", schemars(with = "chrono::DateTime<chrono::Utc>"))]
    pub received_at: Timestamp,
}

/// The offered slot.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Imp {
    /// Always `1`; `impid` and `imp_id` name it.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["1"])))]
    pub id: &'static str,
    /// The banner.
    pub banner: Banner,
    /// The least price, in dollars per thousand: 0.01 to 5.00.
    pub bidfloor: Cents,
    /// USD.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["USD"])))]
    pub bidfloorcur: &'static str,
    /// HTTPS only: 1.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [1])))]
    pub secure: u8,
}

/// The banner's size and position.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Banner {
    /// Width in pixels.
    pub w: u16,
    /// Height in pixels.
    pub h: u16,
    /// 0 unknown, 1 above the fold, 3 below the fold, 4 header.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [0, 1, 3, 4])))]
    pub pos: u8,
}

/// The website.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Site<'a> {
    /// `site-042`.
    pub id: &'a str,
    /// `news-042.example`.
    pub domain: &'a str,
    /// One to three IAB Content Taxonomy 1.0 codes.
    #[cfg_attr(feature = "cli", schemars(length(min = 1, max = 3)))]
    pub cat: &'a [&'static str],
    /// The article's URL.
    pub page: String,
    /// Whose site it is.
    pub publisher: Publisher<'a>,
}

/// The site's publisher.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Publisher<'a> {
    /// `pub-017`.
    pub id: &'a str,
    /// `Example Publisher 017`.
    pub name: &'a str,
}

/// The user's device.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Device<'a> {
    /// User agent; any parser reads it as `os`.
    pub ua: &'a str,
    /// An IPv4 address of a network reserved for documentation or benchmarks.
    #[cfg_attr(feature = "cli", schemars(with = "Ipv4Addr"))]
    pub ip: Ipv4Addr,
    /// Where it is.
    pub geo: Geo,
    /// 1 mobile or tablet, 2 personal computer, 4 phone.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [1, 2, 4])))]
    pub devicetype: u8,
    /// iOS, Android, Windows or macOS.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["iOS", "Android", "Windows", "macOS"])))]
    pub os: &'static str,
    /// The system's version.
    pub osv: &'static str,
}

/// The device's place.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Geo {
    /// Latitude.
    #[cfg_attr(feature = "cli", schemars(extend("minimum" = -90, "maximum" = 90)))]
    pub lat: Degrees,
    /// Longitude.
    pub lon: Degrees,
    /// ISO 3166-1 alpha-3.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = ["USA", "GBR", "DEU", "CAN", "AUS", "FRA"])))]
    pub country: &'static str,
    /// ISO 3166-2 without the country prefix.
    pub region: &'static str,
}

/// The user.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct User {
    /// The exchange's id of the user; users recur.
    pub id: Uuid,
    /// The buyer's id of the same user.
    pub buyeruid: Uuid,
}

/// The request's origin.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Source {
    /// 1: an upstream source decides the sale.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [1])))]
    pub fd: u8,
    /// Transaction id.
    pub tid: Uuid,
}

/// Regulations.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct Regs {
    /// 1 if COPPA applies.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [0, 1])))]
    pub coppa: u8,
    /// Extension.
    pub ext: RegsExt,
}

/// Where GDPR stood before OpenRTB 2.6, as in the product document.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "cli", schemars(deny_unknown_fields))]
pub struct RegsExt {
    /// 1 if GDPR applies: exactly in GBR, DEU and FRA.
    #[cfg_attr(feature = "cli", schemars(extend("enum" = [0, 1])))]
    pub gdpr: u8,
}
