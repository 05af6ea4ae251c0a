//! The product document's distributions, as marginals of a million auctions of each of five seeds, and the rows that may not
//! exist at all.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_arithmetic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

use mock_data_gen::generator::auction::{Auction, Auctions};
use mock_data_gen::generator::spec::StreamSpec;

const SEEDS: [u64; 5] = [42, 0, 1, 7_777, u64::MAX];
const AUCTIONS: u64 = 1_000_000;

/// A distribution: its name, what an auction counts as (or not at all), and the percentages.
type Distribution = (&'static str, fn(&Auction<'_>) -> Option<String>, &'static [(&'static str, u32)]);

const DISTRIBUTIONS: [Distribution; 14] = [
    (
        "banner sizes",
        |a| Some(format!("{}x{}", a.size.w, a.size.h)),
        &[("300x250", 40), ("728x90", 20), ("160x600", 15), ("320x50", 15), ("970x250", 10)],
    ),
    ("device types", |a| Some(a.user().device.devicetype.to_string()), &[("1", 60), ("2", 30), ("4", 10)]),
    (
        "operating systems",
        |a| Some(a.user().device.os.to_owned()),
        &[("iOS", 35), ("Android", 35), ("Windows", 20), ("macOS", 10)],
    ),
    (
        "countries",
        |a| Some(a.user().country.code.to_owned()),
        &[("USA", 50), ("GBR", 15), ("DEU", 10), ("CAN", 10), ("AUS", 10), ("FRA", 5)],
    ),
    ("auction types", |a| Some(a.auction_type.to_string()), &[("1", 70), ("2", 30)]),
    ("COPPA", |a| Some(a.user().coppa.to_string()), &[("false", 95), ("true", 5)]),
    ("GDPR", |a| Some(a.user().country.gdpr.to_string()), &[("false", 70), ("true", 30)]),
    ("deals of bids", |a| a.bid.as_ref().map(|_| a.deal.is_some().to_string()), &[("false", 90), ("true", 10)]),
    ("bid response rate", |a| Some(a.bid.is_some().to_string()), &[("true", 60), ("false", 40)]),
    (
        "win rate",
        |a| a.bid.as_ref().map(|_| a.plan.impression_ms.is_some().to_string()),
        &[("true", 15), ("false", 85)],
    ),
    (
        "click rate",
        |a| a.plan.impression_ms.map(|_| a.plan.click_ms.is_some().to_string()),
        &[("true", 2), ("false", 98)],
    ),
    (
        "seats",
        |a| a.bid.as_ref().map(|bid| bid.seat.name.to_owned()),
        &[("seat-alpha", 35), ("seat-beta", 25), ("seat-gamma", 18), ("seat-delta", 13), ("seat-epsilon", 9)],
    ),
    ("positions", |a| Some(a.position.to_string()), &[("1", 45), ("3", 35), ("0", 15), ("4", 5)]),
    ("tmax", |a| Some(a.tmax_ms.to_string()), &[("100", 20), ("120", 20), ("150", 20), ("200", 20), ("300", 20)]),
];

/// Chi-square values that a right distribution exceeds once in a million tests, by degrees of freedom (from 1).
const CRITICAL: [f64; 5] = [23.93, 27.63, 30.66, 33.38, 35.89];

fn chi_square(counts: &BTreeMap<String, u64>, percent: &[(&str, u32)]) -> f64 {
    let total: u64 = counts.values().sum();
    assert!(
        counts.keys().all(|key| percent.iter().any(|(name, _)| name == key)),
        "a value that may not be: {counts:?}"
    );
    let term = |&(name, percent): &(&str, u32)| {
        let expected = total as f64 * f64::from(percent) / 100.0;
        let observed = counts.get(name).copied().unwrap_or(0) as f64;
        (observed - expected).powi(2) / expected
    };
    percent.iter().map(term).sum()
}

fn fits(counts: &BTreeMap<String, u64>, percent: &[(&str, u32)]) -> bool {
    chi_square(counts, percent) < CRITICAL[percent.len() - 2]
}

/// Rows that no real device or law gives.
fn impossible(a: &Auction<'_>) -> Option<&'static str> {
    let (device, size) = (a.user().device, (a.size.w, a.size.h));
    let desktop = device.devicetype == 2;
    let mobile_os = matches!(device.os, "iOS" | "Android");
    match a {
        _ if desktop == mobile_os => Some("a device type that does not run its system"),
        _ if desktop && size == (320, 50) => Some("320x50 on a desktop"),
        _ if device.devicetype == 4 && !matches!(size, (300, 250) | (320, 50)) => Some("a large banner on a phone"),
        _ if a.user().country.gdpr != matches!(a.user().country.code, "GBR" | "DEU" | "FRA") => {
            Some("GDPR and country")
        }
        _ if a.user().coppa && a.user().country.code != "USA" => Some("COPPA outside the USA"),
        _ if a.user().device.devicetype != 2 && a.user().user_agent.contains("Windows") => {
            Some("a phone's Windows browser")
        }
        _ => None,
    }
}

#[test]
fn marginals_are_exact_and_the_test_would_see_one_point() {
    for seed in SEEDS {
        let auctions = Auctions::new(&StreamSpec { seed, ..StreamSpec::default() });
        let mut counts: [BTreeMap<String, u64>; DISTRIBUTIONS.len()] = Default::default();
        for ordinal in 0..AUCTIONS {
            let auction = auctions.at(ordinal);
            assert_eq!(impossible(&auction), None, "seed {seed}, auction {ordinal}");
            for ((_, value, _), counts) in DISTRIBUTIONS.iter().zip(&mut counts) {
                if let Some(value) = value(&auction) {
                    match counts.get_mut(&value) {
                        Some(count) => *count += 1,
                        None => {
                            counts.insert(value, 1);
                        }
                    }
                }
            }
        }
        for ((name, _, percent), counts) in DISTRIBUTIONS.iter().zip(&counts) {
            assert!(
                fits(counts, percent),
                "seed {seed}, {name}: chi-square {}, {counts:?}",
                chi_square(counts, percent)
            );
            // Positive control: one weight moved by one point, to each other value, no longer fits.
            for from in 0..percent.len() {
                for to in (0..percent.len()).filter(|&to| to != from) {
                    let mut moved = percent.to_vec();
                    moved[from].1 -= 1;
                    moved[to].1 += 1;
                    moved.retain(|&(_, percent)| percent > 0);
                    if moved.len() == percent.len() {
                        assert!(!fits(counts, &moved), "seed {seed}, {name}: {moved:?} fits as well");
                    }
                }
            }
        }
    }
}

#[test]
fn floors_and_prices_have_their_shape() {
    let auctions = Auctions::new(&StreamSpec::default());
    let sorted = |mut cents: Vec<u64>| {
        cents.sort_unstable();
        cents
    };
    let floors = sorted((0..100_001).map(|n| auctions.at(n).floor.micros() / 10_000).collect());
    assert!((59..=61).contains(&floors[50_000]), "median floor {} cents", floors[50_000]);
    assert_eq!((floors[0] >= 1, floors[100_000]), (true, 500));
    let margin = |n| auctions.at(n).bid.map(|bid| (bid.price.micros() * 100) / auctions.at(n).floor.micros());
    let margins = sorted((0..100_000).filter_map(margin).collect());
    let median = margins[margins.len() / 2];
    // A bid is the floor and, at the median, about 60 % more; sizes and countries pull that to either side.
    assert!((150..=170).contains(&median), "median price is {median} % of the floor");
}
