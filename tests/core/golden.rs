//! The stream law of version 1, as bytes. The files in `snapshots/stream-v1` are only ever appended to: see the README there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::naive_bytecount,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::PathBuf;

use mock_data_gen::generator::fingerprint::Fingerprints;
use mock_data_gen::generator::record::{Record, envelope};
use mock_data_gen::generator::simd;
use mock_data_gen::generator::spec::{Boundary, Faults, Layout, Partitions, Rate, Spread, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use serde_json::Value;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots/stream-v1").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Does something by each kind of vector instructions that this processor has. Other tests may run beside it and be computed by them,
/// too: nothing but the time that they take may change.
fn by_all_instructions(run: impl Fn()) {
    let available = simd::available();
    // The widest comes last, and stays.
    for name in &available {
        simd::choose(name).unwrap();
        run();
    }
    // Without a vector unit that is known there is one way, else there are several.
    assert!(!available.is_empty() && (available.len() > 1 || !cfg!(target_arch = "x86_64")), "{available:?}");
}

/// The file holds the first 200 records of the spec's stream, as envelopes.
fn assert_first_records(name: &str, spec: &StreamSpec) {
    by_all_instructions(|| assert_first_records_once(name, spec));
}

fn assert_first_records_once(name: &str, spec: &StreamSpec) {
    let expected = golden(name);
    let stream = Stream::new(spec, &Layout::default());
    let mut records = stream.records(Window::unbounded(0));
    for (index, expected) in expected.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let record = records.next().unwrap();
        let mut line = Vec::new();
        envelope::write(&mut line, &stream.layout().topic(record.stage).name, &record).unwrap();
        let at = line.iter().zip(expected).take_while(|(ours, golden)| ours == golden).count();
        assert!(
            line == expected,
            "{name}: record {index} parts from the golden file at byte {at}:\n{}",
            String::from_utf8_lossy(&line)
        );
    }
    assert_eq!(expected.iter().filter(|&&byte| byte == b'\n').count(), 200, "{name}");
}

#[test]
fn the_first_records_of_three_seeds_are_these_bytes() {
    for seed in [42, 0, u64::MAX] {
        let spec = StreamSpec { seed, ..StreamSpec::default() };
        assert_first_records(&format!("first-records-seed-{seed}.ndjson"), &spec);
    }
}

#[test]
fn the_first_records_with_all_planned_faults_are_these_bytes() {
    let faults = Faults {
        late: "0.2:2s".parse().unwrap(),
        duplicates: "0.2:1s".parse().unwrap(),
        conflicts: "0.2:1s".parse().unwrap(),
        orphans: "0.1".parse().unwrap(),
        boundary: "0.3".parse().unwrap(),
        malformed: "0.1".parse().unwrap(),
        invalid: "0.1".parse().unwrap(),
        tombstones: "0.1".parse().unwrap(),
        idle: Some("response:1s:2s".parse().unwrap()),
        hot_user: "0.2".parse().unwrap(),
    };
    let spec = StreamSpec {
        bid_response_rate: "0.9".parse().unwrap(),
        win_rate: "0.8".parse().unwrap(),
        click_rate: "0.7".parse().unwrap(),
        headers: true,
        faults: faults.try_into().unwrap(),
        ..StreamSpec::default()
    };
    assert_first_records("first-records-faults.ndjson", &spec);
}

/// Of a canonical form without them: none.
fn faults(canonical: &Value) -> Faults {
    let text = |name: &str| canonical[name].as_str();
    let share = |name: &str| text(name).map_or(Rate::NEVER, |text| text.parse().unwrap());
    let spread = |name: &str| text(name).map_or(Spread::default(), |text| text.parse().unwrap());
    Faults {
        late: spread("late"),
        duplicates: spread("duplicates"),
        conflicts: spread("conflicts"),
        orphans: share("orphans"),
        boundary: text("boundary").map_or(Boundary::default(), |text| text.parse().unwrap()),
        malformed: share("malformed"),
        invalid: share("invalid"),
        tombstones: share("tombstones"),
        idle: text("idle").map(|text| text.parse().unwrap()),
        hot_user: share("hot-user"),
    }
}

/// The spec of a canonical form; it must be that form again, which pins the form itself.
fn spec(canonical: &Value) -> StreamSpec {
    let text = |field: &str| canonical[field].as_str().unwrap();
    StreamSpec {
        seed: text("seed").parse().unwrap(),
        epoch: text("epoch").parse().unwrap(),
        events_per_second: text("events_per_second").parse().unwrap(),
        bid_response_rate: text("bid_response_rate").parse().unwrap(),
        win_rate: text("win_rate").parse().unwrap(),
        click_rate: text("click_rate").parse().unwrap(),
        users: canonical["users"].to_string().parse().unwrap(),
        profile: text("profile").parse().unwrap(),
        key_by: text("key_by").parse().unwrap(),
        headers: canonical["headers"].as_bool().unwrap(),
        faults: faults(&canonical["faults"]).try_into().unwrap(),
    }
}

/// What a window of `fingerprints.ndjson` is: records and fingerprint.
fn play(spec: &StreamSpec, golden: &Value) -> (u64, String) {
    let mut counts = golden["partitions"].as_array().unwrap().iter();
    let partitions = [(); 4].map(|()| counts.next().unwrap().to_string().parse::<Partitions>().unwrap());
    let stream = Stream::new(spec, &Layout::default().with_partitions(partitions));
    let number = |field: &str| golden[field].as_u64().unwrap();
    let mut fingerprints = Fingerprints::new(stream.layout());
    let mut records = stream.records(Window::auctions(number("first_ordinal"), number("auctions")));
    let mut record = Record::default();
    let mut count = 0;
    while records.next_into(&mut record) {
        fingerprints.add(&record);
        count += 1;
    }
    (count, fingerprints.total().to_string())
}

#[test]
fn larger_windows_have_these_fingerprints() {
    by_all_instructions(assert_fingerprints);
}

fn assert_fingerprints() {
    let text = String::from_utf8(golden("fingerprints.ndjson")).unwrap();
    assert!(text.lines().count() >= 39, "the golden file lost lines");
    for line in text.lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let spec = spec(&golden["spec"]);
        assert!(line.contains(&spec.canonical_json()), "the canonical form is now {}", spec.canonical_json());
        assert_eq!(spec.stream_id().to_string(), golden["stream_id"], "{line}");
        let (records, fingerprint) = play(&spec, &golden);
        assert_eq!(
            (records, fingerprint.as_str()),
            (golden["records"].as_u64().unwrap(), golden["fingerprint"].as_str().unwrap()),
            "{line}"
        );
    }
}
