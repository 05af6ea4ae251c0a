//! Laws of planned faults: each does what it says and nothing else.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use jsonschema::Validator;
use mock_data_gen::generator::auction::{Auctions, CopyKind};
use mock_data_gen::generator::ids::{Ids, Kind};
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{FaultPlan, Faults, KeyBy, Layout, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use proptest::prelude::*;

use crate::specs::{faults, order, plain_spec, plain_spec_and_window, records, spec_and_window};

/// What a record is without its place in the order, and without the stream id in its headers.
type Told = (u64, Stage, u32, Vec<u8>, i64, Vec<(&'static str, String)>, Option<Vec<u8>>);

fn told(record: &Record) -> Told {
    let headers = record.headers.iter().filter(|header| header.name != "mdg-stream-id");
    (
        record.ordinal,
        record.stage,
        record.copy,
        record.key.clone(),
        record.timestamp_ms,
        headers.map(|header| (header.name, header.value.clone())).collect(),
        record.payload().map(<[u8]>::to_vec),
    )
}

fn all_told(records: &[Record]) -> Vec<Told> {
    let mut all: Vec<Told> = records.iter().map(told).collect();
    all.sort();
    all
}

/// The same faults without one.
fn without(faults: &Faults, which: usize) -> FaultPlan {
    let (mut less, none) = (faults.clone(), Faults::default());
    match which {
        0 => less.late = none.late,
        1 => less.duplicates = none.duplicates,
        2 => less.conflicts = none.conflicts,
        3 => less.orphans = none.orphans,
        4 => less.boundary = none.boundary,
        5 => less.malformed = none.malformed,
        6 => less.invalid = none.invalid,
        7 => less.tombstones = none.tombstones,
        8 => less.idle = none.idle,
        _ => less.hot_user = none.hot_user,
    }
    less.try_into().unwrap()
}

proptest! {
    /// forall specs, faults f, one of f: turning it on adds its own records, moves or takes away those that it is about, and changes no
    /// other record, the stream id in the headers aside.
    #[test]
    fn a_fault_changes_nothing_else((spec, start, count) in plain_spec_and_window(), faults in faults(), which in 0..10usize) {
        let window = Window::auctions(start, count);
        let less = StreamSpec { faults: without(&faults, which), ..spec.clone() };
        let more = StreamSpec { faults, ..spec };
        let layout = Layout::default();
        let (before, after) = (records(&less, &layout, window), records(&more, &layout, window));
        let copies_without = |form: CopyKind| after.iter().filter(|r| r.copy != form.copy()).cloned().collect::<Vec<_>>();
        match which {
            // Late and idle change nothing but the order.
            0 | 8 => prop_assert_eq!(all_told(&before), all_told(&after)),
            // Copies are added, and stand in no other's way.
            1 => prop_assert_eq!(all_told(&before), all_told(&copies_without(CopyKind::Duplicate))),
            2 => prop_assert_eq!(all_told(&before), all_told(&copies_without(CopyKind::Conflict))),
            5 => prop_assert_eq!(all_told(&before), all_told(&copies_without(CopyKind::Malformed))),
            6 => prop_assert_eq!(all_told(&before), all_told(&copies_without(CopyKind::Invalid))),
            7 => prop_assert_eq!(all_told(&before), all_told(&copies_without(CopyKind::Tombstone))),
            3 => {
                let auctions = Auctions::new(&more);
                let is_kept = |record: &&Record| {
                    let is_event = CopyKind::of(record.copy).unwrap().is_event();
                    !is_event || !auctions.planned_faults(&auctions.plan(record.ordinal)).of(record.stage).is_dropped
                };
                let kept: Vec<Record> = before.iter().filter(is_kept).cloned().collect();
                prop_assert_eq!(all_told(&kept), all_told(&after));
            }
            _ => {
                let auctions = Auctions::new(&more);
                let is_met = |ordinal: u64| {
                    let plan = auctions.plan(ordinal);
                    if which == 4 { plan.edges != [None; 3] } else { plan.is_hot }
                };
                let others = |records: &[Record]| {
                    all_told(&records.iter().filter(|record| !is_met(record.ordinal)).cloned().collect::<Vec<_>>())
                };
                prop_assert_eq!(others(&before), others(&after));
            }
        }
    }

    /// forall specs, windows: no record is emitted before its event, before its request, or later than the largest lag.
    #[test]
    fn no_record_is_later_than_the_largest_lag((spec, start, count) in spec_and_window()) {
        let auctions = Auctions::new(&spec);
        for record in records(&spec, &Layout::default(), Window::auctions(start, count)) {
            let plan = auctions.plan(record.ordinal);
            let lag_ms = record.emit_ms - plan.request_ms;
            prop_assert!((0..=spec.lag_ms_max()).contains(&lag_ms), "{} of {}", lag_ms, spec.lag_ms_max());
            prop_assert!(record.emit_ms >= record.timestamp_ms && record.timestamp_ms >= plan.request_ms);
            prop_assert_eq!(Some(record.timestamp_ms), plan.event_ms(record.stage));
            let (min, max) = mock_data_gen::generator::spec::delays::event_lag_ms(&spec.faults, record.stage);
            prop_assert!((min..=max).contains(&(record.timestamp_ms - plan.request_ms)));
        }
    }

    /// forall specs: a plain request is emitted at its event time, once, with nothing beside it.
    #[test]
    fn a_plain_request_is_the_windows_first_record(spec in plain_spec(), faults in faults(), place in 0..1_000_000u64) {
        let spec = StreamSpec { faults, ..spec };
        let stream = Stream::new(&spec, &Layout::default());
        if let Some(first) = stream.auctions().first_plain_request(place, 1_000) {
            let record = stream.records(Window::unbounded(first)).next().unwrap();
            let plan = stream.auctions().plan(first);
            prop_assert_eq!(order(&record), (plan.request_ms, first, Stage::Request, 0));
            let requests = stream.positions_of_auction(first).into_iter().filter(|p| p.stage == Stage::Request).count();
            prop_assert_eq!(requests, 1);
        }
    }
}

/// A window in which every stage is common, and its records by form.
fn busy(faults: Faults) -> (StreamSpec, BTreeMap<(Stage, u32), Vec<Record>>) {
    let always = || "1".parse().unwrap();
    let spec = StreamSpec {
        bid_response_rate: always(),
        win_rate: always(),
        click_rate: always(),
        faults: faults.try_into().unwrap(),
        ..StreamSpec::default()
    };
    let mut by_form: BTreeMap<(Stage, u32), Vec<Record>> = BTreeMap::new();
    for record in records(&spec, &Layout::default(), Window::auctions(0, 20_000)) {
        by_form.entry((record.stage, record.copy)).or_default().push(record);
    }
    (spec, by_form)
}

fn count(by_form: &BTreeMap<(Stage, u32), Vec<Record>>, stage: Stage, form: CopyKind) -> usize {
    by_form.get(&(stage, form.copy())).map_or(0, Vec::len)
}

#[test]
fn each_fault_meets_its_share() {
    // 20,000 draws: five standard deviations of a share of 5 % are 154.
    let near = |found: usize, expected: usize| assert!(found.abs_diff(expected) < 160, "{found}, expected {expected}");
    let share = || "0.05".parse().unwrap();
    let spread = || "0.05:20s".parse().unwrap();
    let faults = Faults {
        late: spread(),
        duplicates: spread(),
        conflicts: spread(),
        malformed: share(),
        invalid: share(),
        tombstones: share(),
        ..Faults::default()
    };
    let (_, by_form) = busy(faults);
    for stage in Stage::ALL {
        assert_eq!(count(&by_form, stage, CopyKind::Event), 20_000);
        for form in &CopyKind::ALL[1..] {
            near(count(&by_form, stage, *form), 1_000);
        }
        let late: Vec<i64> =
            by_form[&(stage, 0)].iter().map(|r| r.emit_ms - r.timestamp_ms).filter(|ms| *ms > 0).collect();
        near(late.len(), 1_000);
        assert!(late.iter().max().unwrap() <= &20_000 && late.iter().max().unwrap() > &19_000);
        let mean = late.iter().sum::<i64>() / late.len() as i64;
        assert!((9_000..11_000).contains(&mean), "{mean}");
    }
    let (_, by_form) = busy(Faults { orphans: share(), ..Faults::default() });
    for stage in [Stage::Request, Stage::Response, Stage::Impression] {
        near(count(&by_form, stage, CopyKind::Event), 19_000);
    }
    assert_eq!(count(&by_form, Stage::Click, CopyKind::Event), 20_000);
    let (spec, _) = busy(Faults { hot_user: share(), ..Faults::default() });
    let auctions = Auctions::new(&spec);
    near((0..20_000).filter(|&ordinal| auctions.plan(ordinal).user == 0).count(), 1_000);
}

#[test]
fn children_lie_on_both_sides_of_a_bound_and_on_it() {
    let (spec, _) = busy(Faults { boundary: "0.3:200ms,1s,20s".parse().unwrap(), ..Faults::default() });
    let auctions = Auctions::new(&spec);
    let mut seen: BTreeMap<(usize, i64), usize> = BTreeMap::new();
    for plan in (0..20_000).map(|ordinal| auctions.plan(ordinal)) {
        let times = Stage::ALL.map(|stage| plan.event_ms(stage).unwrap());
        for (edge, bound_ms) in [200, 1_000, 20_000].into_iter().enumerate() {
            let beyond = times[edge + 1] - times[edge] - bound_ms;
            match plan.edges[edge] {
                Some(side) => assert_eq!(beyond, i64::from(side)),
                None => assert!(beyond < -1, "a child that was not moved keeps its own delay"),
            }
            if plan.edges[edge].is_some() {
                *seen.entry((edge, beyond)).or_default() += 1;
            }
        }
    }
    assert_eq!(seen.len(), 9);
    assert!(seen.values().all(|count| (1_700..2_300).contains(count)), "{seen:?}");
}

#[test]
fn a_duplicate_is_equal_and_a_conflict_is_not() {
    let every = || "1:5s".parse().unwrap();
    let (spec, by_form) = busy(Faults { duplicates: every(), conflicts: every(), ..Faults::default() });
    for stage in Stage::ALL {
        let by_ordinal = |form: CopyKind| -> BTreeMap<u64, &Record> {
            by_form[&(stage, form.copy())].iter().map(|record| (record.ordinal, record)).collect()
        };
        let (own, duplicates, conflicts) =
            (by_ordinal(CopyKind::Event), by_ordinal(CopyKind::Duplicate), by_ordinal(CopyKind::Conflict));
        for (ordinal, own) in own {
            let parts = |record: &Record| (record.key.clone(), record.timestamp_ms, record.partition);
            let (duplicate, conflict) = (duplicates[&ordinal], conflicts[&ordinal]);
            assert_eq!((parts(own), &own.value), (parts(duplicate), &duplicate.value));
            assert_eq!(parts(own), parts(conflict));
            assert_ne!(own.value, conflict.value, "{stage} of {ordinal}");
            assert!((0..=5_000).contains(&(duplicate.emit_ms - own.emit_ms)));
            let ids = |record: &Record| {
                let document: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
                [
                    "/id",
                    "/impression_id",
                    "/click_id",
                    "/request_id",
                    "/response_id",
                    "/ext/request_id",
                    "/event_timestamp",
                ]
                .map(|pointer| document.pointer(pointer).cloned())
            };
            assert_eq!(ids(own), ids(conflict));
        }
    }
    assert_eq!(spec.lag_ms_max(), 10_500 + 5_000);
}

#[test]
fn extra_records_are_what_they_say_and_have_ids_of_their_own() {
    let every = || "1".parse().unwrap();
    let faults = Faults { malformed: every(), invalid: every(), tombstones: every(), ..Faults::default() };
    let (spec, by_form) = busy(faults);
    let ids = Ids::new(spec.seed);
    for stage in Stage::ALL {
        let schema = std::process::Command::new(env!("CARGO_BIN_EXE_mock-data-gen"))
            .args(["schema", ["bid-request", "bid-response", "impression", "click"][stage.index()]])
            .output()
            .unwrap();
        let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
        let schema: Validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
        let document = |record: &Record| serde_json::from_slice::<serde_json::Value>(&record.value);
        assert!(by_form[&(stage, 0)].iter().all(|record| schema.is_valid(&document(record).unwrap())));
        for (form, kind) in [
            (CopyKind::Malformed, Kind::Malformed),
            (CopyKind::Invalid, Kind::Invalid),
            (CopyKind::Tombstone, Kind::Tombstone),
        ] {
            for record in &by_form[&(stage, form.copy())] {
                let key = ids.id(kind, 4 * record.ordinal + stage as u64).to_string();
                assert_eq!(record.key, key.as_bytes());
                match form {
                    CopyKind::Malformed => assert!(document(record).is_err()),
                    CopyKind::Invalid => assert!(!schema.is_valid(&document(record).unwrap())),
                    _ => assert!(record.payload().is_none() && record.value.is_empty()),
                }
            }
        }
    }
}

#[test]
fn an_idle_stage_is_silent_and_then_repays() {
    let faults = Faults { idle: Some("impression:5m:2m".parse().unwrap()), ..Faults::default() };
    let (spec, by_form) = busy(faults);
    let (begin_ms, end_ms) = (spec.epoch.ms() + 300_000, spec.epoch.ms() + 420_000);
    let impressions = &by_form[&(Stage::Impression, 0)];
    assert_eq!(impressions.len(), 20_000);
    assert!(impressions.iter().all(|record| !(begin_ms..end_ms).contains(&record.emit_ms)));
    let held = impressions.iter().filter(|record| record.emit_ms == end_ms && record.timestamp_ms < end_ms).count();
    assert!((1_150..1_250).contains(&held), "{held}");
    for stage in [Stage::Request, Stage::Response, Stage::Click] {
        assert!(by_form[&(stage, 0)].iter().all(|record| record.emit_ms == record.timestamp_ms));
    }
}

#[test]
fn a_hot_user_fills_a_partition_where_users_are_keys() {
    let faults = Faults { hot_user: "0.5".parse().unwrap(), ..Faults::default() };
    let spec = StreamSpec { key_by: KeyBy::User, faults: faults.try_into().unwrap(), ..StreamSpec::default() };
    let mut partitions = [0; 6];
    for record in records(&spec, &Layout::default(), Window::auctions(0, 6_000)) {
        partitions[record.partition as usize] += 1;
    }
    let (most, all) = (*partitions.iter().max().unwrap(), partitions.iter().sum::<usize>());
    assert!(most * 2 > all, "{partitions:?}");
}
