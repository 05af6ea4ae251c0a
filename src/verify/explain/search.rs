//! Streams that differ from another one in a single option, or in two.

use super::sample::{Fit, Sample};
use crate::generator::spec::{EventsPerSecond, FaultPlan, Faults, KeyBy, Rate, Stage, StreamSpec};

/// A rate that fewer records speak for is not said to be the cause: one lost record would look the same.
const RECORDS_MIN: usize = 3;

/// One of a stream's rates.
type RateOf = fn(&mut StreamSpec) -> &mut Rate;

/// With its option, and the stage whose records it decides upon.
type OneRate = (&'static str, Stage, RateOf);

const RATES: [OneRate; 3] = [
    ("bid-response-rate", Stage::Response, |spec| &mut spec.bid_response_rate),
    ("win-rate", Stage::Impression, |spec| &mut spec.win_rate),
    ("click-rate", Stage::Click, |spec| &mut spec.click_rate),
];

/// An option at another value.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) option: &'static str,
    /// Its value there.
    pub(super) found: String,
    /// The one that was given.
    pub(super) given: String,
    /// The stream with it.
    spec: StreamSpec,
}

/// The option that explains a sample with its other value.
pub(super) fn one(spec: &StreamSpec, sample: &Sample) -> Option<Change> {
    for change in others(spec) {
        if sample.fit(&change.spec)? == Fit::Whole {
            return Some(change);
        }
    }
    rate(spec, sample)
}

/// Two options that explain a sample only together.
pub(super) fn two(spec: &StreamSpec, sample: &Sample) -> Option<[Change; 2]> {
    if let Some(of) = first_rate(spec, sample)
        && let Some(first) = inferred(spec, sample, of, of.1)
        && let Some(second) = rate(&first.spec, sample)
    {
        return Some([first, second]);
    }
    for first in others(spec) {
        // By their names, so that two are not tried again the other way round.
        for second in others(&first.spec).into_iter().filter(|second| second.option > first.option) {
            if sample.fit(&second.spec)? == Fit::Whole {
                return Some([first, second]);
            }
        }
        if let Some(second) = rate(&first.spec, sample) {
            return Some([first, second]);
        }
    }
    None
}

/// The rate that explains a sample with its other value.
fn rate(spec: &StreamSpec, sample: &Sample) -> Option<Change> {
    inferred(spec, sample, first_rate(spec, sample)?, Stage::Click)
}

/// The rate of the first stage that does not fit, which depends on no later one; none where requests do not, or all stages do.
fn first_rate(spec: &StreamSpec, sample: &Sample) -> Option<OneRate> {
    let fits = |stage| Some(sample.fit_within(spec, stage, stage)? == Fit::Whole);
    if !fits(Stage::Request)? {
        return None;
    }
    for of in RATES {
        if !fits(of.1)? {
            return Some(of);
        }
    }
    None
}

/// A rate at the value with which the stages from its own up to one fit.
fn inferred(spec: &StreamSpec, sample: &Sample, (option, stage, rate): OneRate, until: Stage) -> Option<Change> {
    let with = |billionths: u64| {
        let mut other = spec.clone();
        *rate(&mut other) = Rate::from_billionths(billionths);
        other
    };
    if sample.count(stage) < RECORDS_MIN {
        return None;
    }
    let found = infer(&|billionths| sample.fit_within(&with(billionths), stage, until))?;
    let given = rate(&mut spec.clone()).to_string();
    Some(Change { option, found: Rate::from_billionths(found).to_string(), given, spec: with(found) })
}

/// Streams with one option at another value that is likely: its default, or the others of a few.
fn others(spec: &StreamSpec) -> Vec<Change> {
    let usual = StreamSpec::default();
    let mut others = Vec::new();
    for key_by in [KeyBy::Id, KeyBy::Request, KeyBy::User] {
        let (found, given) = (key_by.to_string(), spec.key_by.to_string());
        others.push(Change { option: "key-by", found, given, spec: StreamSpec { key_by, ..spec.clone() } });
    }
    let mut add = |option, other: StreamSpec, text: fn(&StreamSpec) -> String| {
        others.push(Change { option, found: text(&other), given: text(spec), spec: other });
    };
    add("seed", StreamSpec { seed: usual.seed, ..spec.clone() }, |spec| spec.seed.to_string());
    for events_per_second in [10, 1, 5, 20, 50, 100, 500, 1_000].map(EventsPerSecond::new) {
        let other = StreamSpec { events_per_second, ..spec.clone() };
        add("events-per-second", other, |spec| spec.events_per_second.to_string());
    }
    add("epoch", StreamSpec { epoch: usual.epoch, ..spec.clone() }, |spec| spec.epoch.to_string());
    add("users", StreamSpec { users: usual.users, ..spec.clone() }, |spec| spec.users.to_string());
    let given = spec.faults.texts();
    for (option, value) in given {
        if let Some(faults) = without(&spec.faults, option) {
            let spec = StreamSpec { faults, ..spec.clone() };
            others.push(Change { option, found: "0".to_owned(), given: value, spec });
        }
    }
    others.retain(|change| change.spec != *spec);
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
fn infer(fits: &dyn Fn(u64) -> Option<Fit>) -> Option<u64> {
    let (mut least, mut most) = (0, 1_000_000_000);
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
