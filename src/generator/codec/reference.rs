//! The documents by `serde_json`, from the wire shapes: what they are by definition, and a form for people.

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::generator::auction::{Auction, Bid};
use crate::generator::ids::{Ids, Kind};
use crate::generator::openrtb;
use crate::generator::spec::Stage;
use crate::generator::timestamp::Timestamp;

/// The currency of all amounts.
const CURRENCY: &str = "USD";
/// The one slot of a request.
const IMP_ID: &str = "1";

/// Fills the wire shapes from an auction and has `serde_json` print them. [`JsonEncoder`](super::JsonEncoder) equals it byte for byte, and is
/// several times as fast.
#[derive(Debug, Clone)]
pub struct SerdeEncoder {
    ids: Ids,
}

impl SerdeEncoder {
    /// An encoder that names things by these ids.
    #[must_use]
    pub fn new(ids: &Ids) -> Self {
        Self { ids: ids.clone() }
    }

    /// Appends the document of a stage. Returns false, and appends nothing, if the auction does not reach that stage.
    pub fn encode(&self, auction: &Auction<'_>, stage: Stage, out: &mut Vec<u8>) -> bool {
        self.write(auction, stage, &mut Serializer::new(out))
    }

    /// The document of a stage for people to read, over several lines; `None` if the auction does not reach that stage.
    #[must_use]
    pub fn pretty(&self, auction: &Auction<'_>, stage: Stage) -> Option<String> {
        let mut out = Vec::new();
        let reached = self.write(auction, stage, &mut Serializer::pretty(&mut out));
        String::from_utf8(out).ok().filter(|_| reached)
    }

    fn write<F: Formatter>(&self, auction: &Auction<'_>, stage: Stage, to: &mut Serializer<&mut Vec<u8>, F>) -> bool {
        let n = auction.plan.ordinal;
        let written = match (stage, &auction.bid, auction.plan.event_ms(stage)) {
            (Stage::Request, _, Some(_)) => self.bid_request(auction).serialize(to),
            (Stage::Response, Some(bid), Some(ms)) => self.bid_response(auction, bid, ms).serialize(to),
            (Stage::Impression, Some(bid), Some(ms)) => self.impression(n, bid, ms).serialize(to),
            (Stage::Click, Some(bid), Some(ms)) => self.click(n, bid, ms).serialize(to),
            (_, None, _) | (_, _, None) => return false,
        };
        // The shapes hold no maps with other keys than strings and a Vec takes all bytes, so neither way to fail exists.
        debug_assert!(written.is_ok(), "auction {n}: {written:?}");
        written.is_ok()
    }

    fn bid_request<'a>(&self, auction: &Auction<'a>) -> openrtb::BidRequest<'a> {
        let (plan, user, site) = (&auction.plan, auction.user(), auction.site);
        openrtb::BidRequest {
            id: self.ids.id(Kind::BidRequest, plan.ordinal),
            imp: [openrtb::Imp {
                id: IMP_ID,
                banner: openrtb::Banner { w: auction.size.w, h: auction.size.h, pos: auction.position },
                bidfloor: openrtb::Cents(auction.floor),
                bidfloorcur: CURRENCY,
                secure: 1,
            }],
            site: openrtb::Site {
                id: &site.id,
                domain: &site.domain,
                cat: &site.categories,
                page: format!("https://{}/article/{}", site.domain, auction.article),
                publisher: openrtb::Publisher { id: &site.publisher_id, name: &site.publisher_name },
            },
            device: openrtb::Device {
                ua: user.user_agent,
                ip: user.ip,
                geo: openrtb::Geo {
                    lat: openrtb::Degrees(user.lat_e4),
                    lon: openrtb::Degrees(user.lon_e4),
                    country: user.country.code,
                    region: user.region.code,
                },
                devicetype: user.device.devicetype,
                os: user.device.os,
                osv: user.os_version,
            },
            user: openrtb::User {
                id: self.ids.id(Kind::User, plan.user),
                buyeruid: self.ids.id(Kind::Buyer, plan.user),
            },
            at: auction.auction_type,
            tmax: auction.tmax_ms,
            cur: [CURRENCY],
            source: openrtb::Source { fd: 1, tid: self.ids.id(Kind::Transaction, plan.ordinal) },
            regs: openrtb::Regs {
                coppa: u8::from(user.coppa),
                ext: openrtb::RegsExt { gdpr: u8::from(user.country.gdpr) },
            },
            event_timestamp: Timestamp(plan.request_ms),
            received_at: Timestamp(plan.received_ms),
        }
    }

    fn bid_response(&self, auction: &Auction<'_>, bid: &Bid, response_ms: i64) -> openrtb::BidResponse {
        let n = auction.plan.ordinal;
        openrtb::BidResponse {
            id: self.ids.id(Kind::BidResponse, n),
            seatbid: [openrtb::SeatBid {
                seat: bid.seat.name,
                bid: [openrtb::Bid {
                    id: self.ids.id(Kind::Bid, n),
                    impid: IMP_ID,
                    price: openrtb::Cents(bid.price),
                    adid: self.ids.id(Kind::Ad, n),
                    crid: creative(bid),
                    adomain: [ad_domain(bid)],
                    w: auction.size.w,
                    h: auction.size.h,
                    dealid: auction.deal.map(|deal| format!("deal-{deal}")),
                }],
            }],
            bidid: self.ids.id(Kind::BidId, n),
            cur: CURRENCY,
            ext: openrtb::BidResponseExt { request_id: self.ids.id(Kind::BidRequest, n) },
            event_timestamp: Timestamp(response_ms),
        }
    }

    fn impression(&self, n: u64, bid: &Bid, impression_ms: i64) -> openrtb::Impression {
        openrtb::Impression {
            impression_id: self.ids.id(Kind::Impression, n),
            request_id: self.ids.id(Kind::BidRequest, n),
            response_id: self.ids.id(Kind::BidResponse, n),
            imp_id: IMP_ID,
            bidder_id: bid.seat.name,
            win_price: openrtb::Cents(bid.win_price),
            win_currency: CURRENCY,
            creative_id: creative(bid),
            ad_domain: ad_domain(bid),
            event_timestamp: Timestamp(impression_ms),
        }
    }

    fn click(&self, n: u64, bid: &Bid, click_ms: i64) -> openrtb::Click {
        openrtb::Click {
            click_id: self.ids.id(Kind::Click, n),
            request_id: self.ids.id(Kind::BidRequest, n),
            impression_id: self.ids.id(Kind::Impression, n),
            imp_id: IMP_ID,
            bidder_id: bid.seat.name,
            creative_id: creative(bid),
            click_url: format!("https://{}/click/{}", ad_domain(bid), self.ids.id(Kind::ClickUrl, n)),
            event_timestamp: Timestamp(click_ms),
        }
    }
}

fn creative(bid: &Bid) -> String {
    format!("cr-{}", bid.creative)
}

fn ad_domain(bid: &Bid) -> String {
    format!("brand-{}.example", bid.creative)
}
