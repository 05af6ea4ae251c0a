//! Streams with all planned faults on a real Apache Kafka: `make test-kafka`.
//!
//! What the topics hold is read by kcat, as bytes: a value may be none, or no text.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{bootstrap, generator, layout, run, stderr, topic_flags, wait_for_records};
use mock_data_gen::generator::auction::CopyKind;
use mock_data_gen::generator::spec::{Faults, KeyBy, Layout, Rate, Stage, StreamSpec};
use mock_data_gen::generator::stream::{Stream, Window};

const COUNT: u64 = 60_000;
/// What `spec` says, as options.
const FLAGS: [&str; 25] = [
    "--click-rate",
    "0.5",
    "--late",
    "0.1:20s",
    "--duplicates",
    "0.2:5s",
    "--conflicts",
    "0.1:5s",
    "--orphans",
    "0.05",
    "--boundary",
    "0.1",
    "--malformed",
    "0.1",
    "--invalid",
    "0.1",
    "--tombstones",
    "0.1",
    "--idle",
    "impression:1m:30s",
    "--hot-user",
    "0.3",
    "--key-by",
    "user",
    "--headers",
];

fn spec() -> StreamSpec {
    let faults = Faults {
        late: "0.1:20s".parse().unwrap(),
        duplicates: "0.2:5s".parse().unwrap(),
        conflicts: "0.1:5s".parse().unwrap(),
        orphans: Rate::from_percent(5),
        boundary: "0.1".parse().unwrap(),
        malformed: Rate::from_percent(10),
        invalid: Rate::from_percent(10),
        tombstones: Rate::from_percent(10),
        idle: Some("impression:1m:30s".parse().unwrap()),
        hot_user: Rate::from_percent(30),
    };
    StreamSpec {
        click_rate: Rate::from_percent(50),
        key_by: KeyBy::User,
        headers: true,
        faults: faults.try_into().unwrap(),
        ..StreamSpec::default()
    }
}

/// Timestamp, key and value.
type Seen = (i64, String, Option<Vec<u8>>);
/// By stage and partition.
type Logs = BTreeMap<(Stage, u32), Vec<Seen>>;

fn expected(layout: &Layout) -> Logs {
    let mut logs = Logs::new();
    for record in Stream::new(&spec(), layout).records(Window::auctions(0, COUNT)) {
        let seen =
            (record.timestamp_ms, String::from_utf8(record.key.clone()).unwrap(), record.payload().map(<[u8]>::to_vec));
        logs.entry((record.stage, record.partition)).or_default().push(seen);
    }
    logs
}

fn read(layout: &Layout) -> Logs {
    let mut logs = Logs::new();
    for stage in Stage::ALL {
        let topic = layout.topic(stage).name.as_str();
        // A length of -1 is a value that is none. No value has a line's end in it.
        let args = ["-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%p|%T|%k|%S|%s\n"];
        let output = run(Command::new("kcat").args(["-b", &bootstrap()]).args(args));
        assert!(output.status.success(), "{}", stderr(&output));
        for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let fields: Vec<&[u8]> = line.splitn(5, |&byte| byte == b'|').collect();
            let [partition, time, key, length, value] = fields[..] else { panic!("kcat wrote {line:?}") };
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let value = (length != b"-1").then(|| value.to_vec());
            let log = logs.entry((stage, text(partition).parse().unwrap())).or_default();
            log.push((text(time).parse().unwrap(), text(key), value));
        }
    }
    logs
}

fn assert_whole(layout: &Layout) {
    let (seen, expected) = (read(layout), expected(layout));
    for (at, expected) in &expected {
        for (offset, (seen, expected)) in seen[at].iter().zip(expected).enumerate() {
            assert!(seen == expected, "{at:?}, offset {offset}: {seen:?}, expected {expected:?}");
        }
        assert_eq!(seen[at].len(), expected.len(), "{at:?}");
    }
    assert_eq!(seen.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
}

fn window<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--fast", "--from", "epoch", "--count", "60000"], &FLAGS[..], more].concat()
}

/// Runs the command that a report prints.
fn assert_printed_command_verifies(report: &str) {
    let line = report.lines().find_map(|line| line.strip_prefix("verify with  ")).unwrap_or_else(|| panic!("{report}"));
    let program = Path::new(env!("CARGO_BIN_EXE_mock-data-gen"));
    let path = format!("{}:{}", program.parent().unwrap().display(), env::var("PATH").unwrap());
    for more in ["", " --threads 2"] {
        let output = run(Command::new("bash").args(["-c", &format!("{line}{more}")]).env("PATH", &path));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("all as they should be"), "{line}\n{text}{}", stderr(&output));
    }
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn every_fault_is_written_as_planned_and_verified_by_the_printed_command() {
    let layout = layout("faults", [6; 4]);
    let output = run(generator(&window(&[])).args(topic_flags("faults")));
    assert!(output.status.success(), "{}", stderr(&output));
    assert_whole(&layout);
    assert_printed_command_verifies(&stderr(&output));
    // The readers saw nulls, and bytes that are no JSON.
    let seen: Vec<Seen> = read(&layout).into_values().flatten().collect();
    let values = seen.iter().filter_map(|(_, _, value)| value.as_deref());
    let malformed = values.filter(|value| serde_json::from_slice::<serde_json::Value>(value).is_err()).count();
    let tombstones = seen.iter().filter(|(_, _, value)| value.is_none()).count();
    let stream = Stream::new(&spec(), &layout);
    let planned = |form: CopyKind| stream.records(Window::auctions(0, COUNT)).filter(|r| r.copy == form.copy()).count();
    assert_eq!((malformed, tombstones), (planned(CopyKind::Malformed), planned(CopyKind::Tombstone)));
    assert!(malformed > 3_000 && tombstones > 3_000);
    let again = run(generator(&window(&[])).args(topic_flags("faults")));
    assert!(again.status.success() && stderr(&again).contains("nothing to do"), "{}", stderr(&again));
}

/// Kills a run while it writes, several times, and lets the last one end.
fn play_with_kills(prefix: &str, more: &[&str], kills: usize) -> String {
    let layout = layout(prefix, [6; 4]);
    let held = |layout: &Layout| {
        let query = |stage: Stage| {
            (0..6).flat_map(move |p| ["-t".to_owned(), format!("{prefix}-{}:{p}:-1", NAMES[stage.index()])])
        };
        let args: Vec<String> = Stage::ALL.into_iter().flat_map(query).collect();
        let output = run(Command::new("kcat").args(["-b", &bootstrap(), "-Q"]).args(args));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(layout.topics().len(), 4);
        text.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum::<usize>()
    };
    for _ in 0..kills {
        let mut writer = generator(&window(more)).args(topic_flags(prefix)).stderr(Stdio::null()).spawn().unwrap();
        let before = held(&layout);
        if before == 0 {
            wait_for_records(layout.topic(Stage::Request).name.as_str(), &mut writer);
        }
        while writer.try_wait().unwrap().is_none() && held(&layout) < before + 2_000 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    let output = run(generator(&window(more)).args(topic_flags(prefix)));
    assert!(output.status.success(), "{}", stderr(&output));
    stderr(&output)
}

const NAMES: [&str; 4] = ["bid-requests", "bid-responses", "impressions", "clicks"];

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn a_killed_run_with_faults_is_gone_on_with_to_the_same_log() {
    let report = play_with_kills("faults-killed", &["--threads", "2"], 3);
    assert!(report.contains("resumes      after "), "{report}");
    assert_whole(&layout("faults-killed", [6; 4]));
    assert_printed_command_verifies(&report);
}

#[test]
#[ignore = "needs a real Kafka: make test-kafka"]
fn two_shards_with_faults_hold_the_whole_though_one_was_killed() {
    let output = run(generator(&window(&["--shard", "0/2"])).args(topic_flags("faults-shards")));
    assert!(output.status.success(), "{}", stderr(&output));
    play_with_kills("faults-shards", &["--shard", "1/2"], 1);
    assert_whole(&layout("faults-shards", [6; 4]));
}
