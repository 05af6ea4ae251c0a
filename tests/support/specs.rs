//! Random specs and windows, for every test of a law.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "shared by tests that each use some of it"
)]

use mock_data_gen::generator::auction::Auctions;
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{
    Boundary, EventsPerSecond, FaultPlan, Faults, Idle, KeyBy, Layout, Rate, Span, Spread, Stage, StreamSpec, Users,
};
use mock_data_gen::generator::stream::{Stream, Window};
use proptest::prelude::*;

pub(crate) fn rate() -> impl Strategy<Value = Rate> {
    let billionths = prop_oneof![Just(0u64), Just(1_000_000_000), 0..=1_000_000_000u64, 400_000_000..=1_000_000_000u64];
    billionths.prop_map(Rate::from_billionths)
}

pub(crate) fn events_per_second() -> impl Strategy<Value = EventsPerSecond> {
    // From 0.001 to 1,000,000 a second: slow streams, where an auction ends before the next begins, and fast ones, where
    // thousands are pending.
    let micros =
        prop_oneof![1_000..=1_000_000_000_000u64, 1_000..=10_000_000u64, Just(10_000_000), Just(1_000_000_000_000)];
    micros.prop_map(EventsPerSecond::from_micros)
}

/// Specs without planned faults.
pub(crate) fn plain_spec() -> impl Strategy<Value = StreamSpec> {
    let users = prop_oneof![Just(1u64), 1..=10_000u64, Just(1_000_000_000)];
    let key_by = prop_oneof![Just(KeyBy::Id), Just(KeyBy::Request), Just(KeyBy::User)];
    let rates = (rate(), rate(), rate());
    (any::<u64>(), 1..=4_000_000_000_000i64, events_per_second(), rates, users, key_by, any::<bool>()).prop_map(
        |(seed, epoch_ms, events_per_second, (bid_response_rate, win_rate, click_rate), users, key_by, headers)| {
            StreamSpec {
                seed,
                epoch: mock_data_gen::generator::spec::Epoch::from_ms(epoch_ms).unwrap(),
                events_per_second,
                bid_response_rate,
                win_rate,
                click_rate,
                users: Users::new(users),
                key_by,
                headers,
                ..StreamSpec::default()
            }
        },
    )
}

const ALWAYS: u64 = 1_000_000_000;

/// A share that is often off and often the largest, in billionths.
fn share(most: u64) -> impl Strategy<Value = Rate> {
    prop_oneof![3 => Just(0), 1 => Just(most), 3 => 0..=most].prop_map(Rate::from_billionths)
}

fn spread(most: u64, ms_max: u32) -> impl Strategy<Value = Spread> {
    (share(most), 1..=ms_max).prop_map(|(share, ms)| Spread::new(share, Span::from_ms(ms.into())))
}

fn boundary() -> impl Strategy<Value = Boundary> {
    let bound = || prop_oneof![1..=100u32, 1..=20_000u32];
    (share(ALWAYS), bound(), bound(), bound())
        .prop_map(|(share, a, b, c)| format!("{share}:{a}ms,{b}ms,{c}ms").parse().unwrap())
}

fn idle() -> impl Strategy<Value = Option<Idle>> {
    let some = (prop::sample::select(Stage::ALL.to_vec()), 1..30_000u32, 1..60_000u32);
    prop::option::of(some.prop_map(|(stage, begin, span)| format!("{stage}:{begin}ms:{span}ms").parse().unwrap()))
}

/// Plans of all faults.
pub(crate) fn faults() -> impl Strategy<Value = FaultPlan> {
    faults_up_to(ALWAYS)
}

/// Plans of all faults, none of which meets more than this share.
fn faults_up_to(most: u64) -> impl Strategy<Value = FaultPlan> {
    let spreads = (spread(most, 30_000), spread(most, 5_000), spread(most, 5_000));
    let share = || share(most);
    let shares = (share(), share(), share(), share(), share());
    (spreads, shares, boundary(), idle()).prop_map(
        |((late, duplicates, conflicts), (orphans, malformed, invalid, tombstones, hot_user), boundary, idle)| {
            let faults = Faults {
                late,
                duplicates,
                conflicts,
                orphans,
                boundary,
                malformed,
                invalid,
                tombstones,
                idle,
                hot_user,
            };
            FaultPlan::try_from(faults).unwrap()
        },
    )
}

/// Specs, half of them with planned faults.
pub(crate) fn spec() -> impl Strategy<Value = StreamSpec> {
    let faults = prop_oneof![Just(FaultPlan::default()), faults()];
    (plain_spec(), faults).prop_map(|(spec, faults)| StreamSpec { faults, ..spec })
}

/// A spec and a window of it: at its beginning, somewhere, or at its very end.
pub(crate) fn spec_and_window() -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    with_window(spec())
}

/// The same without planned faults.
pub(crate) fn plain_spec_and_window() -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    with_window(plain_spec())
}

/// The same with planned faults and at most 200 auctions a second, so that what can stand at a time is searched fast.
pub(crate) fn faulty_spec_and_window() -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    slow_spec_and_window(faults())
}

/// The same where some request is plain among any few thousand, so that a window can start there: a fault that meets every request
/// would leave none.
pub(crate) fn faulty_spec_and_window_from_now() -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    slow_spec_and_window(faults_up_to(ALWAYS / 2))
}

fn slow_spec_and_window(faults: impl Strategy<Value = FaultPlan>) -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    let rates = prop::sample::select(vec!["0.5", "3", "10", "50.5", "200"]);
    let spec = (plain_spec(), rates, faults).prop_map(|(spec, rate, faults)| StreamSpec {
        events_per_second: rate.parse().unwrap(),
        faults,
        ..spec
    });
    with_window(spec)
}

fn with_window(spec: impl Strategy<Value = StreamSpec>) -> impl Strategy<Value = (StreamSpec, u64, u64)> {
    (spec, any::<u64>(), 0..4u8, 0..150u64).prop_map(|(spec, place, kind, count)| {
        let all = Auctions::new(&spec).clock().auctions();
        let count = count.min(all);
        let start = match kind {
            0 => 0,
            1 => all - count,
            _ => place % (all - count + 1),
        };
        (spec, start, count)
    })
}

pub(crate) fn records(spec: &StreamSpec, layout: &Layout, window: Window) -> Vec<Record> {
    Stream::new(spec, layout).records(window).collect()
}

pub(crate) fn order(record: &Record) -> (i64, u64, Stage, u32) {
    (record.emit_ms, record.ordinal, record.stage, record.copy)
}
