//! The pool of users: a user keeps one device, system, user agent, country, region, place, address and COPPA flag.
//!
//! User `k` takes slot `k mod 4,000` of a keyed shuffle of all combinations of device, country and COPPA. So a pool of any
//! multiple of 4,000 users has exactly the product document's shares, and a user is found in constant time and memory.

use std::net::Ipv4Addr;

use crate::generator::catalog::devices::{Browser, DEVICES, Device};
use crate::generator::catalog::places::{COUNTRIES, Country, Region};
use crate::generator::random::{Alias, BLOCK, Lanes, Words, shuffled};
use crate::generator::simd::{Column, WIDTH};

/// Device rows and countries are dealt out in units of 5 %.
const UNITS: u16 = 20;
/// One child in ten where COPPA applies.
const COPPA_UNITS: u16 = 10;
/// Device unit × country unit × COPPA unit.
const SLOTS: u16 = UNITS * UNITS * COPPA_UNITS;
/// How far a user may stand from a place, in 1e-4 degrees.
const SPREAD_E4: u32 = 1_000;

/// A member of the pool.
#[derive(Debug, Clone, Copy)]
pub struct User<'a> {
    /// Its row of [`DEVICES`].
    pub device_row: usize,
    /// That row.
    pub device: &'static Device,
    /// Which of all user agents it has: the index in [`Auctions::user_agents`](super::Auctions::user_agents).
    pub user_agent_row: usize,
    /// `device.ua`.
    pub user_agent: &'a str,
    /// `device.osv`.
    pub os_version: &'static str,
    /// Country, which also decides GDPR.
    pub country: &'static Country,
    /// Region of that country.
    pub region: &'static Region,
    /// Latitude in 1e-4 degrees, at most 0.10 degrees from a place of the region.
    pub lat_e4: i32,
    /// Longitude, likewise.
    pub lon_e4: i32,
    /// An address that is reserved for documentation or benchmarks.
    pub ip: Ipv4Addr,
    /// Whether COPPA applies to the user.
    pub coppa: bool,
}

/// What of a user its number alone says, without a draw.
#[derive(Debug, Clone, Copy)]
pub(super) struct Traits {
    pub(super) device_row: usize,
    country_row: usize,
    coppa: bool,
}

impl Traits {
    pub(super) fn country(self) -> &'static Country {
        &COUNTRIES[self.country_row]
    }
}

/// All users.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    lanes: Lanes,
    /// By slot.
    traits: Vec<Traits>,
    browsers: [Browsers; DEVICES.len()],
    regions: [Alias; COUNTRIES.len()],
    /// All of them, rendered.
    user_agents: Vec<String>,
}

/// The browsers of a device row.
#[derive(Debug, Clone)]
struct Browsers {
    shares: Alias,
    /// By browser, then by system version: where its user agents begin among all, one a browser version.
    user_agent_rows: Vec<Vec<usize>>,
}

/// Word positions in a user's lane. Part of the stream law.
mod word {
    pub(super) const BROWSER: usize = 0; // and 1
    pub(super) const OS_VERSION: usize = 2;
    pub(super) const BROWSER_VERSION: usize = 3;
    pub(super) const REGION: usize = 4; // and 5
    pub(super) const PLACE: usize = 6;
    pub(super) const LAT: usize = 7;
    pub(super) const LON: usize = 8;
    pub(super) const IP: usize = 9;
}

impl Pool {
    pub(super) fn new(seed: u64) -> Self {
        let device_units = DEVICES.each_ref().map(|device| device.size_percent.iter().sum::<u32>() / 5);
        let country_units = COUNTRIES.each_ref().map(|country| u32::from(country.weight));
        let mut user_agents = Vec::new();
        let (device_of, country_of) = (dealt_out(&device_units), dealt_out(&country_units));
        let traits = |slot: u16| {
            let country_row = usize::from(country_of[usize::from(slot / UNITS % UNITS)]);
            Traits {
                device_row: usize::from(device_of[usize::from(slot % UNITS)]),
                country_row,
                coppa: COUNTRIES[country_row].coppa && slot / UNITS / UNITS == 0,
            }
        };
        Self {
            lanes: Lanes::new("user", seed),
            traits: shuffled(&Lanes::new("user-slots", seed), SLOTS).into_iter().map(traits).collect(),
            browsers: std::array::from_fn(|row| Browsers::new(DEVICES[row].browsers, &mut user_agents)),
            regions: std::array::from_fn(|country| {
                let weights: Vec<u32> = COUNTRIES[country].regions.iter().map(|region| region.weight).collect();
                Alias::new(&weights)
            }),
            user_agents,
        }
    }

    /// All user agents.
    pub(super) fn user_agents(&self) -> &[String] {
        &self.user_agents
    }

    /// What the number of member `k` says.
    pub(super) fn traits(&self, k: u64) -> Traits {
        self.traits[(k % u64::from(SLOTS)) as usize]
    }

    /// Member `k` of the pool.
    pub(super) fn user(&self, k: u64) -> User<'_> {
        self.user_of_words(k, &self.lanes.words(k))
    }

    /// The first words of these members, in columns: all that a member is drawn from.
    pub(super) fn words(&self, members: &[u64; WIDTH]) -> [Column; BLOCK] {
        self.lanes.block(members, 0)
    }

    /// Member `k` of the pool, whose words these are.
    pub(super) fn user_of_words(&self, k: u64, words: &impl Words) -> User<'_> {
        let Traits { device_row, country_row, coppa } = self.traits(k);
        let country = &COUNTRIES[country_row];
        let device = &DEVICES[device_row];

        let index = |position: usize, length: usize| words.uniform_below(position, length as u32) as usize;
        let shares = &self.browsers[device_row].shares;
        let browser_row = shares.pick(words, word::BROWSER);
        let browser = &device.browsers[browser_row];
        let os_version = index(word::OS_VERSION, browser.os_versions.len());
        let first_user_agent = self.browsers[device_row].user_agent_rows[browser_row][os_version];
        let user_agent_row = first_user_agent + index(word::BROWSER_VERSION, browser.versions.len());
        let region = &country.regions[self.regions[country_row].pick(words, word::REGION)];
        let place = &region.places[index(word::PLACE, region.places.len())];
        let moved = |position: usize, from: i32| {
            from + words.uniform_below(position, 2 * SPREAD_E4 + 1).cast_signed() - SPREAD_E4.cast_signed()
        };
        User {
            device_row,
            device,
            user_agent_row,
            user_agent: &self.user_agents[user_agent_row],
            os_version: browser.os_versions[os_version],
            country,
            region,
            lat_e4: moved(word::LAT, place.lat_e4),
            lon_e4: moved(word::LON, place.lon_e4),
            ip: reserved_address(words.uniform_below(word::IP, ADDRESSES)),
            coppa,
        }
    }
}

impl Browsers {
    /// The browsers of a row, whose user agents are added to all others.
    fn new(browsers: &[Browser], user_agents: &mut Vec<String>) -> Self {
        let weights: Vec<u32> = browsers.iter().map(|browser| browser.weight).collect();
        let mut row = |browser: &Browser, os_version: &str| {
            let first = user_agents.len();
            user_agents.extend(browser.versions.iter().map(|version| browser.user_agent(os_version, version)));
            first
        };
        let rows = browsers.iter().map(|browser| browser.os_versions.iter().map(|os| row(browser, os)).collect());
        Self { user_agent_rows: rows.collect(), shares: Alias::new(&weights) }
    }
}

/// Deals the units out: entry `i` of the weights appears `weights[i]` times, in order.
fn dealt_out(weights: &[u32]) -> [u8; UNITS as usize] {
    let mut rows = weights.iter().zip(0u8..).flat_map(|(&weight, row)| std::iter::repeat_n(row, weight as usize));
    let dealt = std::array::from_fn(|_| rows.next().unwrap_or_default());
    debug_assert!(rows.next().is_none() && weights.iter().sum::<u32>() == u32::from(UNITS), "not {UNITS} units");
    dealt
}

/// Hosts of the three documentation networks (RFC 5737), 254 each.
const DOCUMENTATION_HOSTS: u32 = 3 * 254;
/// All addresses that users have: those and the hosts of the benchmark network 198.18.0.0/15 (RFC 2544).
const ADDRESSES: u32 = DOCUMENTATION_HOSTS + (1 << 17) - 2;

/// Address number `index` of [`ADDRESSES`].
fn reserved_address(index: u32) -> Ipv4Addr {
    const NETWORKS: [Ipv4Addr; 3] =
        [Ipv4Addr::new(192, 0, 2, 0), Ipv4Addr::new(198, 51, 100, 0), Ipv4Addr::new(203, 0, 113, 0)];
    const BENCHMARK: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
    let bits = match index.checked_sub(DOCUMENTATION_HOSTS) {
        None => NETWORKS[(index / 254) as usize].to_bits() + 1 + index % 254,
        Some(host) => BENCHMARK.to_bits() + 1 + host,
    };
    Ipv4Addr::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn four_thousand_users_have_the_product_documents_shares_exactly() {
        let pool = Pool::new(42);
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for user in (8_000..12_000).map(|k| pool.user(k)) {
            for key in [
                format!("type {}", user.device.devicetype),
                user.device.os.to_owned(),
                user.country.code.to_owned(),
                format!("coppa {}", user.coppa),
                format!("gdpr {}", user.country.gdpr),
            ] {
                *counts.entry(key).or_default() += 1;
            }
        }
        let expected = [
            ("AUS", 400),
            ("Android", 1_400),
            ("CAN", 400),
            ("DEU", 400),
            ("FRA", 200),
            ("GBR", 600),
            ("USA", 2_000),
            ("Windows", 800),
            ("coppa false", 3_800),
            ("coppa true", 200),
            ("gdpr false", 2_800),
            ("gdpr true", 1_200),
            ("iOS", 1_400),
            ("macOS", 400),
            ("type 1", 2_400),
            ("type 2", 1_200),
            ("type 4", 400),
        ];
        let counts: Vec<(&str, u32)> = counts.iter().map(|(key, count)| (key.as_str(), *count)).collect();
        assert_eq!(counts, expected);
    }

    #[test]
    fn addresses_are_hosts_of_reserved_networks() {
        let shown = [0, 253, 254, 508, 761, 762, ADDRESSES - 1].map(|index| reserved_address(index).to_string());
        assert_eq!(
            shown,
            [
                "192.0.2.1",
                "192.0.2.254",
                "198.51.100.1",
                "203.0.113.1",
                "203.0.113.254",
                "198.18.0.1",
                "198.19.255.254"
            ]
        );
    }
}
