//! The documents of the `seed` profile, from fragments.
#![expect(
    clippy::inline_always,
    reason = "a record of each stage is built by code of its own, in which the stage is a constant"
)]

use super::json_writer::{BYTES_MAX, ComputedIds, IdTexts, JsonWriter, KnownId, Parts};
use crate::generator::auction::{Auction, Auctions, Bid, Site, User};
use crate::generator::catalog::devices::{DEVICES, Device};
use crate::generator::ids::{Ids, Kind};
use crate::generator::spec::Stage;
use crate::generator::timestamp::LastDay;

/// The JSON encoder of the `seed` profile.
///
/// Constant parts of the documents stand here as they come out; [`SerdeEncoder`](super::SerdeEncoder) says what they must be, and a test holds the two
/// equal over random specs.
#[derive(Debug, Clone)]
pub struct JsonEncoder {
    ids: Ids,
    /// By row of all sites.
    sites: Vec<SiteParts>,
    /// By row of all user agents: as a JSON string, quotes included.
    user_agents: Vec<String>,
    /// By row of [`DEVICES`]: from the end of `geo` up to the system's version.
    devices: [String; DEVICES.len()],
}

/// What surrounds the article's number in a request: from the end of `imp` on, and up to the user agent.
#[derive(Debug, Clone)]
struct SiteParts {
    before: String,
    behind: String,
}

impl JsonEncoder {
    /// An encoder of these auctions' documents.
    #[must_use]
    pub fn new(auctions: &Auctions) -> Self {
        Self {
            ids: auctions.ids().clone(),
            sites: auctions.sites().iter().map(SiteParts::new).collect(),
            user_agents: auctions.user_agents().iter().map(|text| quoted(text)).collect(),
            devices: DEVICES.each_ref().map(device_part),
        }
    }

    /// Appends the document of a stage, in which `known` names an id that need not be computed. Returns false, and appends nothing,
    /// if the auction does not reach that stage.
    pub fn encode(&self, auction: &Auction<'_>, stage: Stage, known: KnownId<'_>, out: &mut Vec<u8>) -> bool {
        let ids = ComputedIds { ids: &self.ids, known };
        let parts = Parts { ids: &ids, day: &mut LastDay::default() };
        let begin = out.len();
        out.resize(begin + BYTES_MAX, 0);
        let length = self.write(auction, stage, || auction.user(), parts, &mut out[begin..]);
        out.truncate(begin + length.unwrap_or(0));
        length.is_some()
    }

    /// Writes the document of a stage to the beginning of `room`, of at least [`BYTES_MAX`] bytes, and says how long it is; `None` if the
    /// auction does not reach that stage. Ids and, for a request, the user come from somebody else.
    #[inline(always)]
    pub(crate) fn write<'u>(
        &self,
        auction: &Auction<'_>,
        stage: Stage,
        user: impl FnOnce() -> User<'u>,
        parts: Parts<'_, impl IdTexts>,
        room: &mut [u8],
    ) -> Option<usize> {
        let length = room.len();
        let mut to = JsonWriter::new(parts, room);
        match (stage, &auction.bid, auction.plan.event_ms(stage)) {
            (Stage::Request, _, Some(ms)) => self.bid_request(auction, &user(), ms, &mut to),
            (Stage::Response, Some(bid), Some(ms)) => bid_response(auction, bid, ms, &mut to),
            (Stage::Impression, Some(bid), Some(ms)) => impression(auction.plan.ordinal, bid, ms, &mut to),
            (Stage::Click, Some(bid), Some(ms)) => click(auction.plan.ordinal, bid, ms, &mut to),
            (_, None, _) | (_, _, None) => return None,
        }
        Some(length - to.left())
    }

    #[inline(always)]
    fn bid_request(
        &self,
        auction: &Auction<'_>,
        user: &User<'_>,
        request_ms: i64,
        to: &mut JsonWriter<'_, impl IdTexts>,
    ) {
        let (plan, site) = (&auction.plan, &self.sites[auction.site.row]);
        let (n, k) = (plan.ordinal, plan.user);
        to.text(r#"{"id":""#).id(Kind::BidRequest, n);
        to.text(r#"","imp":[{"id":"1","banner":{"w":"#).number(auction.size.w);
        to.text(r#","h":"#).number(auction.size.h);
        to.text(r#","pos":"#).number(auction.position);
        to.text(r#"},"bidfloor":"#).cents(auction.floor);
        to.text(&site.before).number(auction.article);
        to.text(&site.behind).text(&self.user_agents[user.user_agent_row]);
        to.text(r#","ip":""#).ip(user.ip);
        to.text(r#"","geo":{"lat":"#).degrees(user.lat_e4);
        to.text(r#","lon":"#).degrees(user.lon_e4);
        to.text(r#","country":""#).short(user.country.code);
        to.text(r#"","region":""#).short(user.region.code);
        to.text(&self.devices[user.device_row]).short(user.os_version);
        to.text(r#""},"user":{"id":""#).id(Kind::User, k);
        to.text(r#"","buyeruid":""#).id(Kind::Buyer, k);
        to.text(r#""},"at":"#).number(auction.auction_type);
        to.text(r#","tmax":"#).number(auction.tmax_ms);
        to.text(r#","cur":["USD"],"source":{"fd":1,"tid":""#).id(Kind::Transaction, n);
        to.text(r#""},"regs":{"coppa":"#).number(u8::from(user.coppa));
        to.text(r#","ext":{"gdpr":"#).number(u8::from(user.country.gdpr));
        to.text(r#"}},"event_timestamp":""#).time(request_ms);
        to.text(r#"","received_at":""#).time(plan.received_ms);
        to.text(r#""}"#);
    }
}

#[inline(always)]
fn bid_response(auction: &Auction<'_>, bid: &Bid, response_ms: i64, to: &mut JsonWriter<'_, impl IdTexts>) {
    let n = auction.plan.ordinal;
    to.text(r#"{"id":""#).id(Kind::BidResponse, n);
    to.text(r#"","seatbid":[{"seat":""#).text(bid.seat.name);
    to.text(r#"","bid":[{"id":""#).id(Kind::Bid, n);
    to.text(r#"","impid":"1","price":"#).cents(bid.price);
    to.text(r#","adid":""#).id(Kind::Ad, n);
    to.text(r#"","crid":"cr-"#).number(bid.creative);
    to.text(r#"","adomain":["brand-"#).number(bid.creative);
    to.text(r#".example"],"w":"#).number(auction.size.w);
    to.text(r#","h":"#).number(auction.size.h);
    if let Some(deal) = auction.deal {
        to.text(r#","dealid":"deal-"#).number(deal);
        to.text(r#"""#);
    }
    to.text(r#"}]}],"bidid":""#).id(Kind::BidId, n);
    to.text(r#"","cur":"USD","ext":{"request_id":""#).id(Kind::BidRequest, n);
    to.text(r#""},"event_timestamp":""#).time(response_ms);
    to.text(r#""}"#);
}

#[inline(always)]
fn impression(n: u64, bid: &Bid, impression_ms: i64, to: &mut JsonWriter<'_, impl IdTexts>) {
    to.text(r#"{"impression_id":""#).id(Kind::Impression, n);
    to.text(r#"","request_id":""#).id(Kind::BidRequest, n);
    to.text(r#"","response_id":""#).id(Kind::BidResponse, n);
    to.text(r#"","imp_id":"1","bidder_id":""#).text(bid.seat.name);
    to.text(r#"","win_price":"#).cents(bid.win_price);
    to.text(r#","win_currency":"USD","creative_id":"cr-"#).number(bid.creative);
    to.text(r#"","ad_domain":"brand-"#).number(bid.creative);
    to.text(r#".example","event_timestamp":""#).time(impression_ms);
    to.text(r#""}"#);
}

#[inline(always)]
fn click(n: u64, bid: &Bid, click_ms: i64, to: &mut JsonWriter<'_, impl IdTexts>) {
    to.text(r#"{"click_id":""#).id(Kind::Click, n);
    to.text(r#"","request_id":""#).id(Kind::BidRequest, n);
    to.text(r#"","impression_id":""#).id(Kind::Impression, n);
    to.text(r#"","imp_id":"1","bidder_id":""#).text(bid.seat.name);
    to.text(r#"","creative_id":"cr-"#).number(bid.creative);
    to.text(r#"","click_url":"https://brand-"#).number(bid.creative);
    to.text(".example/click/").id(Kind::ClickUrl, n);
    to.text(r#"","event_timestamp":""#).time(click_ms);
    to.text(r#""}"#);
}

impl SiteParts {
    fn new(site: &Site) -> Self {
        let categories: Vec<String> = site.categories.iter().map(|category| quoted(category)).collect();
        let (id, domain, categories) = (quoted(&site.id), quoted(&site.domain), categories.join(","));
        // A page's URL goes on inside its string.
        let page = quoted(&format!("https://{}/article/", site.domain));
        let open_page = &page[..page.len() - 1];
        let (publisher_id, publisher_name) = (quoted(&site.publisher_id), quoted(&site.publisher_name));
        Self {
            before: format!(
                r#","bidfloorcur":"USD","secure":1}}],"site":{{"id":{id},"domain":{domain},"cat":[{categories}],"page":{open_page}"#
            ),
            behind: format!(r#"","publisher":{{"id":{publisher_id},"name":{publisher_name}}}}},"device":{{"ua":"#),
        }
    }
}

fn device_part(device: &Device) -> String {
    format!(r#""}},"devicetype":{},"os":{},"osv":""#, device.devicetype, quoted(device.os))
}

/// A text as a JSON string, escaped, in quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::catalog::bidders::SEATS;
    use crate::generator::catalog::places::COUNTRIES;
    use crate::generator::spec::StreamSpec;

    #[test]
    fn the_longest_document_fits() {
        let auctions = Auctions::new(&StreamSpec::default());
        let json = JsonEncoder::new(&auctions);
        let longest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap();
        let regions = COUNTRIES.iter().flat_map(|country| country.regions).map(|region| region.code.len());
        let systems = DEVICES.iter().flat_map(|device| device.browsers).flat_map(|browser| browser.os_versions);
        // All constants, ids, times and numbers of the longest request, and then what is looked up.
        let constants = 800;
        let parts = [
            longest(&mut json.sites.iter().map(|site| site.before.len() + site.behind.len())),
            longest(&mut json.user_agents.iter().map(String::len)),
            longest(&mut json.devices.iter().map(String::len)),
            longest(&mut { regions }),
            longest(&mut systems.map(|system| system.len())),
        ];
        assert!(constants + parts.iter().sum::<usize>() < BYTES_MAX, "{parts:?}");
        // What is written is below that bound, too, with the longest numbers.
        let mut spec = StreamSpec { users: "1000000000".parse().unwrap(), ..StreamSpec::default() };
        spec.epoch = "9999-12-31T00:00:00Z".parse().unwrap();
        let auctions = Auctions::new(&spec);
        let json = JsonEncoder::new(&auctions);
        let known = KnownId { kind: Kind::Malformed, text: &[b'x'; 36] };
        for ordinal in 0..2_000 {
            let (auction, mut out) = (auctions.at(ordinal), Vec::new());
            assert!(json.encode(&auction, Stage::Request, known, &mut out));
            let site = &json.sites[auction.site.row];
            let user = auction.user();
            let looked_up = site.before.len()
                + site.behind.len()
                + json.user_agents[user.user_agent_row].len()
                + json.devices[user.device_row].len()
                + user.region.code.len()
                + user.os_version.len();
            assert!(out.len() - looked_up <= constants, "{}", out.len() - looked_up);
        }
    }

    #[test]
    fn what_is_copied_as_it_is_needs_no_escaping() {
        let regions = COUNTRIES.iter().flat_map(|country| country.regions).map(|region| region.code);
        let systems =
            DEVICES.iter().flat_map(|device| device.browsers).flat_map(|browser| browser.os_versions).copied();
        let seats = SEATS.iter().map(|seat| seat.name);
        for text in COUNTRIES.iter().map(|country| country.code).chain(regions).chain(systems).chain(seats) {
            assert_eq!(quoted(text), format!("\"{text}\""));
        }
    }
}
