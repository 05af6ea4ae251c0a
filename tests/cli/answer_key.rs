//! The answer key against tables that are computed, in the plainest way, from what was emitted.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mock_data_gen::answer_key::{EDGES, Settings, write};
use mock_data_gen::generator::digest::Digest;
use mock_data_gen::generator::record::Record;
use mock_data_gen::generator::spec::{Layout, Span, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};
use mock_data_gen::generator::timestamp::{LIMIT_MS, parse_time_ms};
use mock_data_gen::log::shutdown::Shutdown;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::specs::{records, spec_and_window};

/// What a reader makes of a record that it accepts: own id, parent's id, event time.
#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: String,
    parent: String,
    ms: i64,
}

/// `None` for what a reader must drop: no JSON, no value, against the schema.
fn event(record: &Record) -> Option<Event> {
    let document: Value = serde_json::from_slice(record.payload()?).ok()?;
    let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let (id, parent) = match record.stage {
        Stage::Request => ("/id", None),
        Stage::Response => ("/id", Some("/ext/request_id")),
        Stage::Impression => ("/impression_id", Some("/response_id")),
        Stage::Click => ("/click_id", Some("/impression_id")),
    };
    let ms = parse_time_ms(&text("/event_timestamp")?, LIMIT_MS + 3_600_000).unwrap();
    Some(Event { id: text(id)?, parent: parent.map_or_else(String::new, |parent| text(parent).unwrap()), ms })
}

/// The events of each stage in emit order.
fn events(records: &[Record]) -> [Vec<Event>; 4] {
    let of = |stage| records.iter().filter(|record| record.stage == stage).filter_map(event).collect();
    Stage::ALL.map(of)
}

/// Each id once, the first one.
fn once(events: &[Event]) -> Vec<Event> {
    let mut seen: Vec<Event> = Vec::new();
    for event in events {
        if !seen.iter().any(|other| other.id == event.id) {
            seen.push(event.clone());
        }
    }
    seen
}

/// The rows of a join as lines, sorted.
fn join(lefts: &[Event], rights: &[Event], bound_ms: i64, is_left: bool) -> Vec<String> {
    let mut rows = Vec::new();
    for left in lefts {
        let joins = |right: &&Event| right.parent == left.id && (left.ms..=left.ms + bound_ms).contains(&right.ms);
        let before = rows.len();
        rows.extend(
            rights.iter().filter(joins).map(|right| format!("{},{},{},{}", left.id, left.ms, right.id, right.ms)),
        );
        if is_left && rows.len() == before {
            rows.push(format!("{},{},,", left.id, left.ms));
        }
    }
    rows.sort();
    rows
}

fn windows(events: &[Vec<Event>; 4], span_ms: i64) -> Vec<String> {
    let mut counts: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
    for (stage, events) in events.iter().enumerate() {
        for event in events {
            counts.entry(event.ms.div_euclid(span_ms) * span_ms).or_default()[stage] += 1;
        }
    }
    let row = |(start, [a, b, c, d]): (i64, [u64; 4])| format!("{start},{},{a},{b},{c},{d}", start + span_ms);
    counts.into_iter().map(row).collect()
}

/// The lines of a table, without the heading.
fn lines(folder: &Path, table: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(format!("{table}.csv"))).unwrap();
    text.lines().skip(1).map(str::to_owned).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The digest of a table's rows, as the documentation says that it is made.
fn rows_digest(lines: &[String]) -> String {
    let first = |line: &String| u128::from_be_bytes(Digest::of(line).bytes()[..16].try_into().unwrap());
    format!("{:032x}", lines.iter().map(first).fold(0u128, u128::wrapping_add))
}

fn written(spec: &StreamSpec, window: Window, settings: impl FnOnce(&Stream) -> Settings) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stream = Stream::new(spec, &Layout::default());
    let settings = settings(&stream);
    write(&stream, window, settings, folder.path(), false, &Shutdown::default(), |_| {}).unwrap();
    folder
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// forall specs, windows, lengths of tumbling windows: joins, windows, funnel and digests are those of the emitted documents.
    #[test]
    fn the_key_is_what_the_documents_give((spec, start, count) in spec_and_window(), span_ms in 1..120_000i64) {
        let window = Window::auctions(start, count);
        let records = records(&spec, &Layout::default(), window);
        let span = Span::from_ms(span_ms);
        let folder = written(&spec, window, |stream| Settings { window: span, ..Settings::of(stream) });
        let folder = folder.path();
        let raw = events(&records);
        let dedup = raw.each_ref().map(|events| once(events));
        let bounds = spec.faults.boundary.bounds();
        for (edge, name) in EDGES.iter().map(|edge| edge.name).enumerate() {
            for (kind, events) in [("raw", &raw), ("dedup", &dedup)] {
                for (form, is_left) in [("inner", false), ("left", true)] {
                    let expected = join(&events[edge], &events[edge + 1], bounds[edge].ms(), is_left);
                    prop_assert_eq!(sorted(lines(folder, &format!("join_{name}_{form}_{kind}"))), expected);
                }
            }
        }
        prop_assert_eq!(lines(folder, &format!("windows_{span}_raw")), windows(&raw, span_ms));
        prop_assert_eq!(lines(folder, &format!("windows_{span}_dedup")), windows(&dedup, span_ms));
        let requests: Vec<&str> = dedup[0].iter().map(|event| event.id.as_str()).collect();
        let funnel = lines(folder, "funnel");
        let of_funnel: Vec<&str> = funnel.iter().map(|line| line.split(',').next().unwrap()).collect();
        prop_assert_eq!(of_funnel.len(), requests.len());
        prop_assert!(of_funnel.iter().all(|id| requests.contains(id)));
        let manifest: Value = serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        for table in manifest["tables"].as_array().unwrap() {
            let lines = lines(folder, table["name"].as_str().unwrap());
            prop_assert_eq!(&table["rows"]["sum"], &rows_digest(&lines));
            prop_assert_eq!(table["rows"]["count"].as_u64().unwrap(), lines.len() as u64);
            for file in table["files"].as_array().unwrap() {
                let bytes = fs::read(folder.join(file["name"].as_str().unwrap())).unwrap();
                prop_assert_eq!(&file["sha256"], &Digest::of(&bytes).to_string());
            }
        }
        let of_manifest = |stage: Stage| manifest["topics"][stage.index()]["records"].as_u64().unwrap();
        for stage in Stage::ALL {
            let emitted = records.iter().filter(|record| record.stage == stage).count() as u64;
            prop_assert_eq!(of_manifest(stage), emitted);
        }
    }

    /// forall specs, windows: each row of the ledger that has an index names the record that stands there.
    #[test]
    fn the_ledger_points_at_its_records((spec, start, count) in spec_and_window()) {
        let window = Window::auctions(start, count);
        let mut partitions: BTreeMap<(String, u32), Vec<Record>> = BTreeMap::new();
        for record in records(&spec, &Layout::default(), window) {
            let topic = Layout::default().topic(record.stage).name.to_string();
            partitions.entry((topic, record.partition)).or_default().push(record);
        }
        let folder = written(&spec, window, Settings::of);
        let text = fs::read_to_string(folder.path().join("ledger.ndjson")).unwrap();
        for line in text.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let Some(index) = row["index"].as_u64() else {
                prop_assert_eq!(&row["label"], "dropped");
                continue;
            };
            let topic = row["topic"].as_str().unwrap().to_owned();
            let partition = row["partition"].as_u64().unwrap() as u32;
            let record = &partitions[&(topic, partition)][index as usize];
            prop_assert_eq!(record.ordinal, row["ordinal"].as_u64().unwrap());
            prop_assert_eq!(record.stage.name(), row["stage"].as_str().unwrap());
            prop_assert_eq!(u64::from(record.copy), row["copy"].as_u64().unwrap());
            prop_assert_eq!(record.timestamp_ms, row["event_ms"].as_i64().unwrap());
            if let Some(event) = event(record) {
                prop_assert_eq!(&event.id, row["id"].as_str().unwrap());
            }
        }
    }
}

fn program(folder: &Path, arguments: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mock-data-gen"))
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn files_of(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = |entry: fs::DirEntry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| file(entry.unwrap())).collect()
}

#[test]
fn a_run_writes_the_same_key_as_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let options = "--count 300 --late 0.1:5s --duplicates 0.1 --win-rate 0.9";
    let by_run = program(folder.path(), &format!("--sink null --fast {options} --answer-key by-run"));
    assert!(by_run.status.success(), "{}", String::from_utf8_lossy(&by_run.stderr));
    let by_command = program(folder.path(), &format!("answer-key --out by-command {options}"));
    assert!(by_command.status.success() && by_command.stdout.is_empty());
    let (by_run, by_command) = (files_of(&folder.path().join("by-run")), files_of(&folder.path().join("by-command")));
    assert_eq!(by_run.len(), 2 * (12 + 1 + 3 + 1) + 1);
    assert_eq!(by_run, by_command);
}

#[test]
fn what_has_no_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("used")).unwrap();
    fs::write(folder.path().join("used/file"), "x").unwrap();
    for (arguments, says) in [
        ("answer-key --out key", "of a window that ends: give --count, --duration or --to"),
        ("answer-key --out used --count 5", "is not empty"),
        ("answer-key --out key --count 5 --from now", "--from now"),
        ("answer-key --count 5", "--out <DIR>"),
        ("answer-key --out key --count 5 --bound request=1s", "EDGE=SPAN"),
        ("answer-key --out key --count 5 --bound impression_click=soon", "not a span"),
        ("answer-key --out key --count 5 --bound impression_click=1s --bound impression_click=2s", "given twice"),
        ("answer-key --out key --count 5 --window 0s", "at least 1ms"),
        ("answer-key --out key --count 5 --watermark-delay x", "not a span"),
        ("--sink null --answer-key key", "of a window that ends"),
        ("--sink null --fast --count 5 --answer-key used", "is not empty"),
        ("--sink null --fast --count 5 --shard 0/2 --answer-key key", "command answer-key"),
    ] {
        let output = program(folder.path(), arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}: {errors}");
        assert!(errors.contains(says) && output.stdout.is_empty(), "{arguments}: {errors}");
        assert!(!folder.path().join("key").exists(), "{arguments} has written something");
    }
}

#[test]
fn a_profile_of_late_data_drops_what_the_rule_says() {
    let spec = StreamSpec {
        faults: mock_data_gen::generator::spec::Faults { late: "0.2:90s".parse().unwrap(), ..Default::default() }
            .try_into()
            .unwrap(),
        ..StreamSpec::default()
    };
    let (window, delay_ms, span_ms) = (Window::auctions(0, 3_000), 1_000, 60_000);
    let delay = Some(Span::from_ms(delay_ms));
    let folder = written(&spec, window, |stream| Settings { watermark_delay: delay, ..Settings::of(stream) });
    let mut watermarks = [i64::MIN / 2; 4];
    let mut counts: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
    let mut dropped = 0;
    for record in records(&spec, &Layout::default(), window) {
        let (stage, start) = (record.stage.index(), record.timestamp_ms / span_ms * span_ms);
        if start + span_ms - 1 <= watermarks[stage] {
            dropped += 1;
        } else {
            counts.entry(start).or_default()[stage] += 1;
        }
        watermarks[stage] = watermarks[stage].max(record.timestamp_ms - delay_ms);
    }
    let row = |(start, [a, b, c, d]): (i64, [u64; 4])| format!("{start},{},{a},{b},{c},{d}", start + span_ms);
    assert!(dropped > 50, "{dropped} late records show little");
    assert_eq!(lines(folder.path(), "windows_1m_flink"), counts.into_iter().map(row).collect::<Vec<_>>());
    let rows = |table: &str| lines(folder.path(), table).len();
    let (must, may) = (rows("join_request_response_inner_must"), rows("join_request_response_inner_raw"));
    assert!(must < may && must * 2 > may, "{must} of {may}");
}
