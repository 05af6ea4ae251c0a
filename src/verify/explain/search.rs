//! Streams that differ from another one in a single option.

use super::explanation::Explanation;
use super::sample::{Fit, Sample};
use crate::generator::spec::{EventsPerSecond, FaultPlan, Faults, KeyBy, Rate, Stage, StreamSpec};

/// A rate that fewer records speak for is not said to be the cause: one lost record would look the same.
const RECORDS_MIN: usize = 3;

/// One of a stream's rates.
type RateOf = fn(&mut StreamSpec) -> &mut Rate;

/// The option that explains a sample with its other value, and that value.
pub(super) fn single(spec: &StreamSpec, sample: &Sample) -> Option<Explanation> {
    for (option, other, value, given) in others(spec) {
        if sample.fit(&other)? == Fit::Whole {
            return Some(Explanation::new(option, value, given));
        }
    }
    let rates: [(&str, Stage, RateOf); 3] = [
        ("bid-response-rate", Stage::Response, |spec| &mut spec.bid_response_rate),
        ("win-rate", Stage::Impression, |spec| &mut spec.win_rate),
        ("click-rate", Stage::Click, |spec| &mut spec.click_rate),
    ];
    for (option, stage, rate) in rates {
        let with = |billionths: u64| {
            let mut other = spec.clone();
            *rate(&mut other) = Rate::from_billionths(billionths);
            other
        };
        if sample.count(stage) >= RECORDS_MIN
            && let Some(found) = infer(&with, sample)
        {
            return Some(Explanation::new(option, Rate::from_billionths(found), *rate(&mut spec.clone())));
        }
    }
    None
}

/// Streams with one option at another value that is likely: its default, or the others of a few.
fn others(spec: &StreamSpec) -> Vec<(&'static str, StreamSpec, String, String)> {
    let usual = StreamSpec::default();
    let mut others = Vec::new();
    for key_by in [KeyBy::Id, KeyBy::Request, KeyBy::User] {
        others.push(("key-by", StreamSpec { key_by, ..spec.clone() }, key_by.to_string(), spec.key_by.to_string()));
    }
    let mut add = |option, other: StreamSpec, text: fn(&StreamSpec) -> String| {
        let (value, given) = (text(&other), text(spec));
        others.push((option, other, value, given));
    };
    add("seed", StreamSpec { seed: usual.seed, ..spec.clone() }, |spec| spec.seed.to_string());
    for events_per_second in [10, 1, 5, 20, 50, 100, 500, 1_000].map(EventsPerSecond::new) {
        let other = StreamSpec { events_per_second, ..spec.clone() };
        add("events-per-second", other, |spec| spec.events_per_second.to_string());
    }
    add("epoch", StreamSpec { epoch: usual.epoch, ..spec.clone() }, |spec| spec.epoch.to_string());
    add("users", StreamSpec { users: usual.users, ..spec.clone() }, |spec| spec.users.to_string());
    let given = spec.faults.texts();
    for (fault, value) in &given {
        if let Some(faults) = without(&spec.faults, fault) {
            others.push((fault, StreamSpec { faults, ..spec.clone() }, "0".to_owned(), value.clone()));
        }
    }
    others.retain(|(_, other, ..)| other != spec);
    others
}

/// Faults without one of them.
fn without(faults: &Faults, fault: &str) -> Option<FaultPlan> {
    let (mut less, none) = (faults.clone(), Faults::default());
    match fault {
        "late" => less.late = none.late,
        "duplicates" => less.duplicates = none.duplicates,
        "conflicts" => less.conflicts = none.conflicts,
        "orphans" => less.orphans = none.orphans,
        "boundary" => less.boundary = none.boundary,
        "malformed" => less.malformed = none.malformed,
        "invalid" => less.invalid = none.invalid,
        "tombstones" => less.tombstones = none.tombstones,
        "idle" => less.idle = none.idle,
        _ => less.hot_user = none.hot_user,
    }
    less.try_into().ok()
}

/// The shortest rate of which the logs hold the records: a higher rate only adds some.
fn infer(with: &dyn Fn(u64) -> StreamSpec, sample: &Sample) -> Option<u64> {
    let (mut least, mut most) = (0, 1_000_000_000);
    let fits = |billionths| sample.fit(&with(billionths));
    let found = loop {
        let middle = u64::midpoint(least, most);
        match fits(middle)? {
            Fit::Whole => break middle,
            Fit::TooMany if middle > least => most = middle,
            Fit::TooFew if middle < most && middle + 1 < most => least = middle + 1,
            Fit::TooFew if fits(most)? == Fit::Whole => break most,
            _ => return None,
        }
    };
    for unit in (0..9).rev().map(|digits| 10u64.pow(digits)) {
        for shorter in [found / unit * unit, found.div_ceil(unit) * unit] {
            if (1..=1_000_000_000).contains(&shorter) && fits(shorter)? == Fit::Whole {
                return Some(shorter);
            }
        }
    }
    Some(found)
}
